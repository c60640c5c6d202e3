"""Base of the operators: their connection and workspace, and the size limit of an XCom."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_benchmarks.exceptions import ResultsTooLarge
from airflow_provider_benchmarks.operators._arguments import TEXT, WORKSPACE, CheckedArguments, Rule
from airflow_provider_benchmarks.operators._lineage import ReportsLineage

if TYPE_CHECKING:
    from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
    from airflow_provider_benchmarks.store import ScoreStore

DEFAULT_CONN_ID = "nemo_evaluator_default"
#: Default of ``[benchmarks] max_xcom_bytes``.
DEFAULT_MAX_XCOM_BYTES = 1024 * 1024
STORE_AS_FILE = "Set destination= to store them as a file; its path is what goes to XCom then."


class BenchmarkOperator(ReportsLineage, CheckedArguments, BaseOperator):
    """Base of the operators.

    :param conn_id: connection to the evaluation service (templated). Default: ``nemo_evaluator_default``
    :param workspace: workspace of the job; None (the default) for the connection's (templated)
    """

    template_fields: Sequence[str] = ("conn_id", "workspace")
    argument_rules: Mapping[str, Rule] = {"conn_id": TEXT, "workspace": WORKSPACE}
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
