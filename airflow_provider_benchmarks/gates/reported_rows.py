"""What the service reports about the rows of a job as a whole, as evidence against its scores.

Newer services count the rows that were evaluated, that have a usable value of at least one metric, and that reported an
error of the model or of a metric. A score can't show rows that it never got: what the report has beyond the score
counts as missing. The report never helps a score.
"""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.gates.row_values import RowValues
from airflow_provider_benchmarks.jobs import RowCounts
from airflow_provider_benchmarks.scores import AggregateScore, AggregateScores, JobScores

#: A score type that is one number for the whole job.
_SCALAR = "scalar"


def with_nan_count(score: AggregateScore, found: RowValues | None, scores: JobScores) -> AggregateScore:
    """Complete a score that does not say how many rows have no value: by the rows, or by the number of rows reported.

    :param found: its values in the rows; None where they were not read
    :return: the same score where nothing is known of it: then its number is None still, which is not 0
    """
    if score.nan_count is not None or score.count is None:
        return score
    if found is not None:
        return replace(score, nan_count=found.rows - found.counts.scored)
    reported = scores.reported_rows
    if reported is None or reported.total is None or reported.total < score.count:
        return score
    return replace(score, nan_count=reported.total - score.count)


def unseen_problem(scores: JobScores, score: AggregateScore, *, max_error_rate: float) -> str | None:
    """Why the rows that a score does not show are too many for it to be evidence; None where they are not.

    :param max_error_rate: largest accepted share of rows without a score because of an error
    """
    reported = scores.reported_rows
    if reported is None:
        return None
    if reported.is_failure:
        words = f': "{shortened(reported.message)}"' if reported.message else ""
        return f"the service reports that the evaluation has failed{words}"
    shown = None if score.count is None else score.count + (score.nan_count or 0)
    if _is_of_all_rows(score, reported):
        shown, total = None, reported.total or 0
        missing = max(reported.errored or 0, total - _scored(reported, total))
    else:
        total = reported.total if reported.total is not None else shown or 0
        missing = max(
            total - (shown or 0),
            total - _scored(reported, total) - (score.nan_count or 0),
            (reported.errored or 0) - _without_value(scores.aggregate, total),
        )
    rows = max(total, shown or 0, missing)
    if missing <= 0 or missing / rows <= max_error_rate:
        return None
    counts = (("scored", reported.scored), ("with errors", reported.errored))
    said = ", ".join(f"{number} {what}" for what, number in counts if number is not None) or "none scored"
    return (
        f"the service reports {total} rows, {said}: {missing} of {rows} rows ({missing / rows:.1%}) are not in the "
        f"score, at most {max_error_rate:.1%} may be missing for an error"
    )


def _is_of_all_rows(score: AggregateScore, reported: RowCounts) -> bool:
    """True for one number for the whole job, which counts 1 whatever the number of rows."""
    return score.score_type == _SCALAR or (score.rows == 1 and (reported.total or 0) > 1)


def _scored(reported: RowCounts, total: int) -> int:
    """The most rows that can have a value of any metric."""
    return total if reported.scored is None else reported.scored


def _without_value(aggregate: AggregateScores, total: int) -> int:
    """The most rows that can have reported an error and show it, as they have no value of some metric.

    A score that counts nothing shows none.
    """
    by_metric: dict[str, int] = {}
    for score in aggregate.scores:
        missing = score.nan_count
        if missing is None and score.count is not None:
            missing = max(total - score.count, 0)
        if missing is not None and score.score_type != _SCALAR:
            by_metric[score.metric] = max(missing, by_metric.get(score.metric, 0))
    return sum(by_metric.values())
