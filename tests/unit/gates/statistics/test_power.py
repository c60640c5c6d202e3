from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from airflow_provider_benchmarks.gates.statistics import power, zero_one


@pytest.mark.parametrize("n", [10, 50, 400])
def test_detectable_drop_of_a_mean_agrees_with_statsmodels(n):
    error = 0.3
    reach = stats.t.ppf(0.95, n - 1) * error
    drop = power.detectable_drop(
        reaches=np.array([reach / error]),
        least=0.0,
        error=error,
        degrees=n - 1,
        margin=0.1,
        spread=power.Spread.unchanged(),
    )
    effect = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8, alternative="larger")
    typical = error * np.sqrt((n - 1) / stats.chi2.median(n - 1))
    assert drop == pytest.approx(0.1 + effect * typical * np.sqrt(n), rel=1e-3)


def test_detectable_drop_of_a_mean_changes_little_where_the_normal_takes_over():
    at_limit, beyond = (
        power.detectable_drop(
            reaches=np.array([1.645]), least=0.0, error=1, degrees=d, margin=0, spread=power.Spread.unchanged()
        )
        for d in (99_999, 100_001)
    )
    assert at_limit == pytest.approx(beyond, rel=1e-3)


@pytest.mark.parametrize(("gains", "losses", "n"), [(0, 0, 50), (2, 2, 50), (10, 10, 100), (40, 40, 200)])
@pytest.mark.parametrize("margin", [0.0, 0.03])
def test_a_detectable_drop_of_pairs_is_seen_in_80_percent(gains, losses, n, margin):
    ones = round(0.7 * n)
    drop = power.detectable_drop_of_pairs(gains, losses, n, baseline_ones=ones, margin=margin, alpha=0.05)
    # The model once more, by drawing: two normal variables, and the candidate's limit moved.
    random = np.random.default_rng(1)
    correlation = power._correlation(0.7, (gains + losses) / n)
    baseline = random.normal(size=(4000, n))
    candidate = correlation * baseline + np.sqrt(1 - correlation**2) * random.normal(size=(4000, n))
    first, second = candidate > -stats.norm.ppf(0.7 - drop), baseline > -stats.norm.ppf(0.7)
    upper = zero_one.paired_bounds(
        (first & ~second).sum(axis=1).astype(float), (second & ~first).sum(axis=1).astype(float), n, alpha=0.05
    )[1]
    assert (upper < -margin).mean() == pytest.approx(0.8, abs=0.03)


def test_more_rows_see_smaller_drops_and_a_million_are_no_burden():
    drops = [
        power.detectable_drop_of_pairs(n // 20, n // 20, n, baseline_ones=n // 2, margin=0.0, alpha=0.05)
        for n in (40, 400, 4_000, 1_000_000)
    ]
    assert drops == sorted(drops, reverse=True)
    assert drops[-1] == pytest.approx(2.486 * np.sqrt(0.1 / 1_000_000), rel=0.02)


def test_a_baseline_without_a_1_has_nothing_to_lose():
    assert power.detectable_drop_of_pairs(3, 0, 50, baseline_ones=0, margin=0.0, alpha=0.05) == 1


def test_a_perfect_baseline_can_lose():
    drop = power.detectable_drop_of_pairs(0, 0, 50, baseline_ones=50, margin=0.0, alpha=0.05)
    fewest = next(c for c in range(50) if zero_one.paired_bounds(0, c, 50, alpha=0.05)[1] < 0)
    assert stats.binom.sf(fewest - 1, 50, drop) == pytest.approx(0.8, abs=1e-3)
