from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from airflow_provider_benchmarks.gates.statistics.mean_bounds import mean_interval, possible_limits, share_interval
from airflow_provider_benchmarks.gates.statistics.means import Moments
from airflow_provider_benchmarks.gates.statistics.proportions import exact_interval

SCORES = st.integers(-500, 500).map(lambda v: v / 100)
RUNS = 600
#: Probability that a bound at 95 % misses in a simulation of this number of runs, and three standard errors of it.
LEVEL = 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)


def of_the_service(values):
    """What aggregate scores tell of values: no skewness."""
    return Moments(mean=values.mean(), std_dev=values.std(), n=values.size, low=values.min(), high=values.max())


def lower(scores, **options):
    return mean_interval(scores, confidence=0.95, one_sided=True, **options)[0]


@given(st.lists(SCORES, min_size=2, max_size=40).filter(lambda v: len(set(v)) > 1))
def test_symmetric_scores_have_scipys_t_interval_where_there_is_nothing_too_rare_to_be_seen(values):
    values = np.array([*values, *(-value for value in values)]) + 2
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    expected = pytest.approx((interval.low, interval.high))
    assert mean_interval(values, confidence=0.95, rare_values=False) == expected
    assert mean_interval(values, confidence=0.975, one_sided=True, rare_values=False) == expected
    low, high = mean_interval(values, confidence=0.95)
    assert low <= interval.low + 1e-9
    assert high >= interval.high - 1e-9


@pytest.mark.parametrize("sides", [np.asarray, of_the_service], ids=["rows", "aggregates"])
@pytest.mark.parametrize("n", [20, 50, 300])
@pytest.mark.parametrize("lost", [1, 3, 6])
@pytest.mark.parametrize("score_range", [None, (0.0, 1.0)], ids=["range unknown", "range known"])
def test_rare_losses_among_scores_that_lie_close_together_pass_no_bar(sides, n, lost, score_range):
    random = np.random.default_rng(17)
    scores = random.normal(0.95, 0.01, (RUNS, n)).clip(0, 1) - 0.9 * (random.random((RUNS, n)) < lost / n)
    scores = scores.clip(0, 1)
    bar = 0.95 - 0.9 * lost / n
    passed = [lower(sides(run), score_range=score_range) > bar for run in scores]
    assert np.mean(passed) < LEVEL


@pytest.mark.parametrize("n", [10, 20, 100])
def test_lognormal_losses_pass_no_bar(n):
    scores = -np.random.default_rng(3).lognormal(0, 1, (RUNS, n))
    assert np.mean([lower(run) > -math.exp(0.5) for run in scores]) < LEVEL


def test_repeats_of_an_item_are_one_cluster():
    random, passed = np.random.default_rng(5), 0
    items = np.repeat(np.arange(100), 10)
    for _ in range(400):
        scores = np.repeat(random.beta(2, 1, 100), 10) + random.normal(0, 0.02, 1000)
        passed += lower(scores, clusters=items) > 2 / 3
    assert passed / 400 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize("score_range", [(0.0, 1.0), (0.0, 10.0)])
def test_a_wider_range_is_no_narrower_a_bound(score_range):
    scores = np.random.default_rng(1).random(50)
    assert lower(scores, score_range=score_range) <= lower(scores, score_range=(0.0, 1.0))
    assert lower(scores, score_range=score_range) <= lower(scores, rare_values=False)


def test_equal_values_may_hide_as_many_others_as_could_be_unseen():
    interval = mean_interval([0.9] * 50, confidence=0.95, one_sided=True, score_range=(0.0, 1.0))
    rare = 1 - 0.05 ** (1 / 50)
    assert interval == pytest.approx((0.9 * (1 - rare), 0.9 + 0.1 * rare))
    # Of an unknown range: from 0, and two fifths more than is seen.
    low, high = possible_limits(50, 0.9, 0.9)
    assert (low, high) == pytest.approx((0.9 - 1.4 * 0.9, 0.9 + 1.4 * 0.9))
    assert lower([0.9] * 50) == pytest.approx(0.9 - 1.4 * 0.9 * rare)


def test_a_share_of_clustered_rows_is_no_surer_than_one_of_rows_nor_than_one_of_clusters():
    successes, texts = (np.arange(200) % 10 > 0).astype(float), np.arange(200) // 10
    level = {"confidence": 0.95, "one_sided": True}
    assert share_interval(successes, None, **level) == exact_interval(180, 200, **level)
    low, high = share_interval(successes, texts, **level)
    exact = exact_interval(180, 200, **level)
    assert (low <= exact[0], high >= exact[1]) == (True, True)
    whole_texts = np.repeat([1.0] * 18 + [0.0] * 2, 10)
    assert share_interval(whole_texts, texts, **level)[0] < 0.77


def test_one_value_or_cluster_says_nothing_of_its_spread():
    assert mean_interval([0.7], confidence=0.95) == (-math.inf, math.inf)
    assert mean_interval([0.7, 0.8], clusters=["a", "a"], confidence=0.95) == (-math.inf, math.inf)
    assert mean_interval(Moments(mean=0.7, std_dev=0.0, n=1), confidence=0.95) == (-math.inf, math.inf)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [[1.0, 2.0]]])
def test_values_without_an_interval_are_refused(values):
    with pytest.raises(ValueError, match="finite values"):
        mean_interval(values, confidence=0.95)
