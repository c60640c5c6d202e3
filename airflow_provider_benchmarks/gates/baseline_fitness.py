"""Whether a job can serve as a baseline, and what it can't serve for."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.gates.known_columns import with_known_columns
from airflow_provider_benchmarks.gates.observed_statistics import why_missing
from airflow_provider_benchmarks.gates.reported_rows import unseen_problem, with_nan_count
from airflow_provider_benchmarks.gates.row_values import RowCounts, RowValues, score_column
from airflow_provider_benchmarks.scores import AggregateScore, JobScores
from airflow_provider_benchmarks.scores.json_values import is_number

#: Number of rows that a comparison needs by default.
_ENOUGH_ROWS = 10


def why_unfit(scores: JobScores) -> str | None:
    """Why no check could compare with a job; None where it can be a baseline.

    :param scores: with the rows of all scores, where the job has rows
    """
    reported = scores.reported_rows
    if reported is not None and reported.is_failure:
        words = f': "{shortened(reported.message)}"' if reported.message else ""
        return f"the service reports that the evaluation has failed{words}"
    if not scores.aggregate.scores:
        return "it has no scores"
    scores = with_known_columns(scores)
    if not any(_has_value(score, _row_counts(scores, score)) for score in scores.aggregate.scores):
        return "none of its scores has a value"
    if scores.rows is not None and len(scores.rows) < (expected := _expected_rows(scores)):
        return f"it has {len(scores.rows):,} of its {expected:,} rows"
    return None


def shortcomings(scores: JobScores) -> list[str]:
    """What a job can't serve for as a baseline, a sentence each; empty where it has all that checks may need.

    :param scores: with the rows of all scores, where the job has rows
    """
    scores = with_known_columns(scores)
    found = []
    if scores.rows_unread:
        found.append(
            "its rows can't be read without airflow-provider-benchmarks[parquet]: which of them have no value is not "
            "known, and comparisons are not paired by row"
        )
    elif scores.rows is None:
        found.append("it has no row scores: comparisons are not paired by row, and show large drops only")
    for score in scores.aggregate.scores:
        found += [f"{score.name} of {score.metric}: {problem}" for problem in _problems(scores, score)]
    return [shortened(problem, 500) for problem in found]


def _problems(scores: JobScores, score: AggregateScore) -> Iterator[str]:
    """What is missing in one score."""
    counts = _row_counts(scores, score)
    if not _has_value(score, counts):
        yield "it has no value, so no check of it can compare"
        return
    if not is_number(score.mean):
        yield why_missing("mean", score)
    if _is_of_whole_job(scores, score):
        yield "it is one number for the whole job, of which a comparison can't know the spread"
        return
    if scores.rows is not None and counts is None:
        yield "the row scores have no column of it: comparisons are not paired by row"
    yield from _without_value(scores, score, counts)
    scored = counts.scored if counts is not None else score.count
    if scored is None:
        yield "the service does not say how many rows were scored"
    elif scored < _ENOUGH_ROWS:
        yield f"{scored} rows have a number, and comparisons need {_ENOUGH_ROWS} unless min_count= says otherwise"


def _without_value(scores: JobScores, score: AggregateScore, counts: RowCounts | None) -> Iterator[str]:
    """The rows without a number, by reason."""
    if counts is None:
        score = with_nan_count(score, None, scores)
        if score.nan_count is None:
            yield "the service does not say how many rows have no value"
        elif score.nan_count:
            yield f"{score.nan_count:,} of {score.rows:,} rows have no value"
    else:
        rows = counts.scored + counts.without_value + counts.not_numbers + counts.call_failed
        if counts.without_value:
            yield f"{counts.without_value:,} of {rows:,} rows have no value"
        if counts.call_failed:
            yield f"the call of the model failed for {counts.call_failed:,} of {rows:,} rows"
        if counts.not_numbers:
            yield f"{counts.not_numbers:,} of {rows:,} values are not numbers"
    if unseen := unseen_problem(scores, score, max_error_rate=0.0):
        yield unseen


def _row_counts(scores: JobScores, score: AggregateScore) -> RowCounts | None:
    """The number of rows with a value and without; None where there are no rows, or these have no such score."""
    if scores.rows is None:
        return None
    try:
        return RowValues.of(scores.rows, score_column(scores.rows, score)).counts
    except ScoreNotFound:
        return None


def _has_value(score: AggregateScore, counts: RowCounts | None) -> bool:
    if counts is not None:
        return bool(counts.scored or counts.not_numbers)
    return is_number(score.mean) if score.count is None else score.count > 0


def _is_of_whole_job(scores: JobScores, score: AggregateScore) -> bool:
    """True for one number for the whole job, which counts 1 whatever the number of rows."""
    return score.score_type == "scalar" or (score.count == 1 and _expected_rows(scores) > 1)


def _expected_rows(scores: JobScores) -> int:
    """Number of rows that the job must have: as the service reports, or as the scores count at least."""
    reported = scores.reported_rows
    if reported is not None and reported.total is not None:
        return reported.total
    return scores.aggregate.expected_rows or scores.aggregate.least_rows
