"""The aggregate scores of rows, and what an evaluator's own ones are beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.aggregate import AggregateScore
from airflow_provider_benchmarks.scores.json_values import is_number
from airflow_provider_benchmarks.scores.rows import RowScore
from airflow_provider_benchmarks.scores.value_statistics import value_statistics

#: Means are compared up to rounding.
_TOLERANCE = 1e-6
#: Aggregations that leave the mean of the rows.
_MEANS = ("mean", "nanmean")


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
    metric: str, key: str, value: float, *, of_rows: AggregateScore | None, has_values: bool, how: Any, where: str
) -> AggregateScore | None:
    """A score that the evaluator has computed of all rows together, such as BLEU; None for the mean of the rows.

    :param key: the evaluator's name of the score, which no column of the rows has
    :param of_rows: the same score, computed from the rows; None where they have none
    :param has_values: some row has a value, which need not be a number: for BLEU it is the texts
    :param how: the evaluator's word for how the score is made of the rows; None where it has none
    :raises IncompleteResults: it is the mean of the rows by that word, and another one; or nothing in the rows is what
        it could have been made of
    """
    mean = None if of_rows is None else of_rows.mean
    if mean is not None and is_same(mean, value):
        return None
    if mean is not None and (how is None or how in _MEANS):
        raise IncompleteResults(other_mean(where, key, mean, value))
    if not has_values or how in _MEANS:
        raise IncompleteResults(
            f"{where}: no row has a value of {shortened(key)}, but the results have {value:g}: the file is damaged, or "
            f"of another run"
        )
    name = key if of_rows is None else f"{key} of all"
    return AggregateScore(metric=metric, name=name, score_type="range", count=1, nan_count=0, mean=float(value))


def is_same(mean: float, other: float) -> bool:
    """Whether two means are the same but for rounding."""
    return math.isclose(mean, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def other_mean(where: str, what: str, mean: float, other: float) -> str:
    """The message that a mean of rows is not the evaluator's own."""
    return (
        f"{where}: the mean of {shortened(what)} is {mean:g}, but {other:g} in the results: the file is damaged, or of "
        f"another run"
    )
