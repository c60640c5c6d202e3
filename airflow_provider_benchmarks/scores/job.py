"""The scores of one job together: what gates compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.scores.aggregate import AggregateScores
from airflow_provider_benchmarks.scores.shown import line, line_of_job, table_of_scores

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_benchmarks.jobs import RowCounts


@dataclass(frozen=True, slots=True)
class JobScores:
    """Aggregate scores of a job and, where a check needs them, its rows.

    :param aggregate: the aggregate scores
    :param rows: the rows, as of :func:`~airflow_provider_benchmarks.scores.row_scores_frame`
    :param job: the job's name, for messages
    :param benchmark: what it ran, ``workspace/name``; empty when not known. Jobs of two benchmarks are not compared
    :param dataset: what it ran on, where its spec says so; the same holds
    :param content: what decided about its scores, where it ran a benchmark as code or was another evaluator's; None
        when not known. Scores of one metric are not compared where that was defined in another way
    :param reported_rows: what the service reports about the rows of the job; None where it does not
    :param rows_unread: the job has rows, but nothing is installed that reads them. Why some have no value is not known
        then, and each counts as one whose call of the model failed, too
    """

    aggregate: AggregateScores
    rows: pd.DataFrame | None = None
    job: str = field(default="", kw_only=True)
    benchmark: str = field(default="", kw_only=True)
    dataset: str = field(default="", kw_only=True)
    content: Mapping[str, Any] | None = field(default=None, kw_only=True, hash=False)
    reported_rows: RowCounts | None = field(default=None, kw_only=True)
    rows_unread: bool = field(default=False, kw_only=True)

    def __repr__(self) -> str:
        return line("JobScores", line_of_job(self))

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return f"<p>{escape(line_of_job(self))}</p>{table_of_scores(self.aggregate)}"
