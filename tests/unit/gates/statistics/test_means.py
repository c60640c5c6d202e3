from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from airflow_provider_benchmarks.gates.statistics.means import Moments, mean_interval, rare_loss_bound, score_range

SCORES = st.integers(-500, 500).map(lambda v: v / 100)
#: Probability that a bound at 95 % misses in a simulation of this number of runs, and three standard errors of it.
RUNS = 4000
LEVEL = 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)


def of_the_service(values):
    """What aggregate scores tell of values: no skewness."""
    return Moments(mean=values.mean(), std_dev=values.std(), n=values.size, low=values.min(), high=values.max())


@given(st.lists(SCORES, min_size=2, max_size=40).filter(lambda v: len(set(v)) > 1))
def test_symmetric_scores_have_scipys_t_interval_but_for_what_is_too_rare_to_be_seen(values):
    values = np.array([*values, *(-value for value in values)]) + 2
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    half = max((high - low) / 2, rare_loss_bound(score_range(values.min(), values.max()), values.size, 0.025))
    expected = values.mean() - half, values.mean() + half
    assert mean_interval(Moments.of(values), confidence=0.95) == pytest.approx(expected)
    one_sided = mean_interval(Moments.of(values), confidence=0.975, one_sided=True)
    assert one_sided == pytest.approx(expected)


@pytest.mark.parametrize("sides", [Moments.of, of_the_service], ids=["rows", "aggregates"])
@pytest.mark.parametrize("n", [20, 50, 100])
@pytest.mark.parametrize("lost", [0.5, 1, 2, 3, 5])
def test_rare_losses_among_scores_that_lie_close_together_pass_no_bar(sides, n, lost):
    random = np.random.default_rng(17)
    scores = random.normal(0.95, 0.01, (RUNS, n)) - 0.9 * (random.random((RUNS, n)) < lost / n)
    bar = 0.95 - 0.9 * lost / n
    passed = [mean_interval(sides(run), confidence=0.95, one_sided=True)[0] > bar for run in scores]
    assert np.mean(passed) < LEVEL


@given(st.lists(SCORES, min_size=2, max_size=30))
def test_the_skewness_of_scores_lies_within_its_limits(values):
    moments = Moments.of(values)
    least, greatest = replace(moments, skewness=None).skewness_limits
    assert least - 1e-6 <= moments.skewness <= greatest + 1e-6
    without_ends = replace(moments, skewness=None, low=None, high=None)
    assert without_ends.skewness_limits[0] - 1e-6 <= moments.skewness <= without_ends.skewness_limits[1] + 1e-6
    assert without_ends.ends[0] <= min(values) + 1e-6
    assert without_ends.ends[1] >= max(values) - 1e-6


@given(st.lists(SCORES, min_size=1, max_size=30), st.integers(1, 5), SCORES)
def test_more_scores_of_one_value_change_moments_as_if_they_stood_beside_the_others(values, count, value):
    found = Moments.of(values).with_more(count, value)
    expected = Moments.of([*values, *[value] * count])
    assert (found.mean, found.std_dev, found.n) == pytest.approx(
        (expected.mean, expected.std_dev, expected.n), abs=1e-9
    )
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.skewness is None


def test_shares_stay_shares_beside_more_of_them_only():
    share = Moments(mean=0.5, std_dev=0.5, n=10, is_binary=True)
    assert share.with_more(1, 1.0).is_binary
    assert not share.with_more(1, 0.3).is_binary


def test_equal_values_may_hide_as_many_others_as_could_be_unseen():
    low, high = mean_interval(Moments.of([0.9] * 50), confidence=0.95, one_sided=True)
    assert (low, high) == pytest.approx((0.9 * 0.05 ** (1 / 50), 0.9 * (2 - 0.05 ** (1 / 50))))


def test_one_value_says_nothing_of_its_spread():
    assert mean_interval(Moments.of([0.7]), confidence=0.95) == (-math.inf, math.inf)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [[1.0, 2.0]]])
def test_values_without_an_interval_are_refused(values):
    with pytest.raises(ValueError, match="finite values"):
        Moments.of(values)
