"""The means of a job in a few kB."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_benchmarks.scores import AggregateScores
from airflow_provider_benchmarks.scores.means import means_of


def aggregate(*scores: tuple[str, str, Any]) -> AggregateScores:
    return AggregateScores.from_json(
        {"results": [{"metric": metric, "scores": [{"name": name, "mean": mean}]} for metric, name, mean in scores]}
    )


def test_nan_is_null_and_two_metrics_keep_their_score_of_the_same_name() -> None:
    means = means_of(aggregate(("w/a", "exact-match", 0.5), ("w/b", "exact-match", "NaN"), ("w/c", "corpus", None)))
    assert json.loads(json.dumps(means, allow_nan=False)) == {
        "w/a:exact-match": 0.5,
        "w/b:exact-match": None,
        "w/c:corpus": None,
    }


def test_of_very_many_scores_a_few_kilobytes_are_kept() -> None:
    means = means_of(aggregate(*((f"w/metric-{number}", "exact-match", 0.1) for number in range(5000))))
    assert next(iter(means)) == "w/metric-0:exact-match"
    assert len(json.dumps(means)) < 4096
