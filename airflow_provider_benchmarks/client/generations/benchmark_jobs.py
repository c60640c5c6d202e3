"""NeMo Evaluator 0.1.x: the ``evaluation`` service, version 2, whose jobs run a stored benchmark."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from airflow_provider_benchmarks.benchmarks import JobRequest, JobSpec, stored_benchmark_spec
from airflow_provider_benchmarks.client.generations._job_json import of_type
from airflow_provider_benchmarks.client.generations.generation import Generation, quoted
from airflow_provider_benchmarks.client.generations.stored_benchmarks import StoredBenchmarks
from airflow_provider_benchmarks.jobs import BenchmarkJob


class BenchmarkJobs(Generation):
    name = "benchmark-jobs"
    prefix = "/apis/evaluation"
    releases = ((0, 1), (0, 1))
    description = 'NeMo Evaluator 0.1.x ("evaluation" v2)'
    scopes = '"evaluation:read" and "evaluation:write"'

    def jobs_path(self, workspace: str) -> str:
        return f"{self._home(workspace)}/benchmark-jobs"

    def read_job(self, payload: Any, *, workspace: str) -> BenchmarkJob:
        job = super().read_job(payload, workspace=workspace)
        return replace(job, benchmark=of_type(str, job.spec, "benchmark"))

    def job_spec(self, request: JobRequest) -> JobSpec:
        return stored_benchmark_spec(request)

    def stored_benchmarks(self) -> StoredBenchmarks:
        return StoredBenchmarks(self._home)

    def stored_scores_path(self, workspace: str, job: str) -> str:
        return f"{self._home(workspace)}/benchmark-job-results/{quoted(job, 'benchmark job')}"

    def _home(self, workspace: str) -> str:
        return f"{self.prefix}/v2/workspaces/{quoted(workspace, 'workspace')}"
