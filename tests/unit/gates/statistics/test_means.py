from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from airflow_provider_benchmarks.gates.statistics.means import mean_interval, mean_interval_of_moments


@given(
    st.lists(st.integers(-500, 500).map(lambda v: v / 100), min_size=2, max_size=80).filter(lambda v: len(set(v)) > 1)
)
def test_agrees_with_scipys_t_interval(values):
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean_interval(values, confidence=0.95) == pytest.approx(tuple(expected))
    one_sided = mean_interval(values, confidence=0.95, one_sided=True)
    assert one_sided[0] == pytest.approx(
        stats.ttest_1samp(values, 0, alternative="greater").confidence_interval(0.95).low
    )


def test_the_population_deviation_of_the_service_gives_the_interval_of_the_rows():
    values = np.random.default_rng(1).random(30)
    expected = mean_interval(values, confidence=0.9)
    assert mean_interval_of_moments(values.mean(), values.std(), 30, confidence=0.9) == pytest.approx(expected)


def test_one_value_tells_nothing_of_its_spread():
    assert mean_interval([0.7], confidence=0.95) == (-math.inf, math.inf)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [[1.0, 2.0]]])
def test_values_without_an_interval_are_refused(values):
    with pytest.raises(ValueError, match="finite values"):
        mean_interval(values, confidence=0.95)


@pytest.mark.parametrize("moments", [(0.5, 0.1, 0), (math.nan, 0.1, 5), (0.5, -0.1, 5)])
def test_impossible_moments_are_refused(moments):
    with pytest.raises(ValueError, match="found"):
        mean_interval_of_moments(*moments, confidence=0.95)
