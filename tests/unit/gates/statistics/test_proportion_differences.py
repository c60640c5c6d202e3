"""Errors, power and coverage over every outcome there is: exact figures, no random numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from airflow_provider_benchmarks.gates.statistics import exact_shares, proportion_differences
from airflow_provider_benchmarks.gates.statistics.exact_shares import ExactTest
from airflow_provider_benchmarks.gates.statistics.share_designs import Pairs, Sides

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
MARGINS = [0.0, 0.03, 0.1, 0.3, -0.02, -0.05, -0.2]


def outcomes(design):
    i, j = (counts.ravel() for counts in np.indices((design.most[0] + 1, design.most[1] + 1)).astype(float))
    possible = j <= design.most_j(i)
    return i[possible], j[possible]


def chances(design, i, j, share, drop):
    """Probabilities of outcomes, by scipy's distributions."""
    if isinstance(design, Pairs):
        shares = [share, share + drop, max(0.0, 1 - 2 * share - drop)]
        return stats.multinomial.pmf(np.stack([i, j, design.n - i - j], axis=-1), design.n, shares)
    other = np.clip(share + drop, 0, 1)
    return stats.binom.pmf(i, design.candidate_n, share) * stats.binom.pmf(j, design.baseline_n, other)


def p_values(design, i, j, margin):
    return np.array([ExactTest(design, int(a), int(b), margin).p_value() for a, b in zip(i, j, strict=True)])


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("design", [*map(Pairs, range(1, 10)), Pairs(20), Sides(9, 9), Sides(6, 14), Sides(13, 4)])
def test_errors_stay_at_every_level_under_every_other_share(design, margin):
    i, j = outcomes(design)
    found = p_values(design, i, j, margin)
    levels = np.unique(found)
    significant = (found <= levels[:, None]).astype(float)
    for share in np.linspace(*design.limits(margin), 151):
        errors = significant @ chances(design, i, j, share, margin)
        assert (errors <= levels * (1 + 1e-5)).all()


@pytest.mark.parametrize("margin", [0.0, 0.05, -0.05])
@pytest.mark.parametrize(
    "design", [Pairs(50), Pairs(120), Sides(50, 50), Sides(30, 80), Pairs(310)], ids=lambda design: repr(design)
)
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_what_is_significant_is_so_in_no_more_of_equal_models(design, margin, alpha):
    region = exact_shares.critical_region(design, margin, alpha, is_refined=True)
    i, j = outcomes(design)
    rejected = j >= region.fewest[i.astype(int)]
    low, high = design.limits(margin)
    # Ten times as fine as the grid that the maximum is searched on.
    shares = low + (high - low) * np.sin(np.linspace(0, np.pi / 2, 1500)) ** 2
    errors = [
        np.exp(design.log_probability(i[rejected], j[rejected], part, margin)).sum(axis=0).max()
        for part in np.array_split(shares, 30)
    ]
    assert alpha / 3 < max(errors) <= alpha * (1 + 1e-5)


@pytest.mark.parametrize(("share", "margin"), [(0.0, 0.0), (0.003, 0.0), (0.03, 0.0), (0.001, 0.01), (0.02, -0.02)])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_errors_stay_at_their_level_with_thousands_of_rows(share, margin, alpha):
    n = 1_200
    assert n > exact_shares._MOST_ROWS
    window = range(*(int(count) for count in stats.binom.interval(1 - 1e-7, n, share) + np.array([0, 1])))
    error = 0.0
    for gains in window:
        low, high = 0, n - gains + 1
        while low < high:
            middle = (low + high) // 2
            if ExactTest(Pairs(n), gains, middle, margin).p_value() <= alpha:
                high = middle
            else:
                low = middle + 1
        lost = stats.binom.sf(high - 1, n - gains, (share + margin) / (1 - share)) if high <= n - gains else 0.0
        error += stats.binom.pmf(gains, n, share) * lost
    assert error <= alpha


def test_the_p_value_is_that_of_its_definition():
    n, margin = 7, 0.05
    i, j = outcomes(Pairs(n))
    shares = np.linspace(0, (1 - margin) / 2, 4001)
    probabilities = np.stack([chances(Pairs(n), i, j, share, margin) for share in shares], axis=1)
    likeliest = probabilities.argmax(axis=1)
    best = stats.multinomial.pmf(np.stack([i, j, n - i - j], axis=-1), n, np.stack([i, j, n - i - j], axis=-1) / n)
    variance = 2 * shares[likeliest] + margin - margin**2
    score = ((j - i) / n - margin) / np.sqrt(variance / n)
    root = np.sign(score) * np.sqrt(2 * np.log(best / probabilities[np.arange(i.size), likeliest]))
    at_least = (score + root)[None, :] >= (score + root)[:, None] - 1e-6
    estimated = np.array([probabilities[mask, at].sum() for mask, at in zip(at_least, likeliest, strict=True)])
    found = p_values(Pairs(n), i, j, margin)
    for outcome in np.flatnonzero(score > 0):
        as_extreme = (score > 0) & (estimated <= estimated[outcome] + 1e-6)
        assert found[outcome] == pytest.approx(probabilities[as_extreme].sum(axis=0).max(), rel=1e-3)


@pytest.mark.parametrize("n", [3, 9])
def test_where_all_rows_are_lost_it_is_the_sign_test(n):
    assert proportion_differences.of_pairs(0, n, n, margin=0.0).p_value(0.0) == pytest.approx(
        stats.binomtest(n, n, 0.5, "greater").pvalue
    )
    assert proportion_differences.of_pairs(n, 0, n, margin=0.0).p_value(0.0) == 1


@pytest.mark.parametrize(
    ("n", "gain", "drop", "alpha", "suissa_shuster", "mcnemar"),
    [
        (50, 0.01, 0.05, 0.05, 0.384, 0.120),
        (200, 0.01, 0.05, 0.005, 0.556, 0.468),
        (100, 0.0, 0.05, 0.05, 0.882, 0.564),
    ],
)
def test_it_sees_as_much_as_other_exact_tests(n, gain, drop, alpha, suissa_shuster, mcnemar):
    i, j = outcomes(Pairs(n))
    chance = chances(Pairs(n), i, j, gain, drop)
    score = np.where(j > i, (j - i) / np.sqrt(np.maximum(i + j, 1)), -1.0)
    order = np.argsort(-score, kind="stable")
    shares = np.linspace(0.0, 0.5, 1001)
    log_chances = Pairs(n).log_probability(i[order], j[order], shares, 0.0)
    # Outcomes with one score are all significant, or none is.
    largest = np.cumsum(np.exp(log_chances), axis=0).max(axis=1)[np.searchsorted(-score[order], -score, "right") - 1]
    assert chance[largest <= alpha].sum() == pytest.approx(suissa_shuster, abs=5e-3)
    assert chance[stats.binom.sf(j - 1, i + j, 0.5) <= alpha].sum() == pytest.approx(mcnemar, abs=5e-3)
    fewest = exact_shares.critical_region(Pairs(n), 0.0, alpha, is_refined=True).fewest
    assert chance[j >= fewest[i.astype(int)]].sum() >= suissa_shuster - 5e-3


@pytest.mark.parametrize(
    ("sizes", "share", "margin", "drop", "alpha", "score", "fisher"),
    [((40, 100), 0.95, 0.02, 0.05, 0.05, 0.323, None), ((50, 50), 0.05, 0.0, 0.15, 0.05, 0.757, 0.663)],
)
def test_sides_see_as_much_as_other_exact_tests(sizes, share, margin, drop, alpha, score, fisher):
    design = Sides(*sizes)
    i, j = outcomes(design)
    chance = chances(design, i, j, share, drop)
    values = design.score(i, j, margin, design.likeliest_share(i, j, margin))
    order = np.argsort(-values, kind="stable")
    shares = np.linspace(*design.limits(margin), 1001)
    cumulated = np.cumsum(np.exp(design.log_probability(i[order], j[order], shares, margin)), axis=0)
    largest = cumulated.max(axis=1)[np.searchsorted(-values[order], -values + 1e-9, "right") - 1]
    assert chance[largest <= alpha].sum() == pytest.approx(score, abs=5e-3)
    fewest = exact_shares.critical_region(design, margin, alpha, is_refined=True).fewest
    ours = chance[j >= fewest[i.astype(int)]].sum()
    assert ours >= score - 5e-3
    if fisher is not None:
        conditional = stats.hypergeom.sf(j - 1, sum(sizes), i + j, sizes[1])
        assert chance[conditional <= alpha].sum() == pytest.approx(fisher, abs=5e-3)


def covered(n, shares, alpha):
    """Probabilities that the lower bound, the upper one, and both hold."""
    gains, losses = outcomes(Pairs(n))
    chance = chances(Pairs(n), gains, losses, shares[0], shares[1] - shares[0])
    likely = chance > 1e-9
    lower, upper = np.array(
        [
            proportion_differences.of_pairs(int(g), int(b), n, margin=0.0).bounds(alpha)
            for g, b in zip(gains[likely], losses[likely], strict=True)
        ]
    ).T
    true = shares[0] - shares[1]
    holds = lower <= true + 1e-9, upper >= true - 1e-9
    return [float(chance[likely][mask].sum()) for mask in (*holds, holds[0] & holds[1])]


@pytest.mark.parametrize("n", [10, 30])
@pytest.mark.parametrize("shares", SHARES)
def test_bounds_and_intervals_cover_their_level(n, shares):
    lower, upper, _ = covered(n, shares, 0.05)
    assert min(lower, upper) >= 0.95 - 1e-6
    assert covered(n, shares, 0.025)[2] >= 0.95 - 1e-6


def test_plain_wald_covers_64_percent_at_50_rows_with_2_percent_differing_and_ours_95():
    losses = np.arange(51.0)
    half = special.ndtri(0.975) * np.sqrt(losses / 50 * (1 - losses / 50) / 50)
    chance = stats.binom.pmf(losses, 50, 0.02)
    assert chance[np.abs(0.02 - losses / 50) <= half].sum() == pytest.approx(0.64, abs=0.005)
    assert covered(50, (0.0, 0.02), 0.025)[2] >= 0.95


counts = st.tuples(st.integers(0, 25), st.integers(0, 25), st.integers(0, 40)).filter(lambda cells: sum(cells) > 0)


@given(counts, st.sampled_from([0.0, 0.02, 0.05, 0.3]), st.sampled_from([0.2, 0.05, 0.005]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_p_value_and_bounds_agree_and_are_ordered(cells, margin, alpha, is_paired):
    gains, losses, ties = cells
    if is_paired:
        found = proportion_differences.of_pairs(gains, losses, sum(cells), margin=margin)
        estimate = (gains - losses) / sum(cells)
    else:
        sizes = gains + ties + 1, losses + ties + 1
        found = proportion_differences.of_sides(gains, sizes[0], losses, sizes[1], margin=margin)
        estimate = gains / sizes[0] - losses / sizes[1]
    lower, upper = found.bounds(alpha)
    assert -1 <= lower <= estimate <= upper <= 1
    assert (found.p_value(margin) <= alpha) == (upper < -margin)
    assert (found.rise.p_value() <= alpha) == (lower > -margin)
    exactly = found.p_value(margin)
    if exactly < 0.5:
        assert found.bounds(exactly * (1 + 1e-9))[1] < -margin <= found.bounds(exactly * (1 - 1e-9))[1]


@pytest.mark.parametrize("margin", [0.0, 0.04, -0.04])
@pytest.mark.parametrize("design", [Pairs(25), Sides(14, 22), Pairs(305)], ids=lambda design: repr(design))
def test_more_losses_or_fewer_gains_never_raise_the_p_value(design, margin):
    most = min(design.most[0], 30)
    for gains in range(0, most, 5):
        found = [
            ExactTest(design, gains, j, margin).p_value()
            for j in range(0, min(most, int(design.most_j(np.array(gains)))), 3)
        ]
        assert all(before >= after * (1 - 1e-9) for before, after in itertools.pairwise(found))
    for losses in range(0, most, 5):
        found = [
            ExactTest(design, i, losses, margin).p_value()
            for i in range(0, most, 3)
            if losses <= design.most_j(np.array(i))
        ]
        assert all(before <= after * (1 + 1e-9) for before, after in itertools.pairwise(found))


def test_a_hundred_thousand_pairs_are_no_burden():
    found = proportion_differences.of_pairs(10_000, 10_300, 100_000, margin=0.0)
    lower, upper = found.bounds(0.025)
    # With so many, the normal approximation is exact enough.
    half = special.ndtri(0.975) * np.sqrt(0.203 / 100_000)
    assert (lower, upper) == pytest.approx((-0.003 - half, -0.003 + half), abs=0.03 * half)
    assert found.p_value(0.0) == pytest.approx(special.ndtr(-0.003 / np.sqrt(0.203 / 100_000)), rel=0.05)


def test_standard_errors_are_those_with_added_rows():
    added = np.array([1] * 4 + [-1] * 10 + [0] * 28)
    assert proportion_differences.paired_error(3, 9, 40) == pytest.approx(added.std() / np.sqrt(42))
    # statpsych, ci.prop.ps(.05, 12, 4, 26, 6).
    assert proportion_differences.paired_error(26, 4, 48) == pytest.approx(0.09448809, abs=1e-8)
    assert proportion_differences.unpaired_error(40, 50, 45, 60) == pytest.approx(
        np.sqrt(41 / 52 * 11 / 52 / 52 + 46 / 62 * 16 / 62 / 62)
    )
