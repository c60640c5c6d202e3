"""The mean of a baseline's scores, item by item, over several runs of the same model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.gates.benchmark_versions import differences_in_content
from airflow_provider_benchmarks.gates.pairing import NotPairable, pair_rows
from airflow_provider_benchmarks.gates.row_values import RowValues, score_column
from airflow_provider_benchmarks.scores import AggregateScore, JobScores
from airflow_provider_benchmarks.scores.json_values import is_number

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRun:
    """A further run of a baseline's model.

    :param scores: with its rows
    :param baseline_rows: rows of the baseline whose items compare with those of this run; None for its own
    """

    scores: JobScores
    baseline_rows: pd.DataFrame | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AveragedBaseline:
    """A baseline whose scores are means over runs.

    :param scores: the baseline's, with these means in its rows
    :param runs: number of runs that the means of a score are over, by its metric and name
    """

    scores: JobScores
    runs: Mapping[tuple[str, str], int]


def average_runs(
    baseline: JobScores, others: Iterable[OtherRun], *, runs: int, keys: Sequence[str] = ()
) -> AveragedBaseline:
    """Average the scores of each of the baseline's items over the runs that have a value of it.

    One run after the other is held in memory. A run that has no rows, or measured another version of the benchmark, or
    whose rows can't be paired, is left out.

    :param others: further runs
    :param runs: the most runs to take, the baseline's own among them
    :param keys: fields of the items to pair by; empty to pair by row index
    """
    if baseline.rows is None:
        return AveragedBaseline(scores=baseline, runs={})
    means = [_Mean.of(baseline, score) for score in baseline.aggregate.scores]
    known = [mean for mean in means if mean is not None]
    for other in islice(others, runs - 1):
        rows = baseline.rows if other.baseline_rows is None else other.baseline_rows
        if other.scores.rows is None or not _is_of_same_work(other.scores, baseline):
            continue
        try:
            pairs = pair_rows(rows, other.scores.rows, keys)
        except (NotPairable, ScoreNotFound):
            continue
        places = rows.index.get_indexer(pairs.candidate.index)
        for mean in known:
            mean.add(other.scores, pairs.baseline, places, baseline)
    return AveragedBaseline(
        scores=_with_means(baseline, known),
        runs={(mean.score.metric, mean.score.name): mean.runs for mean in known},
    )


def _is_of_same_work(run: JobScores, baseline: JobScores) -> bool:
    """False where benchmark or dataset are known to be others."""
    works = [(getattr(run, what), getattr(baseline, what)) for what in ("benchmark", "dataset")]
    return all(not mine or not theirs or mine == theirs for mine, theirs in works)


@dataclass(slots=True, kw_only=True)
class _Mean:
    """The mean of one score, row by row.

    :param score: the baseline's aggregate score, with the ends of all runs
    :param sums: of the values of each row
    :param counts: number of values of each row
    """

    score: AggregateScore
    column: str
    sums: NDArray[np.float64]
    counts: NDArray[np.intp]
    runs: int = 1

    @classmethod
    def of(cls, baseline: JobScores, score: AggregateScore) -> _Mean | None:
        """Begin with the baseline's own run; None where it has no numbers of the score in its rows."""
        import numpy as np

        assert baseline.rows is not None
        try:
            column = score_column(baseline.rows, score)
        except ScoreNotFound:
            return None
        found = RowValues.of(baseline.rows, column)
        if found.counts.not_numbers:
            return None
        finite = np.isfinite(found.numbers)
        return cls(score=score, column=column, sums=np.where(finite, found.numbers, 0.0), counts=finite.astype(np.intp))

    def add(self, run: JobScores, rows: pd.DataFrame, places: NDArray[np.intp], baseline: JobScores) -> None:
        """Add a run, where it has this score, measured in the same way.

        :param rows: those of its rows that are of the baseline's items
        :param places: of their items among the baseline's rows
        """
        import numpy as np

        try:
            score = run.aggregate.get(self.score.metric, self.score.name)
            found = RowValues.of(rows, score_column(rows, score))
        except ScoreNotFound:
            return
        if found.counts.not_numbers or differences_in_content(run, baseline, self.score.metric):
            return
        finite = np.isfinite(found.numbers)
        self.sums[places[finite]] += found.numbers[finite]
        self.counts[places[finite]] += 1
        self.runs += 1
        self.score = replace(
            self.score,
            min=_end(min, self.score.min, score.min),
            max=_end(max, self.score.max, score.max),
        )

    @property
    def values(self) -> NDArray[np.float64]:
        """The means; NaN where no run has a value."""
        import numpy as np

        return np.where(self.counts > 0, self.sums / np.maximum(self.counts, 1), np.nan)


def _end(of: Any, first: float | None, second: float | None) -> float | None:
    """The least or the largest of two ends, as far as they are known."""
    known = [end for end in (first, second) if is_number(end)]
    return of(known) if known else None


def _with_means(baseline: JobScores, means: Sequence[_Mean]) -> JobScores:
    assert baseline.rows is not None
    changed = [mean for mean in means if mean.runs > 1]
    rows = baseline.rows.copy(deep=False)
    for mean in changed:
        rows[mean.column] = mean.values
    rows.attrs = baseline.rows.attrs
    by_name = {(mean.score.metric, mean.score.name): mean.score for mean in changed}
    scores = tuple(by_name.get((score.metric, score.name), score) for score in baseline.aggregate.scores)
    return replace(baseline, aggregate=replace(baseline.aggregate, scores=scores), rows=rows)
