"""One benchmark that another evaluator has run, in the shape of a job of the service."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.aggregate import AggregateScores
from airflow_provider_benchmarks.scores.frames import row_scores_frame
from airflow_provider_benchmarks.scores.job import JobScores
from airflow_provider_benchmarks.scores.json_values import is_number, json_text
from airflow_provider_benchmarks.scores.results_files.files import MAX_ROWS
from airflow_provider_benchmarks.scores.rows import RowScore

#: A job's name is part of file names, and shown in tables. The service's have up to 51 characters.
_NAME_CHARACTERS = 28
_HASH_CHARACTERS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """The scores of one item, or of one repeat of it.

    :param item: what identifies the item in every run of the benchmark. Repeats of an item have equal ones
    :param scores: ``{metric: {score name: value}}``
    :param error: why the model did not answer. Scores of such a row are no evidence, and are left out
    :param metric_errors: ``{metric: text}`` of metrics that failed
    """

    item: Mapping[str, Any]
    scores: Mapping[str, Mapping[str, Any]]
    error: str | None = None
    metric_errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatorRun:
    """One benchmark that an evaluator has run.

    :param tool: name of the evaluator
    :param task: the evaluator's name of the benchmark
    :param model: the evaluator's name of the model
    :param created_at: when the run began, UTC
    :param rows: its row scores, in an order that is the same for each run of the benchmark
    :param aggregate: the aggregate scores, computed from the rows; then those that the evaluator has computed of all
        rows together
    :param version: of the evaluator and of the task, and what else tells how the run was made
    :param run_id: the evaluator's own name of the run; empty where it has none
    :param content: what the benchmark measures, as of :func:`~.definition.definition`; None where the files do not say
    :raises IncompleteResults: the rows have no score at all, though the model has answered
    """

    tool: str
    task: str
    model: str
    created_at: datetime
    rows: Sequence[RowScore]
    aggregate: AggregateScores
    version: Mapping[str, str] = field(default_factory=dict)
    run_id: str = ""
    content: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        if not self.aggregate.scores and any(row.inference_error is None for row in self.rows):
            raise IncompleteResults(f'no row of "{shortened(self.task)}" has a score: was it never scored?')

    @property
    def benchmark(self) -> str:
        """The benchmark's reference, ``tool/task``; a slash within the task's name is written as a colon."""
        task = self.task.replace("/", ":").encode(errors="backslashreplace").decode()
        return f"{self.tool}/{task}"

    @property
    def job(self) -> str:
        """A name for the run: the same whenever the same results are read, and another for other results."""
        model = re.sub(r"[^a-z0-9]+", "-", self.model.lower()).strip("-")[:_NAME_CHARACTERS].strip("-")
        return f"{model or 'model'}-{self.created_at:%Y%m%d}-{self._digest()[:_HASH_CHARACTERS]}"

    def _digest(self) -> str:
        """A hash of all that is stored: two runs may have begun at the same time, and a run may be scored again."""
        run = [self.tool, self.task, self.model, self.created_at.isoformat(), self.run_id]
        parts = (run, dict(self.version), self.content, self.aggregate.to_json(), *(row.to_dict() for row in self.rows))
        digest = hashlib.sha256()
        for part in parts:
            digest.update(f"{json_text(part)}\n".encode())
        return digest.hexdigest()

    def scores(self) -> JobScores:
        """The scores as gates compare them."""
        rows = row_scores_frame(self.rows)
        return JobScores(self.aggregate, rows, job=self.job, benchmark=self.benchmark, content=self.content)


def described(**values: Any) -> dict[str, str]:
    """What an evaluator says about a run, as short texts; None is left out."""
    texts = {name: value if isinstance(value, str) else json_text(value) for name, value in values.items()}
    return {name: shortened(text) for name, text in texts.items() if values[name] is not None}


def rows_of(found: Iterable[ResultRow]) -> list[RowScore]:
    """Number rows in their order.

    :raises IncompleteResults: there are none, or too many
    """
    rows: list[RowScore] = []
    for row in found:
        if len(rows) == MAX_ROWS:
            raise IncompleteResults(f"there are more than {MAX_ROWS:,} rows")
        scores = row.scores
        if row.error is not None:
            scores = {metric: dict.fromkeys(named) for metric, named in scores.items()}
        rows.append(
            RowScore(
                row_index=len(rows),
                item=row.item,
                sample={} if row.error is None else {"inference_error": row.error},
                metrics=scores,
                metric_errors=row.metric_errors,
            )
        )
    if not rows:
        raise IncompleteResults("there are no rows")
    return rows


def score_number(value: Any) -> Any:
    """A score's value as statistics take it: booleans as 1 and 0; a number that no float can hold as infinite."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    return value


def has_value(value: Any) -> bool:
    """True for what a score of all rows can be made of: not null, and not NaN."""
    return value is not None and not (isinstance(value, float) and math.isnan(value))


def utc_time(value: Any) -> datetime:
    """A time as ISO 8601 text, also with dashes in place of colons, or as seconds since 1970; without a zone it is UTC.

    :raises IncompleteResults: it is neither
    """
    try:
        if is_number(value):
            return datetime.fromtimestamp(value, UTC)
        found = datetime.fromisoformat(re.sub(r"T(\d\d)-(\d\d)-(\d\d)", r"T\1:\2:\3", value))
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise IncompleteResults(f"expected a time, found {brief(value)}") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
