"""Relative margins: shares of the baseline's mean, tested row by row, with rows and without."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from airflow_provider_benchmarks.gates import NoRegression
from airflow_provider_benchmarks.scores import JobScores
from tests.support.scored_jobs import job, judge

RNG = np.random.default_rng(7)
LATENCY = RNG.lognormal(0.3, 0.4, 200)


def both(candidate, baseline, *, with_rows=True):
    sides = job(candidate), job(baseline, name="baseline")
    return sides if with_rows else tuple(JobScores(side.aggregate, job=side.job) for side in sides)


def relative(margin, **options):
    return NoRegression("m", relative=True, margin=margin, **options)


class TestTheSign:
    @pytest.mark.parametrize("with_rows", [True, False])
    @pytest.mark.parametrize(
        ("higher_is_better", "factor", "outcome"),
        [(False, 1.3, "fail"), (False, 0.7, "pass"), (True, 0.7, "fail"), (True, 1.3, "pass")],
    )
    @pytest.mark.parametrize("sign", [1, -1])
    def test_what_is_worse_by_more_than_the_share_fails(self, with_rows, higher_is_better, factor, outcome, sign):
        # Of negative scores a larger size is a fall.
        better = higher_is_better if sign > 0 else not higher_is_better
        sides = both(sign * factor * LATENCY, sign * LATENCY, with_rows=with_rows)
        assert judge(relative(0.1, higher_is_better=better), *sides).outcome == outcome
        assert judge(relative(0.4, higher_is_better=better), *sides).outcome == "pass"

    def test_of_a_mean_near_0_holds_for_both(self):
        baseline = RNG.normal(0, 1, 200)
        baseline -= baseline.mean()
        found = judge(relative(0.5), *both(baseline - 0.5, baseline))
        assert found.outcome == "fail"
        assert judge(relative(0.5), *both(baseline, baseline)).outcome == "pass"
        proved = judge(relative(0.5, mode="prove"), *both(baseline, baseline))
        assert proved.outcome == "inconclusive"


class TestTheFigures:
    def test_are_those_of_the_weighted_difference(self):
        noisy = LATENCY * RNG.lognormal(0, 0.2, 200)
        result = judge(relative(0.05, higher_is_better=False), *both(noisy, LATENCY))
        expected = stats.ttest_1samp(1.05 * LATENCY - noisy, 0, alternative="less").pvalue
        assert result.details["p_value"] == pytest.approx(expected, rel=0.2)  # but for skewness
        assert result.details["margin"] == pytest.approx(0.05 * LATENCY.mean())
        assert result.observed == pytest.approx(noisy.mean() - LATENCY.mean())

    def test_are_told_in_per_cent(self):
        result = judge(relative(0.05, higher_is_better=False), *both(1.12 * LATENCY, LATENCY))
        mean = LATENCY.mean()
        assert result.reason.startswith(f"s rose by 12 % ({0.12 * mean:.3g} on {mean:.4g}), by at least 11.")
        assert result.reason.endswith("; at most 5 % is allowed")
        assert result.expected == "rise ≤ 5 % (detect)"
        assert " % would be seen in 80 % of runs" in result.evidence

    def test_an_error_rate_that_is_hardly_there_allows_hardly_any_rise(self):
        rates = np.zeros(200), np.zeros(200)
        rates[0][:88], rates[1][:1] = 1, 1
        assert judge(relative(0.1, higher_is_better=False), *both(*rates)).outcome == "fail"
        assert judge(relative(0.1, higher_is_better=False), *both(rates[1], rates[1])).outcome == "pass"


@pytest.mark.parametrize("with_rows", [True, False])
@pytest.mark.parametrize("mode", ["detect", "prove"])
def test_a_change_of_the_margin_is_blocked_or_passes_no_more_often_than_promised(with_rows, mode):
    random, runs, wrong = np.random.default_rng(3), 120, 0
    for _ in range(runs):
        candidate, baseline = random.lognormal(0, 0.5, (2, 100))
        sides = both(1.5 * candidate, baseline, with_rows=with_rows)
        outcome = judge(relative(0.5, higher_is_better=False, mode=mode), *sides).outcome
        wrong += outcome == ("fail" if mode == "detect" else "pass")
    assert wrong / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5


@pytest.mark.parametrize("with_rows", [True, False])
@pytest.mark.parametrize(("share", "n"), [(0.02, 60), (0.04, 40)])
def test_a_rate_that_doubles_is_blocked_no_more_often_where_hardly_any_row_counts(with_rows, share, n):
    random, runs, blocked = np.random.default_rng(4), 120, 0
    for _ in range(runs):
        candidate, baseline = random.random(n) < 2 * share, random.random(n) < share
        sides = both(candidate.astype(float), baseline.astype(float), with_rows=with_rows)
        blocked += judge(relative(1.0, higher_is_better=False), *sides).outcome == "fail"
    assert blocked / runs <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
