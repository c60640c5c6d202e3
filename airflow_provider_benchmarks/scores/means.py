"""The means of a job's scores in a few kB, for events."""

from __future__ import annotations

from airflow_provider_benchmarks.scores.aggregate import AggregateScores
from airflow_provider_benchmarks.scores.json_values import json_safe

#: Number of scores that others are told of, in events, lineage and metrics. Airflow keeps an event's extra in its
#: database and shows it on a page; a few kB are enough.
MAX_MEANS = 50


def means_of(scores: AggregateScores) -> dict[str, float | None]:
    """The means by ``metric:score``, NaN as None; the first 50 scores."""
    means: dict[str, float | None] = json_safe({f"{s.metric}:{s.name}": s.mean for s in scores.scores[:MAX_MEANS]})
    return means
