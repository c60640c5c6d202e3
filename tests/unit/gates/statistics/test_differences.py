from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from airflow_provider_benchmarks.gates.statistics.differences import (
    MIN_ROWS,
    Difference,
    Moments,
    paired_difference,
    rows_to_decide,
    unpaired_difference,
)
from airflow_provider_benchmarks.gates.statistics.exact_shares import critical_region
from airflow_provider_benchmarks.gates.statistics.share_designs import Pairs


def pairs(both: int, gains: int, losses: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    candidate = np.repeat([1, 1, 0, 0], [both, gains, losses, neither])
    baseline = np.repeat([1, 0, 1, 0], [both, gains, losses, neither])
    return candidate, baseline


def compare(candidate, baseline, *, margin: float = 0.0, confidence: float = 0.95, **options) -> Difference:
    return paired_difference(candidate, baseline, margin=margin, confidence=confidence, **options)


class TestZeroOne:
    def test_no_pair_differs_certifies_no_more_than_the_rule_of_three(self):
        result = compare(*pairs(30, 0, 0, 20))
        assert result.estimate == 0
        assert result.lower == pytest.approx(-(1 - 0.05 ** (1 / 50)))
        assert result.upper == -result.lower
        assert result.p_value >= 0.5
        assert result.mcnemar_p == 1
        assert result.problem is None

    def test_every_pair_differs_one_way(self):
        result = compare(*pairs(0, 0, 50, 0))
        assert result.estimate == -1
        assert result.lower == -1
        assert -1 < result.upper < -0.85
        assert result.p_value < 1e-9
        assert result.mcnemar_p == pytest.approx(2 * 0.5**50)

    @pytest.mark.parametrize("gains", [0, 1, 3, 8])
    @pytest.mark.parametrize("losses", [0, 2, 8])
    def test_mcnemar_is_the_exact_two_sided_test_of_the_pairs_that_differ(self, gains, losses):
        result = compare(*pairs(40, gains, losses, 20))
        expected = stats.binomtest(gains, gains + losses, 0.5).pvalue if gains + losses else 1.0
        assert result.mcnemar_p == pytest.approx(expected)

    def test_losses_give_the_small_p_value_and_gains_do_not(self):
        assert compare(*pairs(40, 1, 15, 20)).p_value < 0.001
        assert compare(*pairs(40, 15, 1, 20)).p_value > 0.99

    def test_booleans_are_scores_of_0_and_1(self):
        candidate, baseline = pairs(20, 3, 9, 20)
        assert compare(candidate.astype(bool), baseline.astype(bool)) == compare(candidate, baseline)


class TestOtherScores:
    def test_symmetric_differences_get_students_interval(self):
        half = np.random.default_rng(1).normal(size=100)
        differences = np.concatenate([half, -half]) - 0.3
        result = compare(differences, np.zeros(200), margin=0.1, rare_losses=False)
        expected = stats.ttest_1samp(differences, -0.1, alternative="less")
        assert result.p_value == pytest.approx(expected.pvalue)
        assert result.interval == pytest.approx(tuple(stats.ttest_1samp(differences, 0).confidence_interval(0.95)))
        one_sided = expected.confidence_interval(0.95)
        assert result.upper == pytest.approx(one_sided.high)

    @given(arrays.arrays(float, st.integers(10, 60), elements=st.integers(-8, 8).map(lambda number: number / 4)))
    @settings(max_examples=80, deadline=None)
    def test_never_narrower_than_students_interval(self, differences):
        if differences.std() == 0:
            return
        candidate = differences + 5.0
        result = compare(candidate, np.full_like(differences, 5.0))
        low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
        assert result.interval[0] <= low + 1e-9
        assert result.interval[1] >= high - 1e-9
        assert result.p_value >= stats.ttest_1samp(differences, 0, alternative="less").pvalue - 1e-9

    def test_skewed_differences_are_bounded_with_more_care_on_the_long_side(self):
        differences = -np.random.default_rng(4).exponential(size=40)
        result = compare(differences, np.zeros(40))
        low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
        assert result.interval[0] < low - 0.05
        assert result.interval[1] == pytest.approx(high)

    @pytest.mark.parametrize("rows", [10, 58, 59])
    def test_equal_differences_prove_no_more_than_the_rule_of_three(self, rows):
        scores = np.linspace(0, 5, rows)
        result = compare(scores, scores, limits=(-5.0, 5.0))
        assert (result.problem, result.p_value) == (None, 1)
        assert result.lower == pytest.approx(-5 * (1 - 0.05 ** (1 / rows)))
        # What is not known of the range is assumed to be more than is seen.
        unseen = 1 + 20 / rows
        assert compare(scores, scores).lower == pytest.approx(-5 * unseen * (1 - 0.05 ** (1 / rows)))
        assert compare(scores, scores, rare_losses=False).lower == 0

    def test_zero_variance_of_a_drop_is_seen_when_it_is_larger_than_what_may_hide(self):
        scores = np.linspace(0, 5, 100)
        result = compare(scores - 1.0, scores, margin=0.2, limits=(-6.0, 6.0))
        assert result.problem is None
        assert result.upper < -0.2
        # All lost 1; the share of rows that gained 6 must be at least 0.8/7 for a mean of −0.2.
        assert result.p_value == pytest.approx((1 - 0.8 / 7) ** 100)

    def test_what_rounding_leaves_is_no_variance(self):
        baseline = np.random.default_rng(3).random(30)
        assert compare(baseline + 0.1, baseline).method == "paired t, no variance"


class TestFewRows:
    def test_one_row_says_nothing(self):
        result = compare([0.4], [0.7])
        assert result.interval == (-math.inf, math.inf)
        assert result.p_value > 0.5
        assert result.detectable_drop == math.inf
        assert result.problem == "1 row, 10 are needed"

    @pytest.mark.parametrize("scores", [([1.0, 0.0], [1.0, 1.0]), ([0.1, 0.5], [0.3, 0.4])])
    def test_two_rows_cannot_judge(self, scores):
        assert compare(*scores).problem == f"2 rows, {MIN_ROWS} are needed"

    @pytest.mark.parametrize(
        ("candidate", "baseline", "options"),
        [
            ([], [], {}),
            ([1, 0], [1], {}),
            ([1, math.nan], [1, 0], {}),
            ([1, 0], [1, math.inf], {}),
            ([1, 0], [1, 0], {"margin": -0.1}),
            ([1, 0], [1, 0], {"confidence": 1.0}),
            ([1, 0], [1, 0], {"clusters": ["a"]}),
        ],
    )
    def test_impossible_input_is_refused(self, candidate, baseline, options):
        with pytest.raises(ValueError, match="found|finite|labels"):
            compare(candidate, baseline, **options)


class TestClusters:
    @pytest.fixture
    def clustered(self):
        random = np.random.default_rng(5)
        clusters = np.arange(200) // 5
        differences = random.normal(size=200) + random.normal(size=40)[clusters]
        return differences, clusters

    def test_error_is_the_clustered_error_of_a_regression_on_a_constant(self, clustered):
        from statsmodels.regression.linear_model import OLS

        differences, clusters = clustered
        result = compare(differences, np.zeros(200), clusters=clusters)
        fit = OLS(differences, np.ones(200)).fit()
        # statsmodels multiplies by C/(C − 1) · (n − 1)/(n − 1).
        robust = fit.get_robustcov_results("cluster", groups=clusters, use_correction=True)
        assert result.standard_error == pytest.approx(float(robust.bse[0]))
        assert result.clusters == 40
        assert result.n == 200
        centred = differences - differences.mean()
        miller = math.sqrt(sum(centred[clusters == c].sum() ** 2 for c in range(40))) / 200
        assert result.standard_error == pytest.approx(miller * math.sqrt(40 / 39))

    def test_rows_that_depend_on_one_another_widen_the_interval(self, clustered):
        differences, clusters = clustered
        assert np.ptp(compare(differences, np.zeros(200), clusters=clusters).interval) > 1.5 * np.ptp(
            compare(differences, np.zeros(200)).interval
        )

    def test_clusters_of_one_row_change_nothing(self, clustered):
        differences, _ = clustered
        alone, plain = (compare(differences, np.zeros(200), clusters=c) for c in (np.arange(200), None))
        assert alone.interval == pytest.approx(plain.interval)
        assert alone.p_value == pytest.approx(plain.p_value)

    @pytest.mark.parametrize("count", [1, 4])
    def test_fewer_than_five_clusters_cannot_judge(self, clustered, count):
        differences, _ = clustered
        result = compare(differences, np.zeros(200), clusters=np.arange(200) % count)
        assert result.problem == f"{count} cluster{'s' * (count > 1)}, 5 are needed"

    def test_one_giant_cluster_cannot_judge_and_says_nothing(self, clustered):
        differences, _ = clustered
        result = compare(differences, np.zeros(200), clusters=np.maximum(np.arange(200) - 190, 0))
        assert result.problem == "10 clusters of such unequal sizes count as 1.1 equal ones, 3 are needed"
        assert result.interval == (-math.inf, math.inf)

    def test_large_clusters_beside_small_ones_keep_the_level(self):
        # Twenty clusters of one row beside two of twenty: with t(21) a drop past the margin passes in 10 % of runs.
        random = np.random.default_rng(6)
        clusters = np.repeat(np.arange(22), [1] * 20 + [20] * 2)
        runs = (
            np.sqrt(0.3) * random.normal(size=22)[clusters] + np.sqrt(0.7) * random.normal(size=60) for _ in range(600)
        )
        results = [compare(run, np.zeros(60), clusters=clusters) for run in runs]
        assert np.mean([result.lower > 0 for result in results]) < 0.06
        assert np.mean([result.upper < 0 for result in results]) < 0.06

    def test_0_1_scores_are_never_surer_than_without_clusters(self):
        candidate, baseline = pairs(60, 2, 10, 28)
        spread = np.arange(100) % 20  # each cluster has its share of the losses, so that clusters hardly vary
        clustered, plain = (compare(candidate, baseline, clusters=c) for c in (spread, None))
        assert clustered.lower <= plain.lower
        assert clustered.upper >= plain.upper
        assert clustered.p_value >= plain.p_value
        assert clustered.mcnemar_p is None

    def test_labels_may_be_words(self, clustered):
        differences, clusters = clustered
        words = [f"document-{label}" for label in clusters]
        by_word, by_number = (compare(differences, np.zeros(200), clusters=labels) for labels in (words, clusters))
        assert by_word.interval == pytest.approx(by_number.interval)


zero_one_pairs = st.tuples(*[st.integers(0, 30)] * 4).filter(lambda cells: sum(cells) > 0).map(lambda c: pairs(*c))
other_pairs = st.integers(2, 40).flatmap(
    lambda n: st.tuples(*[arrays.arrays(float, n, elements=st.integers(1, 500).map(lambda v: v / 100))] * 2)
)
any_pairs = st.one_of(zero_one_pairs, other_pairs)
margins = st.sampled_from([0.0, 0.01, 0.1])


@given(any_pairs, margins, st.sampled_from([0.8, 0.95, 0.995]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_bounds_and_p_value_agree(scores, margin, confidence, in_clusters):
    clusters = np.arange(len(scores[0])) // 2 if in_clusters else None
    result = compare(*scores, margin=margin, confidence=confidence, clusters=clusters)
    assert result.interval[0] <= result.lower <= result.estimate <= result.upper <= result.interval[1]
    # Where there is too little to judge by, the p-value is one that keeps its level, and the bounds are not.
    if result.problem is None and abs(result.upper + margin) > 1e-9:
        assert (result.p_value < 1 - confidence) == (result.upper < -margin)


@given(any_pairs)
@settings(max_examples=100, deadline=None)
def test_swapping_the_sides_mirrors_the_interval(scores):
    forth, back = (compare(*sides, rare_losses=False) for sides in (scores, scores[::-1]))
    with_losses = compare(*scores)
    if forth.problem is None and forth.standard_error:
        assert (forth.lower, forth.upper) == pytest.approx((-back.upper, -back.lower), abs=1e-9)
        assert forth.interval == pytest.approx((-back.interval[1], -back.interval[0]), abs=1e-9)
        # Only what would let a drop pass allows for losses that were not seen.
        assert with_losses.upper == pytest.approx(forth.upper, abs=1e-9)
        assert with_losses.lower_of_seen == pytest.approx(forth.lower, abs=1e-9)
    assert with_losses.lower <= forth.lower + 1e-9
    assert forth.mcnemar_p == back.mcnemar_p


class TestLossesTooRareToBeSeen:
    """A few rows may lose everything while all others hardly change."""

    @pytest.mark.parametrize("rows", [10, 50, 100, 200])
    @pytest.mark.parametrize("rate", [0.02, 0.05])
    @pytest.mark.parametrize("jitter", [0.0, 0.01, 0.05])
    def test_hardly_any_drop_at_the_margin_is_taken_for_none(self, rows, rate, jitter):
        random, baseline = np.random.default_rng(rows), np.linspace(0, 1, rows)
        runs, passed = 400, 0
        for _ in range(runs):
            losses = (random.random(rows) < rate) + jitter * random.standard_normal(rows)
            result = compare(baseline - losses, baseline, margin=rate)
            passed += result.problem is None and result.lower >= -rate
        assert passed / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)

    @pytest.mark.parametrize("rows", [20, 50, 100])
    @pytest.mark.parametrize("lost", [1, 3, 5])
    def test_nor_where_all_scores_lie_close_together_far_from_what_is_lost(self, rows, lost):
        random, runs, passed = np.random.default_rng(rows), 1000, 0
        for _ in range(runs):
            candidate, baseline = random.normal(0.95, 0.01, (2, rows))
            candidate -= 0.9 * (random.random(rows) < lost / rows)
            result = compare(candidate, baseline, margin=0.9 * lost / rows)
            passed += result.problem is None and result.lower >= -0.9 * lost / rows
        assert passed / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)

    def test_scores_that_only_jitter_prove_no_more_than_equal_ones(self):
        jitter = 1e-9 * np.random.default_rng(1).random(10)
        assert compare(0.5 + jitter, np.full(10, 0.5), margin=0.001).lower < -0.001

    def test_a_collapse_without_variance_is_seen_with_few_rows(self):
        result = compare(np.full(50, 1.0), np.full(50, 5.0), margin=0.5)
        assert result.problem is None
        assert result.upper < -0.5


@given(any_pairs, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_rows_does_not_matter(scores, random):
    order = list(range(len(scores[0])))
    random.shuffle(order)
    straight, shuffled = compare(*scores), compare(*(side[order] for side in scores))
    assert straight.interval == pytest.approx(shuffled.interval, abs=1e-9)
    assert straight.p_value == pytest.approx(shuffled.p_value, abs=1e-9)


@given(other_pairs, st.sampled_from([2.0, 10.0, 0.01]), st.sampled_from([0.0, -3.0, 0.25]))
@settings(max_examples=60, deadline=None)
def test_a_unit_does_not_matter_and_a_constant_only_to_what_losses_may_have_gone_unseen(scores, unit, constant):
    if len(scores[0]) < 10 or np.isin(scores, (0, 1)).all() or np.ptp(scores) == 0:
        return
    plain = compare(*scores, margin=0.1)
    moved = compare(*(side * unit + constant for side in scores), margin=0.1 * unit)
    if constant == 0:
        assert moved.interval == pytest.approx(tuple(end * unit for end in plain.interval), abs=1e-7 * unit)
    if plain.standard_error:  # equal differences have nothing but the range to tell how they may vary
        assert moved.upper == pytest.approx(plain.upper * unit, abs=1e-7 * unit)
        assert moved.p_value == pytest.approx(plain.p_value, abs=1e-7)
    # It is followed to less than a hundredth.
    assert constant or moved.detectable_drop == pytest.approx(plain.detectable_drop * unit, rel=0.01)


class TestUnpaired:
    def test_other_scores_get_welchs_test(self):
        random = np.random.default_rng(8)
        candidate, baseline = random.normal(0, 1, 40), random.normal(0.3, 2, 70)
        sides = [
            Moments(mean=side.mean(), std_dev=side.std(), n=len(side), low=side.min(), high=side.max())
            for side in (candidate, baseline)
        ]
        result = unpaired_difference(*sides, margin=0.05, confidence=0.9)
        expected = stats.ttest_ind(candidate + 0.05, baseline, equal_var=False, alternative="less")
        assert result.p_value == pytest.approx(expected.pvalue)
        interval = stats.ttest_ind(candidate, baseline, equal_var=False).confidence_interval(0.9)
        assert result.interval[1] == pytest.approx(interval.high)
        # For the worst skewness that the smallest and the largest scores allow, and what is too rare to be seen.
        seen = unpaired_difference(*sides, margin=0.05, confidence=0.9, rare_losses=False)
        assert 1.2 * interval.low < seen.interval[0] < interval.low
        assert 1.4 * interval.low < result.interval[0] < seen.interval[0]
        assert result.method.startswith("unpaired")
        assert result.n == 40

    def test_perfect_scores_on_both_sides_certify_no_more_than_the_rule_of_three(self):
        side = Moments(mean=1.0, std_dev=0.0, n=50, is_binary=True)
        result = unpaired_difference(side, side, margin=0, confidence=0.95)
        assert result.lower == pytest.approx(-(1 - 0.05 ** (1 / 50)))

    @pytest.mark.parametrize("n", [20, 50, 100])
    @pytest.mark.parametrize("lost", [1, 3, 5])
    def test_rare_losses_among_scores_that_lie_close_together_are_not_taken_for_none(self, n, lost):
        random, runs, passed = np.random.default_rng(n), 600, 0
        for _ in range(runs):
            candidate, baseline = random.normal(0.95, 0.01, (2, n))
            candidate -= 0.9 * (random.random(n) < lost / n)
            sides = [
                Moments(mean=side.mean(), std_dev=side.std(), n=n, low=side.min(), high=side.max())
                for side in (candidate, baseline)
            ]
            result = unpaired_difference(*sides, margin=0.9 * lost / n, confidence=0.95)
            passed += result.problem is None and result.lower >= -0.9 * lost / n
        assert passed / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)

    def test_is_less_sure_than_pairs(self):
        candidate, baseline = pairs(60, 3, 12, 25)
        paired = compare(candidate, baseline)
        sides = [Moments(mean=s.mean(), std_dev=s.std(), n=100, is_binary=True) for s in (candidate, baseline)]
        unpaired = unpaired_difference(*sides, margin=0, confidence=0.95)
        assert unpaired.estimate == pytest.approx(paired.estimate)
        assert unpaired.p_value > paired.p_value
        assert unpaired.detectable_drop > paired.detectable_drop

    def test_equal_scores_prove_no_more_than_the_rule_of_three_of_both_sides(self):
        side = Moments(mean=3.0, std_dev=0.0, n=58)
        result = unpaired_difference(side, side, margin=0, confidence=0.95, score_range=(1.0, 5.0))
        assert result.problem is None
        assert result.lower == pytest.approx(-(2**0.5) * 2 * (1 - 0.05 ** (1 / 58)), rel=1e-6)
        assert result.upper == -result.lower

    @pytest.mark.parametrize(
        "wrong",
        [{"n": 0}, {"mean": math.nan}, {"std_dev": -1.0}, {"mean": 1.5, "is_binary": True}],
    )
    def test_impossible_moments_are_refused(self, wrong):
        with pytest.raises(ValueError, match="found"):
            Moments(**{"mean": 0.5, "std_dev": 0.1, "n": 10, **wrong})


class TestRowsToDecide:
    def test_more_rows_of_the_same_kind_decide(self):
        random = np.random.default_rng(2)
        differences = random.normal(0, 1, 50)
        differences -= differences.mean()
        first = compare(differences, np.zeros(50), margin=0.2)
        assert first.lower < -0.2 <= first.upper
        rows = rows_to_decide(first, margin=0.2, confidence=0.95)
        assert rows is not None
        passed = sum(compare(random.normal(0, 1, rows), np.zeros(rows), margin=0.2).lower >= -0.2 for _ in range(400))
        assert 0.74 <= passed / 400 <= 0.9

    @pytest.mark.parametrize(("gains", "losses"), [(0, 0), (1, 1), (3, 1)])
    def test_as_many_rows_of_0_and_1_decide_as_it_says(self, gains, losses):
        first = compare(*pairs(30, gains, losses, 20 - gains - losses), margin=0.01)
        rows = rows_to_decide(first, margin=0.01, confidence=0.95)
        assert rows is not None
        random = np.random.default_rng(5)
        won, lost, _ = random.multinomial(rows, [gains / 50, losses / 50, 1 - (gains + losses) / 50], size=4000).T
        # By number of losses, the fewest gains that show the drop to be less than the margin.
        fewest = critical_region(Pairs(rows), -0.01, 0.05, is_refined=True).fewest
        assert np.mean(won >= fewest[lost]) >= 0.7
        typical = int(np.median(lost))
        shown = compare(*pairs(rows - typical - int(fewest[typical]), int(fewest[typical]), typical, 0), margin=0.01)
        assert shown.lower >= -0.01
        assert rows < 450 or gains

    def test_a_difference_at_the_margin_is_never_decided(self):
        half = np.random.default_rng(2).normal(0, 1, 50)
        result = compare(np.concatenate([half, -half]) - 0.5, np.zeros(100), margin=0.5)
        assert rows_to_decide(result, margin=0.5, confidence=0.95) is None

    def test_one_row_says_nothing(self):
        assert rows_to_decide(compare([0.4], [0.7]), margin=0.0, confidence=0.95) is None

    def test_too_few_rows_or_clusters_ask_for_enough(self):
        scores = np.linspace(0, 1, 20)
        equal = compare(scores, scores, margin=0.01, limits=(-1.0, 1.0))
        rows = rows_to_decide(equal, margin=0.01, confidence=0.95)
        assert 1 - 0.05 ** (1 / rows) <= 0.01 < 1 - 0.05 ** (1 / (rows - 1))
        random = np.random.default_rng(2).normal(0, 1, 40)
        few = compare(random, np.zeros(40), margin=9, clusters=np.arange(40) % 4, rare_losses=False)
        assert rows_to_decide(few, margin=9, confidence=0.95) == 50
