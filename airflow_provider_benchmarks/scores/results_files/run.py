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
from airflow_provider_benchmarks.scores.aggregate import AggregateScore, AggregateScores
from airflow_provider_benchmarks.scores.frames import row_scores_frame
from airflow_provider_benchmarks.scores.job import JobScores
from airflow_provider_benchmarks.scores.json_values import is_number, json_text
from airflow_provider_benchmarks.scores.results_files.files import MAX_ROWS
from airflow_provider_benchmarks.scores.rows import RowScore
from airflow_provider_benchmarks.scores.value_statistics import value_statistics

#: A job's name is part of file names, and shown in tables. The service's have up to 51 characters.
_NAME_CHARACTERS = 28
_HASH_CHARACTERS = 8
#: Means are compared up to rounding.
_TOLERANCE = 1e-6


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
    """

    tool: str
    task: str
    model: str
    created_at: datetime
    rows: Sequence[RowScore]
    aggregate: AggregateScores
    version: Mapping[str, str] = field(default_factory=dict)

    @property
    def benchmark(self) -> str:
        """The benchmark's reference, ``tool/task``; a slash within the task's name is written as a colon."""
        task = self.task.replace("/", ":").encode(errors="backslashreplace").decode()
        return f"{self.tool}/{task}"

    @property
    def job(self) -> str:
        """A name for the run: the same whenever the same results are read, and another for other results."""
        model = re.sub(r"[^a-z0-9]+", "-", self.model.lower()).strip("-")[:_NAME_CHARACTERS].strip("-")
        identity = json_text([self.tool, self.task, self.model, self.created_at.isoformat()])
        digest = hashlib.sha256(identity.encode()).hexdigest()[:_HASH_CHARACTERS]
        return f"{model or 'model'}-{self.created_at:%Y%m%d}-{digest}"

    def scores(self) -> JobScores:
        """The scores as gates compare them."""
        return JobScores(self.aggregate, row_scores_frame(self.rows), job=self.job, benchmark=self.benchmark)


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


def aggregate_rows(rows: Sequence[RowScore]) -> tuple[AggregateScore, ...]:
    """The aggregate scores of some rows, in the order in which the rows have them.

    A row without a value, because the model did not answer, a metric failed or the value is no number, counts as NaN.

    :raises IncompleteResults: a score has no name
    """
    import numpy as np

    keys = dict.fromkeys((metric, name) for row in rows for metric, named in row.metrics.items() for name in named)
    found = []
    for metric, name in keys:
        if not metric or not name:
            raise IncompleteResults(f"expected a name of a metric and of its score, found {brief((metric, name))}")
        values = [row.metrics.get(metric, {}).get(name) for row in rows]
        numbers = np.array([value for value in values if is_number(value)], dtype=float)
        found.append(
            AggregateScore(
                metric=metric,
                name=name,
                score_type="range",
                nan_count=len(values) - numbers.size,
                **value_statistics(numbers),
            )
        )
    return tuple(found)


def corpus_score(
    metric: str, key: str, value: float, *, of_rows: AggregateScore | None, is_mean: bool, where: str
) -> AggregateScore | None:
    """A score that the evaluator has computed of all rows together, such as BLEU; None for the mean of the rows.

    :param key: the evaluator's name of the score, which no column of the rows has
    :param of_rows: the same score, computed from the rows; None where they have none
    :param is_mean: the evaluator says that the score is the mean of the rows
    :raises IncompleteResults: it should be that, and is not
    """
    mean = None if of_rows is None else of_rows.mean
    if mean is not None and math.isclose(mean, value, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE):
        return None
    if mean is not None and is_mean:
        raise IncompleteResults(
            f"{where}: the mean of {shortened(key)} is {mean:g}, but {value:g} in the results: the file is damaged, or "
            f"of another run"
        )
    name = key if mean is None else f"{key} of all"
    return AggregateScore(metric=metric, name=name, score_type="range", count=1, nan_count=0, mean=float(value))


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
