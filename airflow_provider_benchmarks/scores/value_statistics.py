"""The statistics of a score's values, computed as the service computes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: The percentiles that the service reports: p10 … p100.
SERVICE_PERCENTS = range(10, 101, 10)


def value_statistics(values: NDArray[np.float64], percents: Iterable[int] = SERVICE_PERCENTS) -> dict[str, Any]:
    """The fields of an :class:`~airflow_provider_benchmarks.scores.AggregateScore` that follow from its values.

    The standard deviation is the population's; percentiles are Weibull's, between the smallest and the largest value.

    :param values: finite numbers; of none, only the count is known
    """
    import numpy as np

    if not values.size:
        return {"count": 0}
    percents = list(percents)
    points = np.percentile(values, percents, method="weibull")
    return {
        "count": int(values.size),
        "mean": float(values.mean()),
        "std_dev": float(values.std()),
        "variance": float(values.var()),
        "min": float(values.min()),
        "max": float(values.max()),
        "sum": float(values.sum()),
        "percentiles": {f"p{percent}": float(point) for percent, point in zip(percents, points, strict=True)},
    }
