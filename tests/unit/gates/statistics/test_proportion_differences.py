"""Coverage and errors over every table of counts there is: exact figures, no random numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from airflow_provider_benchmarks.gates.statistics import proportion_differences

# Shares of gains and of losses: none, rare, frequent.
SHARES = [
    (0.0, 0.0),
    (0.01, 0.01),
    (0.0, 0.02),
    (0.0, 0.05),
    (0.0, 0.1),
    (0.02, 0.06),
    (0.1, 0.1),
    (0.1, 0.2),
    (0.2, 0.5),
]


def tables(n: int) -> tuple[np.ndarray, np.ndarray]:
    gains, losses = np.meshgrid(np.arange(n + 1.0), np.arange(n + 1.0), indexing="ij")
    possible = gains + losses <= n
    return gains[possible], losses[possible]


def chances(gains: np.ndarray, losses: np.ndarray, n: int, shares: tuple[float, float]) -> np.ndarray:
    counts = np.stack([gains, losses, n - gains - losses], axis=-1)
    return stats.multinomial.pmf(counts, n, [*shares, 1 - sum(shares)])


def plain_wald(gains, losses, n, *, alpha):
    estimate = (gains - losses) / n
    half = special.ndtri(1 - alpha) * np.sqrt(((gains + losses) / n - estimate**2) / n)
    return estimate - half, estimate + half


def covered(bounds, n: int, shares: tuple[float, float], alpha: float) -> float:
    counts = tables(n)
    lower, upper = bounds(*counts, n, alpha=alpha)
    true = shares[0] - shares[1]
    return float(chances(*counts, n, shares)[(lower <= true + 1e-9) & (upper >= true - 1e-9)].sum())


def test_plain_wald_covers_64_percent_at_50_rows_with_2_percent_differing_and_ours_95():
    assert covered(plain_wald, 50, (0.0, 0.02), 0.025) == pytest.approx(0.64, abs=0.005)
    assert covered(proportion_differences.paired_bounds, 50, (0.0, 0.02), 0.025) >= 0.95


@pytest.mark.parametrize("n", [10, 20, 50, 100])
@pytest.mark.parametrize("shares", SHARES)
def test_the_two_sided_interval_covers_its_level(n, shares):
    assert covered(proportion_differences.paired_bounds, n, shares, 0.025) >= 0.95


@pytest.mark.parametrize("n", [10, 20, 50, 100])
@pytest.mark.parametrize("shares", SHARES)
def test_a_true_drop_at_the_margin_passes_and_fails_in_5_percent_at_most(n, shares):
    counts = tables(n)
    chance = chances(*counts, n, shares)
    lower, upper = proportion_differences.paired_bounds(*counts, n, alpha=0.05)
    true = shares[0] - shares[1]
    assert chance[lower > true + 1e-9].sum() <= 0.05
    assert chance[upper < true - 1e-9].sum() <= 0.05


def test_bonett_price_alone_would_let_more_than_8_percent_through():
    counts = tables(100)
    estimate, error = proportion_differences.bonett_price(*counts, 100)
    passes = estimate - special.ndtri(0.95) * error > -0.08
    assert chances(*counts, 100, (0.0, 0.08))[passes].sum() > 0.08


def test_ten_checks_with_one_budget_keep_their_smaller_level():
    for n in (20, 50, 100):
        counts = tables(n)
        rejected = proportion_differences.paired_p_value(*counts, n, margin=0.0) < 0.005
        for share in (0.01, 0.05, 0.1, 0.2, 0.45):
            assert chances(*counts, n, (share, share))[rejected].sum() <= 0.005


def test_p_value_is_the_level_at_which_the_upper_bound_reaches_the_margin():
    gains, losses = np.array([0.0, 2, 5, 0, 30]), np.array([6.0, 12, 25, 50, 60])
    p_value = proportion_differences.paired_p_value(gains, losses, 100, margin=0.03)
    assert proportion_differences.paired_bounds(gains, losses, 100, alpha=p_value)[1] == pytest.approx(
        np.full(5, -0.03), abs=1e-9
    )


def test_the_example_of_bonetts_own_package():
    # statpsych, ci.prop.ps(.05, 12, 4, 26, 6).
    estimate, error = proportion_differences.bonett_price(26, 4, 48)
    half = special.ndtri(0.975) * error
    assert (estimate, error) == pytest.approx((0.44, 0.09448809), abs=1e-8)
    assert (estimate - half, estimate + half) == pytest.approx((0.2548067, 0.6251933), abs=1e-7)


def test_bonett_price_is_plain_wald_with_one_pair_added_to_each_cell_that_differs():
    estimate, error = proportion_differences.bonett_price(3, 9, 40)
    added = np.array([1] * 4 + [-1] * 10 + [0] * 28)
    assert estimate == pytest.approx(added.mean())
    assert error == pytest.approx(added.std() / np.sqrt(42))


@pytest.mark.parametrize("shares", [(1.0, 1.0), (0.95, 0.95), (0.9, 1.0), (0.5, 0.6), (0.02, 0.05)])
def test_unpaired_errors_stay_at_their_level(shares):
    n = 50
    candidate, baseline = (side.ravel() for side in np.meshgrid(np.arange(n + 1.0), np.arange(n + 1.0)))
    chance = stats.binom.pmf(candidate, n, shares[0]) * stats.binom.pmf(baseline, n, shares[1])
    lower, upper = proportion_differences.unpaired_bounds(candidate, n, baseline, n, alpha=0.05)
    true = shares[0] - shares[1]
    assert chance[lower > true + 1e-9].sum() <= 0.05
    assert chance[upper < true - 1e-9].sum() <= 0.05
    p_value = proportion_differences.unpaired_p_value(candidate, n, baseline, n, margin=-min(true, 0.0))
    assert ((p_value < 0.05) == (upper < min(true, 0.0))).all()
