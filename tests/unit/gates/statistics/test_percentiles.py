from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from airflow_provider_benchmarks.gates.statistics.percentiles import percentile_interval


@given(st.integers(1, 300), st.sampled_from([1, 10, 50, 90, 99]), st.sampled_from([0.81, 0.95, 0.999]))
@settings(max_examples=60, deadline=None)
def test_agrees_with_scipys_test_of_a_quantile(n, percent, confidence):
    values = np.random.default_rng(n).normal(size=n)
    expected = stats.quantile_test(values, p=percent / 100).confidence_interval(confidence)
    ends = [
        end if math.isfinite(end) else infinite for end, infinite in zip(expected, (-math.inf, math.inf), strict=True)
    ]
    assert percentile_interval(values, percent, confidence=confidence) == tuple(ends)


@pytest.mark.parametrize("percent", [10, 50, 90])
@pytest.mark.parametrize("n", [15, 60, 400])
def test_each_one_sided_bound_covers_its_level(n, percent):
    # Values 1 to n stand for their ranks; the chance that the r-th smallest is above the percentile is binomial.
    lower, upper = percentile_interval(np.arange(1, n + 1), percent, confidence=0.95, one_sided=True)
    above = stats.binom.cdf(lower - 1, n, percent / 100) if math.isfinite(lower) else 0.0
    below = stats.binom.sf(upper - 1, n, percent / 100) if math.isfinite(upper) else 0.0
    assert above <= 0.05
    assert below <= 0.05
    assert math.isinf(lower) or stats.binom.cdf(lower, n, percent / 100) > 0.05
    assert math.isinf(upper) or stats.binom.sf(upper - 2, n, percent / 100) > 0.05


def test_ties_keep_the_level():
    random = np.random.default_rng(2)
    medians = [percentile_interval(random.integers(1, 6, 30), 40, confidence=0.95) for _ in range(500)]
    # 40 % of these values are 1 or 2, so that every number from 2 to 3 is a 40th percentile.
    assert np.mean([low <= 3 and high >= 2 for low, high in medians]) >= 0.95


def test_the_order_of_values_does_not_matter():
    values = np.random.default_rng(3).random(50)
    assert percentile_interval(values, 90, confidence=0.9) == percentile_interval(values[::-1], 90, confidence=0.9)


def test_few_values_do_not_bound_a_high_percentile_from_above():
    lower, upper = percentile_interval(range(10), 90, confidence=0.95)
    assert math.isfinite(lower)
    assert upper == math.inf


@pytest.mark.parametrize(("values", "percent"), [([], 50), ([math.nan], 50), ([1.0], 0), ([1.0], 100)])
def test_impossible_input_is_refused(values, percent):
    with pytest.raises(ValueError, match="percent"):
        percentile_interval(values, percent, confidence=0.95)
