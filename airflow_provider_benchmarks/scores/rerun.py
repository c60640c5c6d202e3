"""Tell a job that was run again under its name by its scores."""

from __future__ import annotations

import math

from airflow_provider_benchmarks.brief import brief_names, shortened
from airflow_provider_benchmarks.scores.aggregate import STATISTICS, AggregateScore, AggregateScores
from airflow_provider_benchmarks.scores.json_values import is_number

#: Relative difference below which two statistics of the same rows, computed in another order, are equal.
_ROUNDING = 1e-9


def scores_differ(scores: AggregateScores, earlier: AggregateScores) -> str:
    """What differs from the scores that the same job had earlier, in words; empty for nothing.

    Names of metrics are not compared, nor statistics that only one side has: both depend on who has read them.
    """
    mine, theirs = _in_groups(scores), _in_groups(earlier)
    names, before = ([score.name for score in each] for each in (mine, theirs))
    if names != before:
        return f"they are {brief_names(names) or 'none'} and were {brief_names(before) or 'none'}"
    return next(filter(None, map(_difference, mine, theirs)), "")


def _in_groups(scores: AggregateScores) -> list[AggregateScore]:
    """The scores of each metric together, as they are stored."""
    order = {metric: place for place, metric in enumerate(dict.fromkeys(score.metric for score in scores.scores))}
    return sorted(scores.scores, key=lambda score: order[score.metric])


def _difference(score: AggregateScore, earlier: AggregateScore) -> str:
    for key in ("count", "nan_count", *STATISTICS):
        mine, theirs = getattr(score, key), getattr(earlier, key)
        # Rows without any value have the mean NaN, which a file may have as null.
        if is_number(mine) and is_number(theirs) and not math.isclose(mine, theirs, rel_tol=_ROUNDING):
            return f"{key} of {shortened(score.name)} is {mine:g} and was {theirs:g}"
    return ""
