"""What no score can miss: a bar or a margin in another unit than the score's, such as 2 in place of 0.02.

A check that nothing can miss must not pass. Where the range of the scores is certain it fails; where the scores seen
only look as if they had one, the result says so: seconds that are all 0 or 1 today may be 60 tomorrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.gates.observed_statistics import PERCENTILE, SHARE
from airflow_provider_benchmarks.gates.repeats import is_over_repeats
from airflow_provider_benchmarks.gates.score_summary import known_range, outside_range
from airflow_provider_benchmarks.gates.wording import exact_number
from airflow_provider_benchmarks.scores import AggregateScore
from airflow_provider_benchmarks.scores.json_values import is_number

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates.regression import NoRegression
    from airflow_provider_benchmarks.gates.threshold import Threshold

#: Statistics that are within the range of the scores, besides percentiles.
_WITHIN = ("mean", "min", "max")
_SHARES = (0.0, 1.0)


def unmissable_bar(check: Threshold, score: AggregateScore) -> str | None:
    """Why nothing can miss a bar, as it is outside of the range of the scores; None where something can.

    A bar at the end of the range says that any score will do, and is none that is meant otherwise.
    """
    known = _range_of_statistic(check, score)
    if known is None or not _clears(check, *known, is_strict=True):
        return None
    bar, name = (check.at_most, "at_most") if check.at_most is not None else (check.at_least, "at_least")
    meant = _meant(name, bar or 0.0, known)
    return f"can never miss: {check.statistic} of {score.name} is {_span(known)}, expected {check.expected}{meant}"


def bar_remark(check: Threshold, score: AggregateScore, *, is_binary: bool) -> str | None:
    """That no score such as those seen can miss a bar; None where one can."""
    known = _range_of_statistic(check, score)
    if known is not None:
        return f"nothing {_span(known)} can miss that" if _clears(check, *known) else None
    if is_binary and _is_within_scores(check.statistic) and _clears(check, *_SHARES):
        return "all scores are 0 or 1, and none such can miss that"
    return None


def _clears(check: Threshold, low: float, high: float, *, is_strict: bool = False) -> bool:
    """True if a whole range is within the bars; strictly, if it touches none."""
    if not check.holds(low, high):
        return False
    return not (is_strict and (low == check.at_least or high == check.at_most))


def _range_of_statistic(check: Threshold, score: AggregateScore) -> tuple[float, float] | None:
    """The range that a statistic is in for certain; None where there is none, or it is not known."""
    if check.statistic.startswith(SHARE) or check.statistic == "nan_fraction" or is_over_repeats(check.statistic):
        return _SHARES
    return _known_range(score, check.score_range) if _is_within_scores(check.statistic) else None


def _is_within_scores(statistic: str) -> bool:
    return statistic in _WITHIN or PERCENTILE.fullmatch(statistic) is not None


def certain_range(check: NoRegression, score: AggregateScore, *, is_share: bool) -> tuple[float, float] | None:
    """The range that what is compared is in for certain; None where that is not known.

    Lower ones are better of counts and times, too: scores of 0 and 1 may be few of these.

    :param is_share: all scores of both jobs are 0 or 1
    """
    if is_over_repeats(check.statistic):
        return _SHARES
    return _known_range(score, check.score_range) or (_SHARES if is_share and check.higher_is_better else None)


def unmissable_margin(check: NoRegression, score: AggregateScore, *, is_share: bool) -> str | None:
    """Why no score can miss a margin; None where one can."""
    known = certain_range(check, score, is_share=is_share)
    if check.relative or known is None or check.margin < known[1] - known[0]:
        return None
    worse = "drop" if check.higher_is_better else "rise"
    is_inferred = _known_range(score, check.score_range) is None and not is_over_repeats(check.statistic)
    inferred = "; where it may be more, say so with score_range=" if is_inferred else ""
    return (
        f"can never miss: {score.name} is {_span(known)}, and a {worse} of {exact_number(check.margin)} is allowed"
        f"{_meant('margin', check.margin, known)}{inferred}"
    )


def margin_remark(
    check: NoRegression, score: AggregateScore, *, is_share: bool, seen: tuple[float, ...], mean: float
) -> str | None:
    """That no score such as those seen can miss a margin; None where one can.

    :param is_share: all scores of both jobs are 0 or 1
    :param seen: the smallest and the largest score, of each side
    :param mean: of the baseline
    """
    allowed = check.margin * abs(mean) if check.relative else check.margin
    known = certain_range(check, score, is_share=is_share)
    if known is not None:
        worst = known[0] if check.higher_is_better else known[1]
        return f"even a mean of {worst:g} could not miss that" if abs(mean - worst) <= allowed else None
    if check.relative or allowed < 1 or not seen or min(seen) < 0 or max(seen) > 1:
        return None
    low, high = min(seen), max(seen)
    scores = "0 or 1" if is_share else f"from {low:.4g} to {high:.4g}"
    return f"all scores are {scores}, and none such can miss that{_meant('margin', check.margin, _SHARES)}"


def _known_range(score: AggregateScore, given: Sequence[float] | None) -> tuple[float, float] | None:
    """The range that a score is in; None where it is not known, or the scores seen are not all in it."""
    known = known_range(score, given)
    seen = [end for end in (score.min, score.max) if is_number(end)]
    return None if known is None or outside_range(known, *seen) else known


def _span(known: tuple[float, float]) -> str:
    return f"from {exact_number(known[0])} to {exact_number(known[1])}"


def _meant(name: str, value: float, known: tuple[float, float]) -> str:
    return meant_share(name, value) if known == _SHARES else ""


def meant_share(name: str, value: float) -> str:
    """What was meant where a share is given in per cent."""
    share = value / 100
    return f"; did you mean {name} {exact_number(share)}?" if 0 < share < 1 else ""
