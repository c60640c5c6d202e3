"""What the judges of all kinds of checks share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_benchmarks.gates._fields import Severity, describe_where
from airflow_provider_benchmarks.gates.row_values import groups, matching
from airflow_provider_benchmarks.gates.verdict import CheckResult, Outcome
from airflow_provider_benchmarks.scores import AggregateScore

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_benchmarks.gates.checks import Check
    from airflow_provider_benchmarks.gates.no_regression import NoRegression
    from airflow_provider_benchmarks.gates.threshold import Threshold

Judged = TypeVar("Judged")


def result_of(
    check: Check, outcome: Outcome, *, score: AggregateScore | None = None, reason: str = "", **figures: Any
) -> CheckResult:
    """A check's result; one that may only warn does no more than that.

    :param figures: further fields of the result
    """
    fields: dict[str, Any] = {"observed": None, "expected": check.expected, "count": None, "nan_count": None, **figures}
    # Without a figure there was nothing to hold against the bar.
    fields.setdefault("judged", fields["observed"] is not None)
    return CheckResult(
        check=check,
        metric=score.metric if score else check.metric,
        score=score.name if score else check.score,
        # An inconclusive one is settled by the gate.
        outcome=Outcome.WARN if outcome is Outcome.FAIL and check.severity == Severity.WARN else outcome,
        reason=reason,
        **fields,
    )


def slices(check: Threshold | NoRegression, rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows that a check asks for, in words and as a frame: those of ``where``, or of each group of ``by``.

    :raises ScoreNotFound: the items have no such field
    """
    chosen = matching(rows, check.where)
    place = describe_where(check.where)
    if check.by is None:
        yield place, chosen
        return
    for value, group in groups(chosen, check.by):
        yield ", ".join(part for part in (place, f"{check.by} = {value}") if part), group


def judge_groups(
    check: Threshold | NoRegression,
    rows: pd.DataFrame,
    judge: Callable[[str, pd.DataFrame], Judged],
    settled: Callable[[CheckResult], Judged],
    *,
    score: AggregateScore,
    together: Callable[[str, pd.DataFrame], Judged] | None = None,
) -> list[Judged]:
    """Judge each group of rows; one that is too small is reported only, unless there is no other.

    :param settled: makes of a result what ``judge`` gives
    :param together: judges the rows of all groups that are too small, as one, so that nobody's loss is overlooked
    """
    results: list[Judged] = []
    small: list[tuple[str, pd.DataFrame]] = []
    for place, group in slices(check, rows):
        if check.by is not None and len(group) < check.min_count:
            small.append((place, group))
        else:
            results.append(judge(place, group))
    if not results:
        reason = "no rows match" if not small else f"no group has the {check.min_count:g} rows that are needed"
        result = result_of(check, Outcome.FAIL, score=score, reason=reason, group=describe_where(check.where))
        results = [settled(result)]
    if together is not None and len(small) == 1:
        return [*results, together(*small.pop())]
    if together is not None and small:
        results.append(together(*_joined(check, small)))
    for place, group in small:
        reason = f"{len(group)} rows, {check.min_count:g} are needed: not judged"
        result = result_of(check, Outcome.WARN, score=score, reason=reason, group=place, count=len(group))
        results.append(settled(result))
    return results


def _joined(check: Threshold | NoRegression, groups: Sequence[tuple[str, pd.DataFrame]]) -> tuple[str, pd.DataFrame]:
    import pandas as pd

    where = describe_where(check.where)
    rows = pd.concat([group for _, group in groups])
    rows.attrs = groups[0][1].attrs
    return f"{where}{', ' if where else ''}{check.by}: {len(groups)} small groups together", rows


def lost_evidence(
    check: Threshold | NoRegression, *, without_value: int, not_numbers: int, call_failed: int, count: int
) -> str | None:
    """Why rows without a score forbid to judge the others; None where there are few enough."""
    answered = count + without_value + not_numbers
    rows = answered + call_failed
    if not_numbers:
        return f"{not_numbers} of {rows} values are not numbers"
    if rows and call_failed / rows > check.max_error_rate:
        return (
            f"the call of the model failed for {call_failed} of {rows} rows ({call_failed / rows:.1%}), at most "
            f"{check.max_error_rate:.1%} may fail"
        )
    if answered and without_value / answered > check.max_nan_fraction:
        return (
            f"{without_value} of {answered} rows have no value ({without_value / answered:.1%}), at most "
            f"{check.max_nan_fraction:.1%} may be missing"
        )
    return None


def json_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item as plain JSON values, without missing ones."""
    return {name: value for name, found in item.items() if (value := _plain(found)) is not None}


def _plain(value: Any) -> Any:
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a numpy number
        value = value.item()
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124
