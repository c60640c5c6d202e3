"""NeMo Evaluator 0.1.x: the ``evaluation`` service, version 2, whose jobs run a stored benchmark."""

from __future__ import annotations

from airflow_provider_benchmarks.client.generations.generation import Generation, quoted


class BenchmarkJobs(Generation):
    name = "benchmark-jobs"
    release = "0.1"
    description = 'NeMo Evaluator 0.1.x ("evaluation" v2)'

    def jobs_path(self, workspace: str) -> str:
        return f"{self._home(workspace)}/benchmark-jobs"

    def stored_scores_path(self, workspace: str, job: str) -> str:
        return f"{self._home(workspace)}/benchmark-job-results/{quoted(job, 'benchmark job')}"

    @staticmethod
    def _home(workspace: str) -> str:
        return f"/apis/evaluation/v2/workspaces/{quoted(workspace, 'workspace')}"
