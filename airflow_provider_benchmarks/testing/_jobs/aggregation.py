"""Aggregate statistics of scores, computed like the service's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

_BINS = 10


def aggregate_score(name: str, values: Sequence[float]) -> dict[str, Any]:
    """Compute the statistics of one score; NaNs are only counted.

    Standard deviation and variance are those of the population (divided by n).
    """
    numbers = [value for value in values if not math.isnan(value)]
    count = len(numbers)
    head = {"name": name, "count": count, "nan_count": len(values) - count}
    if not numbers:
        empty = dict.fromkeys(("sum", "mean", "min", "max", "std_dev", "variance"))
        return {**head, **empty, "score_type": "range", "percentiles": None, "histogram": {"bins": []}}
    total = float(sum(numbers))
    mean = total / count
    variance = sum((number - mean) ** 2 for number in numbers) / count
    return {
        **head,
        "sum": total,
        "mean": mean,
        "min": float(min(numbers)),
        "max": float(max(numbers)),
        "std_dev": math.sqrt(variance),
        "variance": variance,
        "score_type": "range",
        "percentiles": {f"p{percent}": percentile(numbers, percent) for percent in range(10, 101, 10)},
        "histogram": {"bins": histogram(numbers)},
    }


def percentile(numbers: Sequence[float], percent: int) -> float:
    """Return a percentile by the Weibull plotting position, clipped to the minimum and maximum.

    Equals ``numpy.percentile(…, method="weibull")`` except for the last bits, which here are the service's.
    """
    ordered = sorted(numbers)
    rank = percent / 100 * (len(ordered) + 1) - 1
    if rank <= 0:
        return float(ordered[0])
    if rank >= len(ordered) - 1:
        return float(ordered[-1])
    below = int(rank)
    return float(ordered[below] + (rank - below) * (ordered[below + 1] - ordered[below]))


def histogram(numbers: Sequence[float]) -> list[dict[str, float]]:
    """Count the numbers in ten bins of equal width, or in one bin if all are equal.

    The last bin's upper bound is computed like the others. By a rounding error it can be below the maximum, which is
    then in no bin, as on the service.
    """
    minimum, maximum = float(min(numbers)), float(max(numbers))
    if minimum == maximum:
        return [{"lower_bound": minimum, "upper_bound": maximum, "count": len(numbers)}]
    width = (maximum - minimum) / _BINS
    bins = []
    for position in range(_BINS):
        lower, upper = minimum + position * width, minimum + (position + 1) * width
        inside = [n for n in numbers if lower <= n < upper or (n == upper and position == _BINS - 1)]
        bins.append({"lower_bound": lower, "upper_bound": upper, "count": len(inside)})
    return bins
