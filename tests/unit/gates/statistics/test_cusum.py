"""CUSUM charts against a reference of few jobs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from airflow_provider_benchmarks.gates.statistics.cusum import ALLOWANCE, MONTH, CusumChart, limit_of, next_sum

TINY = 1e-9


def chart(reference, later=(), *, two_sided=False, least_spread=TINY):
    return CusumChart.of(reference, later, two_sided=two_sided, least_spread=least_spread)


def test_mean_and_spread_are_those_of_the_reference():
    found = chart([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (found.mean, found.spread) == (3.0, pytest.approx(math.sqrt(2.5)))
    assert (found.falls, found.rises) == ((), ())
    assert found.lowest == pytest.approx(3.0 - (found.limit + ALLOWANCE) * found.spread)
    assert found.highest == pytest.approx(3.0 + (found.limit + ALLOWANCE) * found.spread)


def test_the_sums_are_those_of_the_tabular_scheme():
    found = chart([1.0, 2.0, 3.0, 4.0, 5.0], [3.0, 1.0, 1.0, 6.0])
    # Four degrees of freedom of the reference, two thirds of one for each later difference.
    spread = math.sqrt((10 + 2 / 3 * (4 + 0 + 25) / 2) / (4 + 2 / 3 * 3))
    assert found.spread == pytest.approx(spread)
    fall = 2 / spread - 0.75
    assert found.falls == pytest.approx((0.0, fall, 2 * fall, max(0.0, 2 * fall - 3 / spread - 0.75)))
    assert found.rises == pytest.approx((0.0, 0.0, 0.0, 3 / spread - 0.75))
    assert found.lowest == pytest.approx(3.0 - (found.limit + 0.75 - found.falls[-1]) * spread)


def test_a_slow_drift_hardly_widens_the_spread():
    random = np.random.default_rng(5)
    nights = random.standard_normal(500)
    still, drifting = (chart(nights[:10], nights[10:] - slope * np.arange(490)).spread for slope in (0.0, 0.1))
    assert still == pytest.approx(1.0, abs=0.1)
    assert drifting == pytest.approx(still, rel=0.01)


def test_a_sum_is_cut_at_the_limit_so_that_a_model_can_recover():
    found = chart([-1.0, 1.0] * 5, [-50.0, -50.0, 0.0])
    assert found.falls[1] == found.limit
    assert found.falls[2] == pytest.approx(found.limit - ALLOWANCE)
    assert found.lowest < 0 < found.highest


def test_one_deviation_of_the_allowance_adds_nothing():
    assert next_sum(0.0, ALLOWANCE) == 0.0
    assert next_sum(2.0, ALLOWANCE) == 2.0


@pytest.mark.parametrize("value", [0.0, 0.7, -3.0, 1e308])
def test_equal_jobs_have_the_least_spread(value):
    found = chart([value] * 10, [value] * 3, least_spread=0.01)
    assert found.falls == (0.0, 0.0, 0.0)
    assert found.spread == pytest.approx(0.01)


def test_no_square_is_too_large():
    found = chart([1e300, 1.1e300] * 5, [1e300, 1.2e300])
    assert found.spread == pytest.approx(0.068e300, rel=0.1)
    assert math.isfinite(found.lowest)


@pytest.mark.parametrize(
    ("reference", "two_sided", "limit"),
    [(5, False, 9.2), (10, False, 5.73), (20, False, 4.36), (5, True, 13.3), (10, True, 7.6), (20, True, 5.4)],
)
def test_limits(reference, two_sided, limit):
    assert limit_of(reference, two_sided=two_sided) == pytest.approx(limit, rel=0.03)


def test_a_limit_is_always_the_same():
    limit_of.cache_clear()
    first = limit_of(7, two_sided=True)
    limit_of.cache_clear()
    assert limit_of(7, two_sided=True) == first


@pytest.mark.parametrize("two_sided", [False, True])
@pytest.mark.parametrize("reference", [5, 10, 20])
def test_an_unchanged_model_has_at_most_one_false_month_in_twenty(reference, two_sided):
    """With the chart itself, job by job, as a gate makes it; 400 months."""
    random = np.random.default_rng(11)
    alarms = 0
    for _ in range(400):
        nights = random.standard_normal(reference + MONTH)
        for night in range(reference, reference + MONTH):
            found = chart(nights[:reference], nights[reference:night], two_sided=two_sided)
            if nights[night] < found.lowest or (two_sided and nights[night] > found.highest):
                alarms += 1
                break
    assert alarms <= 400 * (0.05 + 3 * math.sqrt(0.05 * 0.95 / 400))


def test_a_drift_of_a_tenth_of_a_spread_is_found_within_a_month():
    random = np.random.default_rng(12)
    found = 0
    for _ in range(200):
        nights = random.standard_normal(10 + MONTH)
        nights[10:] -= 0.1 * np.arange(1, MONTH + 1)
        found += any(nights[n] < chart(nights[:10], nights[10:n]).lowest for n in range(10, 10 + MONTH))
    assert found >= 200 * 0.95
