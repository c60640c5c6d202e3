"""With few rows or clusters a collapse is seen, and equal models are not taken for one more often than is promised."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from airflow_provider_benchmarks.gates.statistics import paired_difference
from airflow_provider_benchmarks.gates.statistics.small_samples import (
    p_value_of_clusters,
    p_value_of_sides,
)

LEVELS = (0.1, 0.05, 0.01, 0.001)


@pytest.mark.parametrize("n", [2, 5, 9])
@pytest.mark.parametrize("loss", [0.25, 1.0])
def test_few_pairs_in_a_range_keep_their_level(n, loss):
    """A row loses, or gains the largest difference that is possible, so rarely that the mean does not change."""
    gain, blocked = 1.0, 0.0
    for gained in range(n + 1):
        chance = stats.binom.pmf(gained, n, loss / (loss + gain))
        candidate = np.r_[np.full(gained, 5.0), np.full(n - gained, 5.0 - 4 * loss)]
        baseline = np.r_[np.full(gained, 1.0), np.full(n - gained, 5.0)]
        found = paired_difference(candidate, baseline, margin=0.0, confidence=0.95, limits=(-4.0, 4.0))
        assert found.problem == f"{n} rows, 10 are needed"
        blocked += chance * (found.p_value <= 0.05)
    assert blocked <= 0.05


def test_a_collapse_of_nine_graded_rows_is_seen():
    found = paired_difference(np.ones(9), np.full(9, 5.0), margin=0.5, confidence=0.95, limits=(-4.0, 4.0))
    assert found.p_value == pytest.approx((4.5 / 8) ** 9)


@pytest.mark.parametrize("sizes", [(3, 9), (9, 9), (9, 500)])
def test_sides_in_a_range_keep_their_level(sizes):
    first, second = (stats.binom.pmf(np.arange(n + 1), n, 0.5) for n in sizes)
    means = np.arange(sizes[0] + 1)[:, None] / sizes[0] - np.arange(sizes[1] + 1)[None, :] / sizes[1]
    found = np.vectorize(lambda mean: p_value_of_sides(mean, sizes, 1.0, margin=0.0))(means)
    for level in LEVELS:
        assert (first[:, None] * second[None, :])[found <= level].sum() <= level


def test_scores_without_a_range_that_fell_beyond_the_margin_are_a_drop():
    assert p_value_of_clusters(0.0, 4, 0.0, margin=0.0) == 1


def test_clusters_that_lost_nearly_all_are_a_drop_and_one_is_not():
    assert p_value_of_clusters(-0.9, 4, 1.0, margin=0.0) == pytest.approx(0.1**4)
    assert p_value_of_clusters(-1.0, 1, 1.0, margin=0.0) == 1
    assert p_value_of_clusters(-0.9, 2, 1.0, margin=0.2) == pytest.approx(0.3**2)
    assert p_value_of_clusters(-0.1, 2, 1.0, margin=0.2) == 1


@pytest.mark.parametrize("clusters", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["success differs", "whole clusters change", "graded", "one in ten gains"])
def test_equal_models_with_few_clusters_are_not_blocked(clusters, kind):
    random, runs = np.random.default_rng(clusters), 600
    of = np.repeat(np.arange(clusters), 10)
    blocked = 0
    for _ in range(runs):
        match kind:
            case "success differs":
                sides = [(random.random(of.size) < random.beta(0.5, 0.5, clusters)[of]).astype(float) for _ in "ab"]
            case "whole clusters change":
                base = random.integers(0, 2, clusters)
                sides = [np.where(random.random(clusters) < 0.3, 1 - base, base)[of], base[of]]
            case "graded":
                sides = [
                    np.clip(random.normal(0.5, 0.2, of.size) + random.normal(0, 0.2, clusters)[of], 0, 1) for _ in "ab"
                ]
            case _:
                gains = (random.random(clusters) < 0.1)[of]
                sides = [np.where(gains, 0.95, 0.45), np.where(gains, 0.05, 0.55) + random.normal(0, 0.01, of.size)]
        blocked += paired_difference(*sides, margin=0.0, confidence=0.95, clusters=of).p_value < 0.05
    assert blocked / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
