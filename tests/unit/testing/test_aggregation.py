from __future__ import annotations

import json
import math

import numpy as np
import pytest

from airflow_provider_benchmarks.testing._jobs.aggregation import aggregate_score, histogram, percentile
from tests.unit.testing.conftest import DATA

MEASURED = json.loads((DATA / "measured_aggregates.json").read_text())["aggregates"]


@pytest.mark.parametrize("measured", MEASURED, ids=lambda m: f"{m['from'][:3]}-{m['metric']}-{m['score']['name']}")
def test_aggregates_equal_the_real_services_to_the_last_bit(measured):
    values = [math.nan if value == "NaN" else value for value in measured["values"]]
    assert aggregate_score(measured["score"]["name"], values) == measured["score"]


@pytest.mark.parametrize("percent", range(10, 101, 10))
@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_percentiles_are_those_of_numpy(percent, count):
    numbers = np.random.default_rng(count).normal(size=count)
    expected = np.clip(np.percentile(numbers, percent, method="weibull"), numbers.min(), numbers.max())
    assert percentile(list(numbers), percent) == pytest.approx(expected, rel=1e-12)


def test_a_maximum_beyond_the_rounded_last_bound_is_in_no_bin():
    numbers = [0.0, 15.97357760615681, 100.00000000000004]
    bins = histogram(numbers)
    assert bins[-1]["upper_bound"] < max(numbers)
    assert sum(entry["count"] for entry in bins) == 2


def test_without_a_number_there_are_no_statistics():
    score = aggregate_score("s", [math.nan, math.nan])
    assert (score["count"], score["nan_count"], score["mean"], score["percentiles"]) == (0, 2, None, None)
    assert score["histogram"] == {"bins": []}
