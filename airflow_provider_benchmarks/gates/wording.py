"""The words of results: bars, conditions, and what a comparison found."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.gates.field_rules import RANGE_ENDS
from airflow_provider_benchmarks.scores.json_values import is_number

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates.comparison import Comparison


def exact_number(value: float) -> str:
    """A number in few digits, but never as another number: 0.69999996 is not 0.7."""
    short = f"{value:g}"
    return short if float(short) == value else str(value)


def bound_text(bound: float, *bars: float | None, is_upper: bool) -> str:
    """A bound of a value, ``0.7802 or more``, in the digits that tell it from the bars."""
    if not math.isfinite(bound):
        return "no upper bound" if is_upper else "no lower bound"
    return f"{apart_from(bound, bars, digits=4)} or {'less' if is_upper else 'more'}"


def apart_from(value: float, others: Iterable[Any], *, digits: int) -> str:
    """A number in few digits, unless these are those of another number: 0.7999996 beside 0.8.

    :param digits: the fewest
    """
    numbers = {other for other in others if is_number(other) and other != value}
    texts = [f"{value:.{number}g}" for number in (digits, 6, 9, 12, 17) if number >= digits]
    return next((text for text in texts if float(text) not in numbers), texts[-1])


def conditions(where: Mapping[str, Any] | None) -> str:
    """Conditions of ``where``: ``category = math, length ≥ 10``."""
    parts = []
    for name, wanted in (where or {}).items():
        if isinstance(wanted, Mapping):
            parts += [f"{name} {RANGE_ENDS[end]} {exact_number(value)}" for end, value in wanted.items()]
        elif isinstance(wanted, list):
            parts.append(f"{name} in {', '.join(map(str, wanted))}")
        else:
            parts.append(f"{name} = {wanted}")
    return ", ".join(parts)


def amount(value: float, *, is_share: bool) -> str:
    """A value in the unit of the score; of the mean of 0/1 scores, which is a share, in percentage points."""
    if not is_share:
        return f"{value:.4g}"
    points = f"{value * 100:.3g}"
    return f"{points} point{'' if points in ('1', '-1') else 's'}"


def p_text(p_value: float) -> str:
    """``p 0.036``; of small ones ``p < 0.0001``."""
    return f"p {p_value:.2g}" if p_value >= 0.0001 else "p < 0.0001"


def corrected(p_value: float, adjusted: float, tests: int) -> str:
    """``p 0.07; 0.35 after correction for 6 comparisons``."""
    if tests < 2 or adjusted == p_value:
        return p_text(p_value)
    return f"{p_text(p_value)}; {p_text(adjusted).removeprefix('p ')} after correction for {tests} comparisons"


def expected(found: Comparison) -> str:
    """The bar: ``drop ≤ 2 points (prove)``."""
    if found.check.relative:
        return found.check.expected
    worse = _worse(found)
    return f"{worse} ≤ {_exact_amount(found.check.margin, found)} ({found.check.mode})"


def miss(found: Comparison, adjusted_p_value: float | None) -> str:
    """The change, what is certain of it, and what is allowed.

    :param adjusted_p_value: for ``detect``: the p-value that compares with the check's own level
    """
    level = f"{found.check.confidence * 100:g} %"
    # A collapse in too few rows is shown by a test that has no bounds.
    certain = f", by at least {_drop(found.smallest_drop, found)} at {level}" if found.smallest_drop > 0 else ""
    if found.problem and found.smallest_drop <= found.allowed:
        certain = ""
    p_value = "" if adjusted_p_value is None else f"one-sided {p_text(adjusted_p_value)}, "
    text = f"{change(found)}{certain} ({p_value}{_evidence(found)}); {allowed(found)}"
    if found.problem:
        return f"{text}. It is significant although there are {found.problem}"
    return f"{text}. It is significant although {found.lost}" if found.lost else text


def change(found: Comparison) -> str:
    """``exact-match fell by 3.1 points``; of relative margins ``latency rose by 12.3 % (0.198 on 1.604)``."""
    verb = "fell" if found.observed < 0 else "rose" if found.observed > 0 else "did not change"
    if not found.observed:
        return f"{found.score.name} {verb}"
    size = amount(abs(found.observed), is_share=found.is_binary)
    if found.check.relative and found.means[1]:
        share = abs(found.observed / found.means[1])
        size = f"{share * 100:.3g} % ({abs(found.observed):.3g} on {found.means[1]:.4g})"
    return f"{found.score.name} {verb} by {size}"


def allowed(found: Comparison) -> str:
    """``at most 1 point is allowed``."""
    margin = (
        f"{exact_number(per_cent(found.check.margin))} %"
        if found.check.relative
        else _exact_amount(found.check.margin, found)
    )
    return f"at most {margin} {'are' if margin.endswith('s') else 'is'} allowed"


def undecided(found: Comparison) -> str:
    """Why a comparison proves neither that there is no drop nor that there is one, and how many rows would."""
    n = found.tested.n
    text = f"{change(found)} ({_evidence(found)})"
    if found.tested.standard_error == 0:
        text = f"all {n:,} differences are equal ({amount(found.observed, is_share=found.is_binary)})"
    worse = _worse(found)
    text = (
        f"{text}; at {found.check.confidence * 100:g} % a {worse} of up to {_drop(found.largest_drop, found)} is not "
        f"excluded, and {allowed(found)}"
    )
    bounded = f" {found.lost[0].upper()}{found.lost[1:]}: these were bounded." if found.lost else ""
    return f"{text}.{bounded} {_rare_losses(found)}{_advice(found)}"


def hangs_on_lost_rows(found: Comparison) -> str:
    """The rows that the baseline lost decide."""
    return (
        f"{found.lost}: with the best scores that they could have had, {found.score.name} would have "
        f"{'fallen' if found.check.higher_is_better else 'risen'} too far, without them it has not. Run the baseline "
        f"again, or accept such rows with max_nan_fraction= or max_error_rate="
    )


def rows_to_decide_of(found: Comparison, *, errors: float = 0.0) -> int | None:
    """The number of rows that would decide it in 80 % of runs; None where no number would.

    :param errors: standard errors that the true difference is away from the observed one
    """
    from airflow_provider_benchmarks.gates.statistics import rows_to_decide

    tested = found.tested
    assumed = tested.estimate + errors * tested.standard_error if errors else tested.estimate
    return rows_to_decide(tested, margin=found.margin, confidence=found.check.confidence, assumed=assumed)


def _advice(found: Comparison) -> str:
    rows = rows_to_decide_of(found)
    if rows is None:
        return "No number of rows would decide it if the true difference is the observed one"
    if found.tested.standard_error == 0:
        return f"About {rows:,} rows can show it"
    others = [rows_to_decide_of(found, errors=errors) for errors in (-1.0, 1.0)]
    certain = [number for number in others if number is not None]
    # Between the two assumptions there is one under which no number of rows is enough.
    ends = (found.tested.estimate + side * found.tested.standard_error + found.margin for side in (-1, 1))
    is_limited = len(certain) == len(others) and (min(ends) > 0) == (found.tested.estimate + found.margin > 0)
    span = (
        f"{min([rows, *certain]):,} to {max([rows, *certain]):,}"
        if is_limited
        else f"{min([rows, *certain]):,} or more"
    )
    return (
        f"About {rows:,} rows would decide it in 80 % of runs if the true difference is the observed one "
        f"({span} if it is up to one standard error away)"
    )


def _rare_losses(found: Comparison) -> str:
    """That the bound allows for losses that no row shows, where they decide."""
    tested = found.tested
    if not tested.rare_losses_decide or tested.lower_of_seen < -found.margin:
        return ""
    unit = "clusters" if tested.clusters is not None else "rows"
    without = found.allowed - found.margin - tested.lower_of_seen
    more = f"a {_worse(found)} of more than {_drop(without, found)}" if without > 0 else f"any {_worse(found)}"
    return (
        f"Losses too rare to be among these {unit} decide: without them {more} would be excluded (score_range= narrows "
        "what a row can lose, rare_losses=False says that there are none). "
    )


def _evidence(found: Comparison) -> str:
    difference = found.difference
    if difference.method.startswith("unpaired"):
        return f"{difference.n:,} rows, not paired"
    of = f" of {difference.n:,} items" if difference.n < found.count else ""
    of += f" in {difference.clusters:,} clusters" if difference.clusters is not None else ""
    return f"{found.count:,} paired rows{of}"


def _worse(found: Comparison) -> str:
    return "drop" if found.check.higher_is_better else "rise"


def _drop(value: float, found: Comparison) -> str:
    """A drop in the unit of the score; of a relative margin as a share of the baseline's mean."""
    if found.check.relative and found.means[1]:
        return f"{abs(value / found.means[1]) * 100:.3g} %"
    return amount(value, is_share=found.is_binary)


def _exact_amount(value: float, found: Comparison) -> str:
    if not found.is_binary:
        return exact_number(value)
    points = exact_number(per_cent(value))
    return f"{points} point{'' if points == '1' else 's'}"


def per_cent(value: float) -> float:
    """A share in per cent, through its digits, as 0.07 * 100 is 7.000000000000001."""
    return float(Decimal(str(value)) * 100)
