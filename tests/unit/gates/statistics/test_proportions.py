from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from airflow_provider_benchmarks.gates.statistics.proportions import exact_interval

counts = st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, st.sampled_from([0.8, 0.95, 0.999]))
def test_agrees_with_statsmodels(count, confidence):
    from statsmodels.stats.proportion import proportion_confint

    expected = proportion_confint(*count, alpha=1 - confidence, method="beta")
    assert exact_interval(*count, confidence=confidence) == pytest.approx(expected, abs=1e-9)


@given(counts)
def test_one_sided_bounds_at_95_are_the_two_sided_interval_at_90(count):
    one_sided = exact_interval(*count, confidence=0.95, one_sided=True)
    assert one_sided == pytest.approx(exact_interval(*count, confidence=0.9))


def test_newcombes_examples():
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 5.
    assert exact_interval(81, 263, confidence=0.95) == pytest.approx((0.2527, 0.3676), abs=5e-5)
    assert exact_interval(1, 29, confidence=0.95) == pytest.approx((0.0009, 0.1776), abs=5e-5)


@pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 0.999])
def test_exact_interval_covers_at_least_its_level(share):
    covered = 0.0
    for successes in range(51):
        low, high = exact_interval(successes, 50, confidence=0.95)
        covered += stats.binom.pmf(successes, 50, share) * (low <= share <= high)
    assert covered >= 0.95


@pytest.mark.parametrize("wrong", [(3, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(wrong):
    with pytest.raises(ValueError, match="successes of n >= 1 trials"):
        exact_interval(*wrong, confidence=0.95)


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_confidence_is_a_probability(confidence):
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1"):
        exact_interval(1, 2, confidence=confidence)
