from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from airflow_provider_benchmarks.gates.statistics import (
    exact_shares,
    paired_difference,
    proportion_differences,
    skewed_means,
)
from airflow_provider_benchmarks.gates.statistics.bounds import detectable_by_t
from airflow_provider_benchmarks.gates.statistics.power import _ShiftModel, detectable_drop
from airflow_provider_benchmarks.gates.statistics.share_designs import Pairs


def drop_of_pairs(gains, losses, n, *, baseline_ones, margin=0.0, alpha=0.05):
    """The detectable drop of 0/1 scores with these counts."""
    baseline = (np.arange(n) < baseline_ones).astype(float)
    candidate = baseline.copy()
    candidate[:losses] = 0
    candidate[n - gains :] = 1
    return detectable_drop(candidate, baseline, margin=margin, alpha=alpha)


@pytest.mark.parametrize("n", [10, 50, 400])
def test_what_student_s_t_sees_agrees_with_statsmodels(n):
    from statsmodels.stats.power import TTestPower

    error = 0.3
    effect = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8, alternative="larger")
    typical = error * np.sqrt((n - 1) / stats.chi2.median(n - 1))
    found = detectable_by_t(error=error, degrees=n - 1, alpha=0.05)
    assert found == pytest.approx(effect * typical * np.sqrt(n), rel=1e-3)


def scores(random, releases, n, *, harder=0.0, share=0.3, cluster=1):
    """Candidates and baselines: 5-step scores of normal variables, of which rows of a cluster share a part."""

    def rows():
        own = random.normal(size=(releases, n))
        shared = np.repeat(random.normal(size=(releases, n // cluster)), cluster, axis=1)
        return np.sqrt(1 - share) * own + np.sqrt(share) * shared if cluster > 1 else own

    baseline, noise = rows(), rows()
    candidate = 0.5 * baseline + np.sqrt(0.75) * noise - harder
    return tuple(1.0 + np.digitize(side, [-1.6, -0.9, -0.2, 0.7]) for side in (candidate, baseline))


@pytest.mark.parametrize("alpha", [0.05, 0.005])
@pytest.mark.parametrize(("n", "cluster"), [(50, 1), (50, 5), (150, 1)])
def test_a_detectable_drop_of_values_is_seen_in_80_percent(n, cluster, alpha):
    random, margin = np.random.default_rng(7), 0.1
    clusters = np.arange(n) // cluster if cluster > 1 else None
    reported = [
        paired_difference(*sides, margin=margin, confidence=0.95, clusters=clusters).detectable(alpha)
        for sides in zip(*scores(random, 60, n, cluster=cluster), strict=True)
    ]
    drop = float(np.median(reported))
    many, _ = scores(random, 1, 100_000)
    harder = optimize.brentq(
        lambda by: many.mean() - drop - scores(np.random.default_rng(9), 1, 100_000, harder=by)[0].mean(), 0, 5
    )
    candidate, baseline = scores(random, 2000, n, harder=harder, cluster=cluster)
    values = (candidate - baseline).reshape(2000, -1, cluster).mean(axis=2)
    upper = skewed_means.bounds(*skewed_means.moments(values), values.shape[1], alpha=alpha)[1]
    assert (upper < -margin).mean() == pytest.approx(0.8, abs=0.08)


@pytest.mark.parametrize(("gains", "losses", "n"), [(0, 0, 50), (2, 2, 50), (10, 10, 100), (40, 40, 200)])
@pytest.mark.parametrize("margin", [0.0, 0.03])
def test_a_detectable_drop_of_pairs_is_seen_in_80_percent(gains, losses, n, margin):
    ones = round(0.7 * n)
    drop = drop_of_pairs(gains, losses, n, baseline_ones=ones, margin=margin)
    # The model once more, by drawing: two normal variables, and the candidate's limit moved.
    random = np.random.default_rng(1)
    pairs = _ShiftModel.fitted(np.array([0.0, 1.0]), np.array([1 - 0.7, 0.7]), (gains + losses) / n, points=2000)
    correlation = pairs.correlation
    baseline = random.normal(size=(4000, n))
    candidate = correlation * baseline + np.sqrt(1 - correlation**2) * random.normal(size=(4000, n))
    first, second = candidate > -stats.norm.ppf(0.7 - drop), baseline > -stats.norm.ppf(0.7)
    gained, lost = (first & ~second).sum(axis=1), (second & ~first).sum(axis=1)
    fewest = exact_shares.critical_region(Pairs(n), margin, 0.05, is_refined=True).fewest
    assert (lost >= fewest[gained]).mean() == pytest.approx(0.8, abs=0.03)


def test_more_rows_see_smaller_drops_and_a_million_are_no_burden():
    drops = [drop_of_pairs(n // 20, n // 20, n, baseline_ones=n // 2) for n in (40, 400, 4_000, 1_000_000)]
    assert drops == sorted(drops, reverse=True)
    assert drops[-1] == pytest.approx(2.486 * np.sqrt(0.1 / 1_000_000), rel=0.02)


def test_a_baseline_without_a_1_has_nothing_to_lose():
    assert drop_of_pairs(3, 0, 50, baseline_ones=0) == 1


def test_a_perfect_baseline_can_lose():
    drop = drop_of_pairs(0, 0, 50, baseline_ones=50)
    fewest = next(c for c in range(50) if proportion_differences.of_pairs(0, c, 50, margin=0.0).bounds(0.05)[1] < 0)
    assert stats.binom.sf(fewest - 1, 50, drop) == pytest.approx(0.8, abs=1e-3)
