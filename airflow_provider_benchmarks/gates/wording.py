"""The words of results: bars, conditions, and what a comparison found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.gates.field_rules import RANGE_ENDS

if TYPE_CHECKING:
    from airflow_provider_benchmarks.gates.comparison import Comparison


def exact_number(value: float) -> str:
    """A number in few digits, but never as another number: 0.69999996 is not 0.7."""
    short = f"{value:g}"
    return short if float(short) == value else str(value)


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


def change(found: Comparison) -> str:
    """``exact-match fell by 3.1 points (95 % interval 1.9 to 4.3, 2,000 paired rows of 400 clusters)``."""
    low, high = found.interval
    fell = found.observed < 0
    ends = sorted((-high, -low) if fell else (low, high))
    verb = "fell" if fell else "rose" if found.observed > 0 else "changed"
    scale = 100 if found.is_binary else 1
    interval = f"{found.check.confidence * 100:g} % interval {ends[0] * scale:.3g} to {ends[1] * scale:.3g}"
    return f"{found.score.name} {verb} by {_in_unit(abs(found.observed), found)} ({interval}, {_evidence(found)})"


def miss(found: Comparison) -> str:
    """The change, and what is allowed."""
    return f"{change(found)}; {allowed(found)}"


def allowed(found: Comparison) -> str:
    """``at most 1 point is allowed``."""
    margin = _in_unit(found.margin, found)
    return f"at most {margin} {'are' if margin.endswith('s') else 'is'} allowed"


def undecided(found: Comparison) -> str:
    """Why a comparison proves neither that there is no drop nor that there is one, and how many rows would."""
    rows = found.rows_to_decide
    advice = "no number of rows would decide it" if rows is None else f"about {rows:,} rows would decide it"
    worse = "drop" if found.check.higher_is_better else "rise"
    return (
        f"{change(found)}; a {worse} of up to {_in_unit(-found.difference.lower, found)} is not excluded, and "
        f"{allowed(found)}: {advice}"
    )


def _evidence(found: Comparison) -> str:
    difference = found.difference
    if difference.method.startswith("unpaired"):
        return f"{difference.n:,} rows, not paired"
    of = f" of {difference.n:,} items" if difference.n < found.count else ""
    of += f" in {difference.clusters:,} clusters" if difference.clusters is not None else ""
    return f"{found.count:,} paired rows{of}"


def _in_unit(value: float, found: Comparison) -> str:
    """A value in the unit of the score; the mean of 0/1 scores is a share, which is shown in percentage points."""
    if not found.is_binary:
        return f"{value:.4g}"
    points = f"{value * 100:.3g}"
    return f"{points} point{'' if points == '1' else 's'}"
