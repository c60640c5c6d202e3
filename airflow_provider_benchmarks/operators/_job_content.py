"""What a task's job runs: the service's own spec, or a benchmark and what it is run with."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.benchmarks import (
    Benchmark,
    JobRequest,
    is_reference,
    parse_benchmark,
    plain_mapping,
    unread_model,
)
from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.operators._arguments import FILE, check_argument, is_known, is_of_another_task, origin
from airflow_provider_benchmarks.operators._reviewed_file import ReviewedFile

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

    from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator

#: Field of a spec that has Jinja templates of the service, which the service renders with each dataset row.
_SPEC_TEMPLATE = "prompt_template"
#: Fields of a spec whose members, where they are objects and no references, are the service's as a whole: metrics have
#: templates of it, and rows are data.
_SPEC_INLINE = ("metrics", "dataset")
#: The same as ``prompt_template``, of a spec's agent.
_AGENT_TEMPLATE = "body"


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
        if is_of_another_task(task.prompt_template):
            raise self._error("prompt_template has the service's own templates, and takes no result of a task")
        if task.spec is not None:
            self._check_spec()
            if isinstance(task.spec, Mapping):
                self._plain_spec()
            return
        if isinstance(task.benchmark, Benchmark) or is_reference(task.benchmark):
            self._check_request(task.benchmark)
        elif not is_known(task.benchmark):
            return
        elif not isinstance(task.benchmark, str) or not task.benchmark.strip():
            raise self._error(
                f'benchmark must be a Benchmark, the path of a file, or the reference "workspace/name" of a stored '
                f"one, found {brief(task.benchmark)}"
            )
        elif (content := self._file().read_if_here()) is not None:
            self._check_request(parse_benchmark(content, name=task.benchmark))

    def resolve(self, context: Context) -> Mapping[str, Any] | JobRequest:
        """What to submit, when the task runs.

        :param context: with the params as whoever triggered the DAG run has set them
        :raises ConfigurationError: the arguments, or what is in the file, can't be right
        :raises OSError: the file can't be read
        """
        task = self.task
        if task.spec is not None:
            self._check_spec()
            return self._plain_spec()
        if task.benchmark is None:
            given = task.given_argument("spec") or task.given_argument("benchmark")
            raise self._error(f"both spec and benchmark are None{origin(task, None, given)}")
        if isinstance(task.benchmark, str) and (given := task.given_argument("benchmark")):
            check_argument(
                task, "benchmark", task.benchmark, FILE, given=given, template=task.given_template("benchmark")
            )
        if task.model is None and (given := task.given_argument("model")):
            raise self._error(f"model is None{origin(task, None, given)}: without one the dataset's outputs are scored")
        params = _triggered_params(task, context)
        if isinstance(task.benchmark, Benchmark) or is_reference(task.benchmark):
            return self._request(task.benchmark, params)
        return self._request(parse_benchmark(self._file().read(), name=str(task.benchmark)), params)

    def _check_spec(self) -> None:
        task = self.task
        others = {name: getattr(task, name) for name in ("benchmark", "model", "prompt_template")}
        if given := [name for name, value in others.items() if value is not None]:
            raise self._error(f"a spec has these of its own: put {', '.join(given)} into it, or leave the spec out")
        if not isinstance(task.spec, Mapping):
            if is_known(task.spec):
                native = (
                    ". A template gives a text, unless its DAG has render_template_as_native_obj=True"
                    if isinstance(task.spec, str)
                    else ""
                )
                raise self._error(
                    f"spec must be a mapping, the service's own job spec, found {brief(task.spec)}{native}"
                )
        elif not (task.spec.get("benchmark") or task.spec.get("metrics")):
            raise self._error(
                'spec needs a "benchmark", such as "my-workspace/qa-bench", or "metrics" where the service takes them'
            )

    def _plain_spec(self) -> dict[str, Any]:
        """The spec as JSON has it, with a text in the place of what is not known yet."""
        try:
            return plain_mapping(_known(self.task.spec), "spec")
        except ConfigurationError as error:
            raise self._error(str(error)) from error

    def _check_request(self, benchmark: Any) -> None:
        """Check what a benchmark is run with, but for the results of other tasks, which are not known yet."""
        task = self.task
        model, template, params = (_known(each) for each in (task.model, task.prompt_template, task.job_params))
        try:
            request = JobRequest(benchmark, model=model, prompt_template=template, params=params)
        except ConfigurationError as error:
            raise self._error(str(error)) from error
        if (problem := unread_model(request)) is not None:
            warnings.warn(f'task "{task.task_id}": {problem}', UserWarning, stacklevel=2)

    def _request(self, benchmark: Any, params: Mapping[str, Any] | None = None) -> JobRequest:
        task = self.task
        try:
            request = JobRequest(benchmark, model=task.model, prompt_template=task.prompt_template, params=params)
        except ConfigurationError as error:
            raise self._error(str(error)) from error
        if (problem := unread_model(request)) is not None:
            task.log.warning("%s", problem)
        return request

    def _file(self) -> ReviewedFile:
        task = self.task
        return ReviewedFile(
            f'task "{task.task_id}"', "benchmark", task.benchmark, task.dag.fileloc if task.has_dag() else None
        )

    def _error(self, problem: str) -> ConfigurationError:
        return ConfigurationError(f'task "{self.task.task_id}": {problem}')


def _known(value: Any) -> Any:
    """A value with a text in the place of each result of another task, which is known when the task runs."""
    if isinstance(value, Mapping):
        return {key: _known(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_known(member) for member in value]
    return type(value).__name__ if is_of_another_task(value) else value


def own_params(task: BaseOperator) -> dict[str, Any]:
    """Return the params that a task was given itself, without the DAG's, which Airflow merges into them.

    Before Airflow 3.2 no param says whose it is: one with the name and the value of the DAG's is taken for the DAG's.
    """
    params: Any = task.params
    shared = task.dag.params if task.has_dag() else {}

    def is_own(name: str) -> bool:
        param = params.get_param(name)
        if hasattr(param, "source"):
            return bool(param.source == "task")
        return name not in shared or bool(shared[name] != params[name])

    return {name: params[name] for name in params if is_own(name)}


def _triggered_params(task: RunBenchmarkJobOperator, context: Context) -> dict[str, Any]:
    """A task's own params as they were rendered, or as whoever triggered the DAG run has set them."""
    given, in_file = context.get("params") or {}, task.params_in_file
    changed = {name: given[name] for name in task.job_params if name in given and given[name] != in_file.get(name)}
    return {**task.job_params, **changed}


def own_templates(content: dict[str, Any], render: Callable[[Any], Any], *, spec: Any) -> dict[str, Any]:
    """The fields of an argument with the service's own templates, such as {{item.question}}, which stay as they are.

    :param content: the argument, or a part of it
    :param render: renders Airflow's templates in a value
    :param spec: the task's whole spec, which alone has inline metrics and rows
    """
    own = {_SPEC_TEMPLATE: content[_SPEC_TEMPLATE]} if _SPEC_TEMPLATE in content else {}
    for field in _SPEC_INLINE if content is spec else ():
        if isinstance(given := content.get(field), list | tuple):
            own[field] = [each if isinstance(each, dict) else render(each) for each in given]
    agent = content.get("agent")
    if isinstance(agent, dict) and _AGENT_TEMPLATE in agent:
        rest = {key: value for key, value in agent.items() if key != _AGENT_TEMPLATE}
        own["agent"] = {**render(rest), _AGENT_TEMPLATE: agent[_AGENT_TEMPLATE]}
    return own
