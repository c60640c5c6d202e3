from __future__ import annotations

import math

import numpy as np
import pytest

from airflow_provider_benchmarks.gates.statistics import clustered_percentile_interval, percentile_interval


def test_rows_that_are_clusters_each_are_bounded_as_rows():
    values = np.random.default_rng(1).random(80)
    plain = percentile_interval(values, 50, confidence=0.95)
    found = clustered_percentile_interval(values, 50, np.arange(80), confidence=0.95)
    # The bound of a mean of whole clusters is a little wider than the exact one of a share.
    assert found[0] <= plain[0] < np.median(values) < plain[1] <= found[1]
    assert found[1] - found[0] < 2 * (plain[1] - plain[0])


def test_clusters_that_are_alike_inside_say_less():
    random = np.random.default_rng(2)
    texts = np.repeat(np.arange(20), 10)
    values = np.repeat(random.random(20), 10) + random.normal(0, 0.01, 200)
    plain = percentile_interval(values, 50, confidence=0.95)
    found = clustered_percentile_interval(values, 50, texts, confidence=0.95)
    assert found[0] < plain[0] < plain[1] < found[1]


@pytest.mark.parametrize("percent", [50, 80])
def test_it_covers_its_level_in_clusters(percent):
    random, runs, missed = np.random.default_rng(3), 120, 0
    texts = np.repeat(np.arange(30), 5)
    truth = float(np.quantile(random.normal(0, 1, 400_000), percent / 100))
    for _ in range(runs):
        values = math.sqrt(0.5) * (np.repeat(random.normal(0, 1, 30), 5) + random.normal(0, 1, 150))
        low, _ = clustered_percentile_interval(values, percent, texts, confidence=0.95, one_sided=True)
        missed += low > truth
    assert missed / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_few_clusters_bound_nothing():
    values = np.linspace(0, 1, 20)
    assert clustered_percentile_interval(values, 90, [1] * 20, confidence=0.95) == (-math.inf, math.inf)
