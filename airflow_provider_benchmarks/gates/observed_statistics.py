"""The value of a statistic of a score, and what to say of one that is missing: why, and what there is in its place."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.brief import brief, brief_names, did_you_mean, shortened
from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.gates.repeats import is_over_repeats
from airflow_provider_benchmarks.gates.row_values import score_column
from airflow_provider_benchmarks.scores import AggregateScore
from airflow_provider_benchmarks.scores.json_values import LABEL, is_number

if TYPE_CHECKING:
    import pandas as pd

#: Statistics that the service computes for every score, and the share of rows without a value.
STATISTICS = ("mean", "std_dev", "variance", "min", "max", "sum", "count", "nan_count", "nan_fraction")
#: Percentiles: those of the service, and any other from rows.
PERCENTILE = re.compile("p([1-9][0-9]?|100)")
#: The share of a rubric's category, by its label: ``share:good``.
SHARE = "share:"


def observed(statistic: str, score: AggregateScore) -> float | None:
    """The value of a statistic; None where the score has none."""
    if statistic == "nan_fraction":
        if score.rows is None or score.nan_count is None:
            return None
        return score.nan_count / score.rows if score.rows else 0.0
    if statistic.startswith(SHARE):
        return _share(score, statistic.removeprefix(SHARE))
    if PERCENTILE.fullmatch(statistic):
        return score.percentiles.get(statistic)
    if is_over_repeats(statistic):
        return score.mean  # of the items, each of which has this statistic of its repeats
    value: float | None = getattr(score, statistic)
    return None if value is None else float(value)


def why_missing(statistic: str, score: AggregateScore) -> str:
    """Why a statistic has no value that is a number, in a sentence that says what the score has."""
    if statistic.startswith(SHARE):
        return _why_no_share(score, statistic.removeprefix(SHARE))
    found, problem = observed(statistic, score), f"the {statistic} of {score.name} is not a number"
    if found is not None:  # NaN, or infinite
        return f"{problem} ({found})"
    is_percentile = PERCENTILE.fullmatch(statistic) is not None
    name = f"percentiles.{statistic}" if is_percentile else statistic
    unread = score.unread.get(name) or (score.unread.get("percentiles") if is_percentile else None)
    if unread is not None:
        return f"{problem}: {unread}"
    known = [each for each in STATISTICS if is_number(observed(each, score))]
    known += [each for each, value in score.percentiles.items() if is_number(value)]
    return f"{problem}: the score has none; it has: {brief_names(known) or 'no statistics'}"


def category_counts(score: AggregateScore) -> dict[str, int] | None:
    """The number of rows in each category of a rubric, by its label; None where one is not a whole number.

    A label that the service lists more than once has the sum of its counts.
    """
    counts: dict[str, int] = {}
    for category in score.rubric_distribution:
        label, count = category.get("label"), category.get("count")
        if label is None:
            continue
        if count is None:
            count = 0
        if not is_number(count) or count < 0 or count != int(count):
            return None
        counts[str(label)] = counts.get(str(label), 0) + int(count)
    return counts


def with_labels_of(score: AggregateScore, rows: pd.DataFrame) -> AggregateScore:
    """The score with the categories of all rows, so that one that a group of them lacks is known to be empty there."""
    labels = _labels(score, rows)
    if labels is None:
        return score
    known = {str(category.get("label")) for category in score.rubric_distribution}
    further = [{"label": label, "count": 0} for label in map(str, labels.unique()) if label not in known]
    return replace(score, rubric_distribution=(*score.rubric_distribution, *further)) if further else score


def categories_of_rows(score: AggregateScore, rows: pd.DataFrame) -> tuple[dict[str, object], ...]:
    """Number of some rows in each of a rubric's categories; 0 in a category that only other rows are in."""
    labels = _labels(score, rows)
    if labels is None:
        return ()
    names = [category.get("label") for category in score.rubric_distribution]
    counts = dict.fromkeys([str(label) for label in names if label is not None], 0)
    for label, count in labels.value_counts().items():
        counts[str(label)] = counts.get(str(label), 0) + int(count)
    return tuple({"label": label, "count": count} for label, count in counts.items())


def _labels(score: AggregateScore, rows: pd.DataFrame) -> pd.Series[str] | None:
    """The labels of the rows that have one; None where no row can have one."""
    try:
        labels = rows[score_column(rows, replace(score, name=f"{score.name}{LABEL}"))]
    except ScoreNotFound:
        return None
    labels = labels[labels.notna()].map(str)
    return labels[labels != ""]


def _share(score: AggregateScore, label: str) -> float | None:
    counts = category_counts(score)
    if not counts or label not in counts:
        return None
    total = sum(counts.values())
    return counts[label] / total if total else None


def _why_no_share(score: AggregateScore, label: str) -> str:
    counts = category_counts(score)
    if counts is None:
        odd = brief([category.get("count") for category in score.rubric_distribution])
        return f"the numbers of rows in the categories of {score.name} are not all whole numbers: {odd}"
    if not counts:
        return f"{score.name} has no categories, so there is no share of {shortened(label)}"
    if label not in counts:
        has = f"{brief_names(counts)}{did_you_mean(label, counts)}"
        return f"{score.name} has no category {shortened(label)}; it has: {has}"
    return f"no row has a category of {score.name}, so there is no share of {shortened(label)}"
