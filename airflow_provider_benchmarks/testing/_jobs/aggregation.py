"""Aggregate statistics of scores, computed like the service's."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

_BINS = 10


def aggregate_score(name: str, values: Sequence[float], *, sample_statistics: bool = False) -> dict[str, Any]:
    """Compute the statistics of one score; NaNs are only counted.

    Standard deviation and variance are those of the population (divided by n).

    :param sample_statistics: add the median, and deviation and variance of the sample (divided by n - 1)
    """
    numbers = [value for value in values if not math.isnan(value)]
    count = len(numbers)
    head = {"name": name, "count": count, "nan_count": len(values) - count}
    if not numbers:
        sample = ("sample_std_dev", "sample_variance") if sample_statistics else ()
        median = ("median",) if sample_statistics else ()
        empty = dict.fromkeys(("sum", "mean", "min", "max", *median, "std_dev", "variance", *sample))
        return {**head, **empty, "score_type": "range", "percentiles": None, "histogram": {"bins": []}}
    total = float(sum(numbers))
    mean = total / count
    squares = sum((number - mean) ** 2 for number in numbers)
    variance = squares / count
    return {
        **head,
        "sum": total,
        "mean": mean,
        "min": float(min(numbers)),
        "max": float(max(numbers)),
        **({"median": float(statistics.median(numbers))} if sample_statistics else {}),
        "std_dev": math.sqrt(variance),
        "variance": variance,
        **(_of_sample(squares, count) if sample_statistics else {}),
        "score_type": "range",
        "percentiles": {f"p{percent}": percentile(numbers, percent) for percent in range(10, 101, 10)},
        "histogram": {"bins": histogram(numbers)},
    }


def _of_sample(squares: float, count: int) -> dict[str, float | None]:
    """Return deviation and variance of the sample; null for a single value, which has none."""
    if count < 2:
        return {"sample_std_dev": None, "sample_variance": None}
    variance = squares / (count - 1)
    return {"sample_std_dev": math.sqrt(variance), "sample_variance": variance}


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
