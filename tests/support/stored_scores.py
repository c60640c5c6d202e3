"""Jobs of a score store, made without a service."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.scores import AggregateScore, AggregateScores
from airflow_provider_benchmarks.store import Place, RowFormat, ScoreStore, StoredFile, StoredJob, store_rows


def store_job(
    store: ScoreStore,
    name: str,
    values: Sequence[float],
    *,
    metrics: Sequence[str] = ("w/m",),
    day: int = 1,
    benchmark: str = "w/b",
) -> StoredJob:
    """Store a job with one score, ``s``, of each metric and row.

    :param values: of the rows
    :param day: of the month in which it was submitted
    """
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / len(values)
    known = {"mean": mean, "variance": variance, "std_dev": variance**0.5, "min": min(values), "max": max(values)}
    scores = [AggregateScore(metric=each, name="s", count=len(values), nan_count=0, **known) for each in metrics]
    lines = [
        json.dumps(
            {
                "row_index": i,
                "item": {"q": f"question {i}"},
                "metrics": {metric: [{"name": "s", "value": value}] for metric in metrics},
            }
        ).encode()
        + b"\n"
        for i, value in enumerate(values)
    ]

    def rows(place: Place) -> StoredFile:
        return store_rows(lines, place, row_format=RowFormat(name="parquet"))

    created_at = datetime(2026, 3, 1, 2, tzinfo=UTC) + timedelta(days=day - 1)
    workspace = benchmark.partition("/")[0]
    job = BenchmarkJob(name=name, workspace=workspace, benchmark=benchmark, status="completed", created_at=created_at)
    return store.add(job, AggregateScores(tuple(scores)), store_rows=rows)
