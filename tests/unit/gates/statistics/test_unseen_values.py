"""The bound by random weights, against simulated weights, its exact special case, and samples that are hard for it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_benchmarks.gates.statistics.unseen_values import Sample, lower_bound, p_value

VALUES = st.lists(st.integers(0, 100).map(lambda v: v / 100), min_size=1, max_size=30)
ALPHAS = (0.2, 0.05, 0.005)


@pytest.mark.parametrize("n", [5, 20, 100])
@pytest.mark.parametrize("kind", ["normal", "one loss", "two values", "exponential"])
def test_is_the_quantile_of_the_mean_under_random_weights(n, kind):
    random = np.random.default_rng(n)
    values = {
        "normal": random.normal(0.5, 0.1, n).clip(0, 1),
        "one loss": np.r_[0.1, np.full(n - 1, 0.9)],
        "two values": np.r_[np.zeros(n // 2), np.ones(n - n // 2)],
        "exponential": 1 - random.exponential(0.1, n).clip(0, 1),
    }[kind]
    # Weights as spacings of uniform numbers, and the lowest value once.
    spacings = np.diff(np.sort(random.random((20_000, n)), axis=1), prepend=0.0, append=1.0, axis=1)
    means = spacings @ np.append(values, 0.0)
    for alpha in ALPHAS:
        bound = lower_bound(Sample.of(values), 0.0, alpha=alpha)
        assert np.mean(means <= bound) == pytest.approx(alpha, rel=0.05, abs=4 * math.sqrt(alpha / 20_000))


@given(st.integers(1, 500), st.sampled_from(ALPHAS), st.sampled_from([0.0, -1.0]))
def test_of_equal_values_it_is_the_exact_rule_of_three(n, alpha, lowest):
    sample = Sample.of(np.full(n, 0.8))
    expected = lowest + (0.8 - lowest) * alpha ** (1 / n)
    assert lower_bound(sample, lowest, alpha=alpha) == pytest.approx(expected)
    assert p_value(sample, lowest, limit=expected) == pytest.approx(alpha)


@given(VALUES, st.sampled_from(ALPHAS))
@settings(deadline=None)
def test_the_p_value_is_the_alpha_of_the_bound(values, alpha):
    sample = Sample.of(np.asarray(values))
    bound = lower_bound(sample, -1.0, alpha=alpha)
    assert -1.0 <= bound <= np.mean(values)
    assert p_value(sample, -1.0, limit=bound) == pytest.approx(alpha, rel=1e-3)
    assert p_value(sample, -1.0, limit=-1.0) == 0
    assert p_value(sample, -1.0, limit=max(values)) == 1


@given(VALUES, st.sampled_from(ALPHAS))
@settings(deadline=None)
def test_a_lower_lowest_value_a_smaller_alpha_and_fewer_values_lower_the_bound(values, alpha):
    sample = Sample.of(np.asarray(values))
    bound = lower_bound(sample, -1.0, alpha=alpha)
    assert lower_bound(sample, -2.0, alpha=alpha) <= bound + 1e-9
    assert lower_bound(sample, -1.0, alpha=alpha / 2) <= bound + 1e-9
    assert bound <= lower_bound(sample.scaled(2.0), -1.0, alpha=alpha) + 1e-9


@pytest.mark.parametrize("size", [1e3, 1e6, 1e12])
@pytest.mark.parametrize("values", [[0.0, 1.0], [0.0, 1e-9, 1.0], [-3.0, -2.9, 1e6], [1e-300, 1e-299]])
def test_samples_as_large_as_one_may_imagine_have_bounds(size, values):
    sample = Sample.of(np.array(values)).scaled(size)
    mean = float((sample.values * sample.counts).sum() / sample.counts.sum())
    for alpha in (0.05, 1e-200):
        bound = lower_bound(sample, -5.0, alpha=alpha)
        assert -5.0 <= bound <= mean + 1e-9 * max(map(abs, values))
    assert 0 <= p_value(sample, -5.0, limit=-4.9) <= 1


@pytest.mark.parametrize("n", [3, 10, 50])
@pytest.mark.parametrize("rate", [0.02, 0.1, 0.4])
@pytest.mark.parametrize("noise", [0.0, 0.02, 0.1])
def test_it_errs_no_more_often_than_it_says(n, rate, noise):
    random, runs = np.random.default_rng(11), 500
    losses = random.random((runs, n)) < rate
    values = np.where(losses, 0.0, 0.8 + noise * random.uniform(-1, 1, (runs, n)))
    above = [lower_bound(Sample.of(run), 0.0, alpha=0.05) > 0.8 * (1 - rate) + 1e-12 for run in values]
    assert np.mean(above) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_many_different_values_are_joined_without_a_change_that_matters():
    values = np.random.default_rng(2).beta(5, 1, 60_000)
    joined, exact = Sample.of(values), Sample(values=np.sort(values), counts=np.ones(values.size))
    assert joined.values.size <= 10_000
    assert joined.counts.sum() == values.size
    for alpha in ALPHAS:
        bounds = [lower_bound(sample, 0.0, alpha=alpha) for sample in (joined, exact)]
        assert bounds[0] == pytest.approx(bounds[1], abs=1e-6)
