"""The statistics of a score's values, against those that the service has computed of the same values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from airflow_provider_benchmarks.scores import AggregateScores
from airflow_provider_benchmarks.scores.json_values import is_number
from airflow_provider_benchmarks.scores.rows import read_rows
from airflow_provider_benchmarks.scores.value_statistics import value_statistics

RECORDED = Path(__file__).parents[2] / "recorded"
CASES = [
    ("093-aggregate-multi-1.json", "094-rows-multi-1.jsonl"),
    ("099-aggregate-half-nan-1.json", "100-rows-half-nan-1.jsonl"),
]


@pytest.mark.parametrize(("aggregate", "rows"), CASES)
def test_they_are_those_of_the_service(aggregate, rows):
    scores = AggregateScores.from_json(json.loads((RECORDED / aggregate).read_text())).scores
    found = list(read_rows((RECORDED / rows).read_bytes().splitlines()))
    compared = 0
    for score in scores:
        values = [row.metrics.get(score.metric, {}).get(score.name) for row in found]
        numbers = np.array([value for value in values if is_number(value)], dtype=float)
        if not numbers.size:  # a score of the whole corpus
            continue
        compared += 1
        for name, value in value_statistics(numbers).items():
            assert value == pytest.approx(getattr(score, name)), f"{score.metric} {score.name} {name}"
    assert compared


def test_of_no_values_only_the_count_is_known():
    assert value_statistics(np.array([])) == {"count": 0}
