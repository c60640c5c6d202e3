"""Base of the operators: their connection and workspace, and the size limit of an XCom."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator, XComArg, conf

from airflow_provider_benchmarks.brief import brief, brief_names
from airflow_provider_benchmarks.exceptions import ConfigurationError, ResultsTooLarge
from airflow_provider_benchmarks.scores.metric_names import checked_references

if TYPE_CHECKING:
    from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
    from airflow_provider_benchmarks.store import ScoreStore

DEFAULT_CONN_ID = "nemo_evaluator_default"
#: Default of ``[benchmarks] max_xcom_bytes``.
DEFAULT_MAX_XCOM_BYTES = 1024 * 1024
STORE_AS_FILE = "Set destination= to store them as a file; its path is what goes to XCom then."


class BenchmarkOperator(BaseOperator):
    """Base of the operators.

    :param conn_id: connection to the evaluation service (templated). Default: ``nemo_evaluator_default``
    :param workspace: workspace of the job; None (the default) for the connection's (templated)
    """

    template_fields: Sequence[str] = ("conn_id", "workspace")
    ui_color = "#e3f2d3"
    #: Other names of metrics, by those that results have for them; of operators that read results.
    aliases: Mapping[str, str] | None = None

    def __init__(self, *, conn_id: str = DEFAULT_CONN_ID, workspace: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id
        self.workspace = workspace

    @cached_property
    def hook(self) -> BenchmarkHook:
        from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook

        return BenchmarkHook(self.conn_id, workspace=self.workspace, aliases=self.aliases)


def checked_aliases(aliases: Any, *, task: str) -> Any:
    """Return the argument ``aliases`` of a task, checked as far as it is known when the DAG is parsed.

    :raises ConfigurationError: it is not a map of names, or two metrics would have the same name; names the task
    """
    if aliases is None or isinstance(aliases, XComArg) or has_template(aliases):
        return aliases
    try:
        return checked_references(aliases)
    except ConfigurationError as error:
        raise ConfigurationError(f'task "{task}": aliases: {error}') from error


def require_job_name(name: Any, *, task: BaseOperator, argument: str = "job_name") -> None:
    """Refuse what is no name of a job, such as what a template made of an upstream task that returned nothing.

    :param argument: the argument whose value it is
    :raises ConfigurationError: names the task and the argument
    """
    # No job has the name "None", which services refuse: it is what a template makes of None.
    if isinstance(name, str) and name and name != "None":
        return
    found = f'task "{task.task_id}": {argument} must be the name of a job, found {brief(name)}'
    if name in (None, "None"):
        upstream = f" ({brief_names(sorted(task.upstream_task_ids))})" if task.upstream_task_ids else ""
        raise ConfigurationError(
            f"{found}: the upstream task{upstream} that it comes from returned nothing, or was skipped. Let it return "
            f"the job's name."
        )
    raise ConfigurationError(
        f"{found}: what does its template give? With render_template_as_native_obj=True a name of digits becomes a "
        f"number."
    )


def has_template(value: Any) -> bool:
    """Return True if a string, or a string within plain data, has a Jinja template."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    values = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return any(map(has_template, values))


def score_store(store: str | None) -> ScoreStore | None:
    """Return the score store of a task, else that of ``[benchmarks] score_store``; None where that is empty.

    :param store: the task's argument; None for the configured one, "" for none
    """
    from airflow_provider_benchmarks.store import ScoreStore

    root = conf.get("benchmarks", "score_store", fallback="") if store is None else store
    return ScoreStore(root) if root else None


def max_xcom_bytes() -> int:
    """Return the maximum size of an XCom value in bytes, as JSON."""
    limit: int = conf.getint("benchmarks", "max_xcom_bytes", fallback=DEFAULT_MAX_XCOM_BYTES)
    return limit


def xcom_bytes(value: Any) -> int:
    """Return the size of a value in bytes, as JSON, which is what an XCom stores."""
    return len(json.dumps(value).encode())


def check_xcom_size(value: Any, what: str, *, advice: str = STORE_AS_FILE) -> None:
    """Raise if a value is too large for an XCom.

    :param what: the value in the error message, in the plural
    :param advice: what to do, for the error message
    :raises ResultsTooLarge: as JSON it is larger than ``[benchmarks] max_xcom_bytes``
    """
    check_xcom_bytes(xcom_bytes(value), what, advice=advice)


def check_xcom_bytes(size: int, what: str, *, advice: str = STORE_AS_FILE) -> None:
    """Raise if a size in bytes is too large for an XCom.

    :param what: the value in the error message, in the plural
    :param advice: what to do, for the error message
    :raises ResultsTooLarge: it is larger than ``[benchmarks] max_xcom_bytes``
    """
    limit = max_xcom_bytes()
    if size > limit:
        raise ResultsTooLarge(
            f"{what} take {size:,} bytes as JSON, more than the {limit:,} that an XCom may have ([benchmarks] "
            f"max_xcom_bytes). {advice}"
        )
