"""The value of a check with its bounds against its bar, as places on a line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from airflow_provider_benchmarks.gates.result import BOUNDS, CheckResult
from airflow_provider_benchmarks.scores.json_values import is_number

#: Share of the line that is left free at both ends.
_MARGIN = 0.12
#: The bounds of a comparison, by the words of their details, and what they are where nothing is excluded.
_DROPS = (("largest", math.inf), ("smallest", -math.inf))
#: Numbers beyond are not drawn: their differences may be no floats.
_LARGEST = 1e300


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """Places from 0 to 100.

    :param value: of what was observed
    :param interval: from the lower to the upper bound, of which each decides by itself; None where there is none.
        Infinite bounds are at the end of the line
    :param allowed: from where to where values pass
    :param bars: the bars
    :param words: the same in words, for those who can't see it
    """

    value: float
    interval: tuple[float, float] | None
    allowed: tuple[float, float]
    bars: tuple[float, ...]
    words: str

    @classmethod
    def of(cls, result: CheckResult) -> Self | None:
        """None where nothing was observed, or there is no bar."""
        value, interval = result.observed, _interval(result)
        low, high = _bars(result)
        bars = [bar for bar in (low, high) if bar is not None]
        if not is_number(value) or not bars or not all(abs(each) < _LARGEST for each in (value, *bars)):
            return None
        ends = [end for end in interval or () if math.isfinite(end) and abs(end) < _LARGEST]
        first, last = min([value, *bars, *ends]), max([value, *bars, *ends])
        reach = (last - first) * _MARGIN or max(abs(value), 1.0) * _MARGIN

        def place(number: float) -> float:
            share = (number - (first - reach)) / (last - first + 2 * reach)
            return round(100 * min(max(share, 0.0), 1.0), 2)

        return cls(
            value=place(value),
            interval=None if interval is None else (place(interval[0]), place(interval[1])),
            allowed=(0.0 if low is None else place(low), 100.0 if high is None else place(high)),
            bars=tuple(map(place, bars)),
            words=f"{value:.4g}, allowed {'' if low is None else f'from {low:.4g} '}"
            f"{'' if high is None else f'up to {high:.4g}'}".strip(),
        )


def _interval(result: CheckResult) -> tuple[float, float] | None:
    """The one-sided bounds, so that a check passes where what is drawn does: a two-sided interval is wider.

    They are those of the check by itself: one of several ``detect`` comparisons of a gate may pass beyond its bar.
    """
    found: Mapping[str, Any] = result.details
    if "largest_drop_not_excluded" in found:
        sign = 1 if getattr(result.check, "higher_is_better", True) else -1
        ends = [-sign * _finite_or(found.get(f"{which}_drop_not_excluded"), end) for which, end in _DROPS]
        return min(ends), max(ends)
    if isinstance(bounds := found.get(BOUNDS), list | tuple) and len(bounds) == 2:
        return _finite_or(bounds[0], -math.inf), _finite_or(bounds[1], math.inf)
    return result.interval


def _finite_or(value: Any, infinite: float) -> float:
    """JSON has no word for an infinite bound."""
    return value if is_number(value) else infinite


def _bars(result: CheckResult) -> tuple[float | None, float | None]:
    """The lower and the upper bar, in the unit of what is drawn."""
    found: Mapping[str, Any] = result.details
    if is_number(margin := found.get("margin")) and "mode" in found:
        return (-margin, None) if getattr(result.check, "higher_is_better", True) else (None, margin)
    if "low" in found or "high" in found:
        return _number(found.get("low")), _number(found.get("high"))
    return _number(getattr(result.check, "at_least", None)), _number(getattr(result.check, "at_most", None))


def _number(value: Any) -> float | None:
    return value if is_number(value) else None
