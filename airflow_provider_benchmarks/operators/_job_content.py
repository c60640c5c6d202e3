"""What a task's job runs: the service's own spec, or a benchmark and what it is run with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.benchmarks import Benchmark, JobRequest, is_reference, parse_benchmark
from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.operators._base import has_template
from airflow_provider_benchmarks.operators._reviewed_file import ReviewedFile

if TYPE_CHECKING:
    from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator


@dataclass(frozen=True, slots=True)
class JobContent:
    """The arguments of a task that say what its job runs.

    :param task: read when they are needed: Airflow renders its fields before it runs
    """

    task: RunBenchmarkJobOperator

    def check(self) -> None:
        """Check while the DAG is parsed what is known by then, a benchmark file included.

        :raises ConfigurationError: the arguments, or what is in the file, can't be right
        """
        task = self.task
        if task.spec is None and task.benchmark is None:
            raise self._error('give a benchmark, such as "benchmarks/qa-bench.yaml", or a spec')
        if task.spec is not None:
            self._check_spec()
            return
        if isinstance(task.benchmark, Benchmark) or is_reference(task.benchmark):
            self._request(task.benchmark)
        elif isinstance(task.benchmark, str) and (content := self._file().read_if_here()) is not None:
            self._request(parse_benchmark(content, name=task.benchmark))

    def resolve(self) -> Mapping[str, Any] | JobRequest:
        """What to submit, when the task runs.

        :raises ConfigurationError: the arguments, or what is in the file, can't be right
        :raises OSError: the file can't be read
        """
        task = self.task
        if task.spec is not None:
            return task.spec
        if isinstance(task.benchmark, Benchmark) or is_reference(task.benchmark):
            return self._request(task.benchmark)
        return self._request(parse_benchmark(self._file().read(), name=str(task.benchmark)))

    def _check_spec(self) -> None:
        task = self.task
        others = {name: getattr(task, name) for name in ("benchmark", "model", "prompt_template", "job_params")}
        if given := [name for name, value in others.items() if value is not None]:
            raise self._error(f"a spec has these of its own: put {', '.join(given)} into it, or leave the spec out")
        if isinstance(task.spec, Mapping) and not (task.spec.get("benchmark") or task.spec.get("metrics")):
            raise self._error(
                'spec needs a "benchmark", such as "my-workspace/qa-bench", or "metrics" where the service takes them'
            )

    def _request(self, benchmark: Any) -> JobRequest:
        task = self.task
        if isinstance(task.job_params, str) and not has_template(task.job_params):
            raise self._error(f"job_params must be a mapping, found {brief(task.job_params)}")
        params = task.job_params if isinstance(task.job_params, Mapping) else None
        try:
            return JobRequest(benchmark, model=task.model, prompt_template=task.prompt_template, params=params)
        except ConfigurationError as error:
            raise self._error(str(error)) from error

    def _file(self) -> ReviewedFile:
        task = self.task
        return ReviewedFile(
            f'task "{task.task_id}"', "benchmark", task.benchmark, task.dag.fileloc if task.has_dag() else None
        )

    def _error(self, problem: str) -> ConfigurationError:
        return ConfigurationError(f'task "{self.task.task_id}": {problem}')
