"""The confidence interval of a threshold's statistic."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.gates.extreme_numbers import too_large, too_small
from airflow_provider_benchmarks.gates.observed_statistics import category_counts
from airflow_provider_benchmarks.gates.repeats import ItemValues
from airflow_provider_benchmarks.gates.row_values import RowValues, field_column, score_column
from airflow_provider_benchmarks.gates.score_summary import is_binary, known_range, moments_of, outside_range
from airflow_provider_benchmarks.scores import AggregateScore
from airflow_provider_benchmarks.scores.equality import canonical_column

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from airflow_provider_benchmarks.gates.threshold import Threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdScores:
    """The scores that a threshold judges.

    :param score: their statistics
    :param found: their values in the rows; None where only the statistics are known
    :param rows: those rows
    """

    check: Threshold
    score: AggregateScore
    found: RowValues | None = None
    rows: pd.DataFrame | None = None

    @property
    def problem(self) -> str | None:
        """Why the scores can't be judged: some are out of range, or there is no interval; None where they can."""
        check, score = self.check, self.score
        ends = [end for end in (score.min, score.max) if end is not None]
        if problem := outside_range(check.score_range, *ends):
            return problem
        if check.confidence is None or check.statistic != "mean" or self._is_binary:
            return None
        if problem := too_large(score.name, *ends, score.mean, score.std_dev) or too_small(
            score.name, *ends, score.mean
        ):
            return problem
        if self.found is None and moments_of(score) is None:
            return f"the service gives no std_dev of {score.name}, without which its mean has no confidence bound"
        return None

    def interval(self, observed: float, *, one_sided: bool) -> tuple[float, float]:
        """The interval of the statistic.

        :param observed: the statistic
        :param one_sided: each end is a bound at the check's confidence by itself, rather than both together
        """
        from airflow_provider_benchmarks.gates import statistics

        check = self.check
        assert check.confidence is not None
        level: Any = {"confidence": check.confidence, "one_sided": one_sided}
        if check.percent is not None and self.found is not None:
            return self._of_percentile(level)
        if check.category is not None:
            if (answers := self._answers_in_category()) is not None:
                return statistics.share_interval(*answers, **level)
            total = sum((category_counts(self.score) or {}).values())
            return statistics.exact_interval(round(observed * total), total, **level)
        if self.found is not None and self.found.count:
            values, clusters = self.found.values, self._clusters()
            if self._is_binary:
                return statistics.share_interval(values, clusters, **level)
            return statistics.mean_interval(values, clusters=clusters, score_range=self._known_range, **level)
        count = self.score.count or 0
        if self._is_binary:
            return statistics.exact_interval(round(observed * count), count, **level)
        moments = moments_of(self.score)
        assert moments is not None  # or there would have been a problem
        return statistics.mean_interval(moments, score_range=self._known_range, **level)

    def no_bound(self, *, is_upper: bool) -> str:
        """Why a bound is infinite, and how many rows give one."""
        from airflow_provider_benchmarks.gates.statistics import rows_needed_for_percentile

        check = self.check
        count, level = self.score.count or 0, f"{(check.confidence or 0) * 100:g} %"
        side = "upper" if is_upper else "lower"
        rows = "1 row gives" if count == 1 else f"{count} rows give"
        text = f"{rows} no {side} bound for the {check.statistic} at {level}"
        if check.cluster_by is not None:
            return f"{text} in so few clusters"
        if check.percent is None:
            return text
        if check.percent == 100:
            return f"{text}: the largest of all has none"
        needed = rows_needed_for_percentile(check.percent, confidence=check.confidence or 0, is_upper=is_upper)
        return f"{text}; {needed} are needed"

    def _of_percentile(self, level: dict[str, Any]) -> tuple[float, float]:
        from airflow_provider_benchmarks.gates import statistics

        assert self.found is not None
        assert self.check.percent is not None
        if self.check.percent == 100:
            return -math.inf, math.inf
        clusters = self._clusters()
        if clusters is None:
            return statistics.percentile_interval(self.found.values, self.check.percent, **level)
        return statistics.clustered_percentile_interval(self.found.values, self.check.percent, clusters, **level)

    @property
    def _is_binary(self) -> bool:
        return is_binary(self.score, self.found)

    @property
    def _known_range(self) -> tuple[float, float] | None:
        if isinstance(self.found, ItemValues) and self.found.is_of_binary:
            return (0.0, 1.0)  # so are means of 0/1 scores
        return known_range(self.score, self.check.score_range)

    def _clusters(self) -> NDArray[Any] | None:
        """The cluster of each value; rows without the field are one cluster."""
        if self.check.cluster_by is None or self.rows is None or self.found is None:
            return None
        return canonical_column(field_column(self.rows, self.check.cluster_by))[self.found.is_scored]

    def _answers_in_category(self) -> tuple[NDArray[Any], NDArray[Any] | None] | None:
        """For each labelled row 1 where it is in the category, and its cluster; None where the rows have no labels."""
        if self.rows is None:
            return None
        try:
            labels = self.rows[score_column(self.rows, replace(self.score, name=f"{self.score.name}.label"))]
        except ScoreNotFound:
            return None
        is_labelled = (labels.notna() & (labels != "")).to_numpy()
        answers = (labels == self.check.category).to_numpy()[is_labelled].astype(float)
        if self.check.cluster_by is None:
            return answers, None
        return answers, canonical_column(field_column(self.rows, self.check.cluster_by))[is_labelled]
