"""The statistics of a score's values, computed as the service computes them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: The percentiles that the service reports: p10 … p100.
SERVICE_PERCENTS = range(10, 101, 10)


#: Squares of numbers within these limits, and sums of them, are far from the ends of what a float holds.
_LEAST, _MOST = 1e-60, 1e60
#: Stands in ``unread`` for a statistic of values that are numbers.
_BEYOND_FLOATS = "larger than a float can hold"


def value_statistics(values: NDArray[np.float64], percents: Iterable[int] = SERVICE_PERCENTS) -> dict[str, Any]:
    """The fields of an :class:`~airflow_provider_benchmarks.scores.AggregateScore` that follow from its values.

    The standard deviation is the population's; percentiles are Weibull's, between the smallest and the largest value.
    A sum or a variance that no float holds is None, and ``unread`` says so.

    :param values: finite numbers; of none, only the count is known
    """
    import numpy as np

    if not values.size:
        return {"count": 0}
    percents = list(percents)
    unit = _unit(float(np.abs(values).max()))
    scaled = values if unit == 1 else values / unit
    points = np.percentile(scaled, percents, method="weibull")
    mean, std_dev, variance, total = (float(each) for each in (scaled.mean(), scaled.std(), scaled.var(), scaled.sum()))
    found = {
        "mean": mean * unit,
        "std_dev": std_dev * unit,
        "variance": variance * unit * unit,
        "min": float(values.min()),
        "max": float(values.max()),
        "sum": total * unit,
    }
    beyond = {name: _BEYOND_FLOATS for name, value in found.items() if not math.isfinite(value)}
    return {
        "count": int(values.size),
        **found,
        **dict.fromkeys(beyond),
        "percentiles": {f"p{percent}": float(point) * unit for percent, point in zip(percents, points, strict=True)},
        **({"unread": beyond} if beyond else {}),
    }


def _unit(largest: float) -> float:
    """The unit to compute in: a power of two, by which floats are divided exactly; 1 for all but extreme numbers."""
    if largest == 0 or _LEAST <= largest <= _MOST:
        return 1.0
    return math.ldexp(1.0, min(max(math.frexp(largest)[1], -1000), 1000))
