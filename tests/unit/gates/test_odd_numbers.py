"""Odd numbers in scores: no check raises, warns of the arithmetic, or passes on what is no number."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.gates import NoRegression, Threshold, WithinHistory, evaluate
from airflow_provider_benchmarks.gates.row_values import RowValues
from airflow_provider_benchmarks.scores import AggregateScores, JobScores, row_scores_frame
from airflow_provider_benchmarks.scores.json_values import is_number
from airflow_provider_benchmarks.scores.rows import RowScore
from airflow_provider_benchmarks.scores.value_statistics import value_statistics

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

SOUND = {"count": 50, "nan_count": 0, "mean": 0.5, "std_dev": 0.25, "variance": 0.0625, "min": 0, "max": 1, "sum": 25}
LARGEST = 1.7e308


def job(values=None, *, labels=None, items=None, name="candidate", **statistics):
    """Scores of a job: its aggregates as they are given, and its rows where there are any."""
    payload = {"results": [{"metric": "w/m", "scores": [{"name": "s", **SOUND, **statistics}]}]}
    aggregate = AggregateScores.from_json(payload)
    if values is None:
        return JobScores(aggregate, job=name)
    rows = []
    for i, value in enumerate(values):
        scores = {"s": value} | ({} if labels is None else {"s.label": labels[i]})
        item = {"q": i} | ({} if items is None else items[i])
        rows.append(RowScore(row_index=i, item=item, sample={}, metrics={"w/m": scores}))
    return JobScores(aggregate, row_scores_frame(rows), job=name)


def one(check, candidate, baseline=None, **options):
    (result,) = evaluate([check], candidate, baseline, **options).results
    return result


def of_rows(statistic, candidate, **bars):
    """A threshold that needs the rows."""
    return one(Threshold("m", statistic=statistic, where={"q": {"at_least": 0}}, **bars), candidate)


class TestStatisticsThatAreNoNumbers:
    def test_only_the_checks_that_ask_for_them_miss(self):
        candidate = job(sum="N/A", std_dev=10**399, percentiles={"p50": "N/A", "p90": 1})
        passing = [Threshold("m", statistic=each, at_least=0) for each in ("mean", "max", "count", "p90", "variance")]
        missing = [Threshold("m", statistic=each, at_most=1e300) for each in ("sum", "std_dev", "p50")]
        verdict = evaluate([*passing, *missing], candidate)
        assert [str(each.outcome) for each in verdict.results] == ["pass"] * 5 + ["fail"] * 3
        assert verdict.results[5].reason == "the sum of s is not a number: 'N/A'"
        assert verdict.results[6].reason.startswith("the std_dev of s is not a number: 1000")
        assert verdict.results[7].reason == "the p50 of s is not a number: 'N/A'"

    def test_a_sum_of_400_digits(self):
        assert one(Threshold("m", at_least=0.4), job(sum=10**399)).outcome == "pass"
        result = one(Threshold("m", statistic="sum", at_least=0.4), job(sum=10**399))
        assert (result.outcome, result.observed) == ("fail", None)

    def test_a_count_that_is_none(self):
        assert one(Threshold("m", at_least=0.4), job(count="N/A")).outcome == "fail"
        assert one(Threshold("m", at_least=0.4, max_nan_fraction=1), job(nan_count="N/A")).outcome == "pass"
        assert one(Threshold("m", at_least=0.4), job(nan_count="N/A")).outcome == "fail"
        assert one(Threshold("m", at_least=0.4), job(count=10**30)).outcome == "fail"

    def test_what_there_is_is_said(self):
        reason = one(Threshold("m", statistic="p50", at_least=0), job(percentiles={"p90": 1, "mean": 2})).reason
        assert reason == (
            "the p50 of s is not a number: the score has none; it has: mean, std_dev, variance, min, max, sum, count, "
            "nan_count, nan_fraction, p90, mean"
        )
        reason = one(Threshold("m", statistic="sum", at_least=0), job(sum=None)).reason
        assert "it has: mean, std_dev, variance, min, max, count" in reason

    def test_percentiles_that_are_called_like_statistics_are_not_taken_for_them(self):
        odd = {"mean": 9, "count": 9, "max": "x"}
        assert one(Threshold("m", at_most=0.6), job(percentiles=odd)).observed == 0.5
        assert one(Threshold("m", statistic="max", at_most=1), job(percentiles=odd)).outcome == "pass"
        assert one(Threshold("m", at_least=0.6), job(percentiles=odd, mean=None)).outcome == "fail"

    def test_a_mean_of_0_1_scores_that_is_no_share(self):
        odd = job(mean=2, variance=-2, std_dev=0.5)
        assert one(Threshold("m", at_least=0.9, confidence=0.9), odd).observed == 2.0


RUBRIC = [{"label": "good", "count": 30}, {"label": "poor", "count": 10}, {"label": "good", "count": 10}]


class TestCategories:
    def share(self, label, rubric=None, **bars):
        candidate = job(rubric_distribution=RUBRIC if rubric is None else rubric)
        return one(Threshold("m", statistic=f"share:{label}", **bars), candidate)

    def test_a_label_that_is_listed_twice_has_both_counts(self):
        assert self.share("good", at_least=0.8).observed == 0.8
        assert self.share("poor", at_most=0.2).outcome == "pass"

    def test_of_a_label_that_no_row_has_the_share_is_0(self):
        for empty in ({"label": "awful", "count": 0}, {"label": "awful", "count": None}, {"label": "awful"}):
            assert self.share("awful", [*RUBRIC, empty], at_most=0.05).outcome == "pass"
            assert self.share("awful", [*RUBRIC, empty], at_least=0.05).outcome == "fail"

    def test_of_a_label_that_the_score_has_not_the_labels_are_said(self):
        result = self.share("godo", at_most=1)
        assert (result.outcome, result.observed) == ("fail", None)
        assert result.reason == 's has no category godo; it has: good, poor. Did you mean "good"?'
        assert self.share("excellent", at_most=1).reason == "s has no category excellent; it has: good, poor"
        assert self.share("GOOD", at_most=1).reason.endswith('Did you mean "good"?')
        assert self.share("good", [], at_most=1).reason == "s has no categories, so there is no share of good"

    @pytest.mark.parametrize("count", ["N/A", -1, 0.5, True, [1], 10**400, math.nan, math.inf, "NaN"])
    def test_counts_that_are_none_are_no_evidence(self, count):
        result = self.share("good", [*RUBRIC, {"label": "odd", "count": count}], at_most=1)
        assert (result.outcome, "are not all whole numbers" in result.reason) == ("fail", True)

    @pytest.mark.parametrize("entry", [None, "good", 3, {}, {"count": 40}, {"label": None, "count": 3}])
    def test_entries_without_a_label_are_none(self, entry):
        assert self.share("good", [*RUBRIC, entry], at_least=0.8).observed == 0.8
        assert self.share("None", [*RUBRIC, entry], at_most=1).outcome == "fail"

    def test_a_label_that_only_rows_have_is_known_in_every_group(self):
        labels, items = ["good"] * 20 + ["bad", "good"] * 10, [{"part": "ab"[i // 20]} for i in range(40)]
        candidate = job([1.0] * 40, labels=labels, items=items)
        found = evaluate([Threshold("m", statistic="share:bad", at_most=0.1, by="part")], candidate).results
        assert [(r.outcome, r.observed) for r in found] == [("pass", 0.0), ("fail", 0.5)]
        reason = one(Threshold("m", statistic="share:bda", at_most=0.1, where={"part": "a"}), candidate).reason
        assert reason.startswith('s has no category bda; it has: good, bad. Did you mean "bad"?')


class TestLargeAndSmallNumbers:
    @pytest.mark.parametrize("unit", [1e-300, 1e-100, 1e-60, 1.0, 1e59, 1e100, 1e300, 1e306])
    def test_statistics_do_not_depend_on_the_unit(self, unit):
        values = np.array([0.0, 1.0, 2.5, -3.0, 7.0, 7.0])
        found, known = value_statistics(values * unit), value_statistics(values)
        for name in ("mean", "std_dev", "min", "max", "sum"):
            assert found[name] == pytest.approx(known[name] * unit, rel=1e-12, abs=0)
        for name, value in known["percentiles"].items():
            assert found["percentiles"][name] == pytest.approx(value * unit, rel=1e-12, abs=0)

    def test_a_sum_or_variance_that_no_float_holds_is_none(self):
        found = value_statistics(np.array([LARGEST, LARGEST, -LARGEST]))
        assert (found["sum"], found["variance"]) == (LARGEST, None)
        assert found["mean"] == pytest.approx(LARGEST / 3)
        assert found["std_dev"] == pytest.approx(LARGEST * (8**0.5 / 3))
        assert found["percentiles"]["p100"] == LARGEST
        found = value_statistics(np.array([LARGEST, LARGEST]))
        assert (found["sum"], found["std_dev"], found["mean"]) == (None, 0.0, LARGEST)
        assert set(found["unread"]) == {"sum"}

    def test_thresholds(self):
        candidate = job([1e308] * 30)
        assert of_rows("mean", candidate, at_least=0.9e308).outcome == "pass"
        assert of_rows("p50", candidate, at_most=1e308).outcome == "pass"
        assert of_rows("p55", job([LARGEST, -LARGEST] * 15), at_most=LARGEST).observed == LARGEST
        result = of_rows("sum", candidate, at_least=1)
        assert (result.outcome, "larger than a float can hold" in result.reason) == ("fail", True)
        result = of_rows("mean", job([1e308, 0.9e308] * 15), at_least=1, confidence=0.9)
        assert (result.outcome, "reach 1e+308" in result.reason) == ("fail", True)
        assert of_rows("p50", candidate, at_least=1, confidence=0.9).outcome == "pass"

    @pytest.mark.parametrize("large", [1e61, 1e154, 1e200, 1e308, -1e308])
    @pytest.mark.parametrize(
        ("more", "has_rows"),
        [
            *[(each, rows) for each in ({}, {"mode": "prove"}, {"relative": True}) for rows in (True, False)],
            ({"cluster_by": "t"}, True),
        ],
    )
    def test_comparisons(self, large, more, has_rows):
        check = NoRegression("m", **more)
        items = [{"t": i % 10} for i in range(50)]
        values = [large if i % 3 else 0.0 for i in range(50)]
        odd, sound = (
            job(each if has_rows else None, items=items, name=str(i), **statistics)
            for i, (each, statistics) in enumerate(
                [(values, {"mean": large / 2, "std_dev": 1e60}), ([i % 2 for i in range(50)], {})]
            )
        )
        result = one(check, odd, sound)
        assert (result.outcome, "can't be bounded or compared" in result.reason) == ("fail", True)
        result = one(check, sound, odd, if_inconclusive="fail")
        assert (result.outcome, "in the baseline the values" in result.reason) == ("inconclusive", True)

    @pytest.mark.parametrize("margin", [1.0, 1.5, 1e60, 1e308])
    @pytest.mark.parametrize("n", [9, 50])
    def test_a_margin_that_allows_any_drop(self, margin, n):
        graded = [0.25 * (i % 2) for i in range(n)], ([0.5, 1.0] * (n // 2) + [1])[:n]
        for sides, higher in ((graded, True), (([1.0] * n, [0.0] * n), False)):
            check = NoRegression("m", margin=margin, min_count=1, higher_is_better=higher)
            assert one(check, *map(job, sides)).outcome in ("pass", "warn")

    def test_numbers_all_of_which_are_next_to_0(self):
        tiny = [1e-200 * (i % 3) for i in range(50)]
        result = one(NoRegression("m"), job(tiny, min=0, max=0), job(tiny, min=0, max=0), if_inconclusive="fail")
        assert (result.outcome, "all within ±1e-60" in result.reason) == ("inconclusive", True)
        # Beside others they are as good as 0.
        assert one(NoRegression("m"), job(tiny), job([i % 2 for i in range(50)])).outcome == "fail"

    def test_a_history(self):
        def history(mean):
            return [job(name=f"j{i}", mean=mean if i % 2 else -mean) for i in range(20)]

        check = WithinHistory("m", statistic="mean")
        assert one(check, job(), history=history(1e308), if_inconclusive="fail").outcome == "inconclusive"
        assert one(check, job(min=-1e308, max=1e308), history=history(0.5)).outcome == "pass"
        assert one(check, job(min="NaN"), history=history(0.5)).outcome == "pass"
        assert one(check, job(mean="NaN"), history=history(0.5)).outcome == "fail"


CHECKS_OF_ROWS = [Threshold("m", at_least=0, by="q"), NoRegression("m"), NoRegression("m", where={"q": {"below": 40}})]


class TestColumns:
    @pytest.mark.parametrize("dtype", ["str", "object", "string", "category"])
    @pytest.mark.parametrize("texts", [["1", "0.5"], ["good", "1"], ["NaN", "inf"]])
    def test_a_text_is_no_number(self, dtype, texts):
        column = pd.Series([*texts, None], dtype=dtype)
        found = RowValues.of(pd.DataFrame({"s": column}), "s")
        assert (found.count, found.counts.not_numbers, found.counts.without_value) == (0, 2, 1)

    def test_numbers_of_numpy_among_objects_are_numbers(self):
        column = pd.Series([np.int64(1), np.float32(0.5), np.bool_(True), np.array([1.0, 2.0]), 2], dtype=object)
        found = RowValues.of(pd.DataFrame({"s": column}), "s")
        assert (found.values.tolist(), found.counts.not_numbers) == ([1, 0.5, 2], 2)

    @pytest.mark.parametrize("dtype", ["str", "object", "category"])
    @pytest.mark.parametrize(
        "check", [Threshold("m", at_least=0, by="q"), NoRegression("m"), NoRegression("m", where={"q": {"below": 40}})]
    )
    def test_a_score_whose_values_are_texts_misses(self, dtype, check):
        sound = job([1.0, 0.0] * 25)
        rows = sound.rows.copy()
        rows["s"] = rows["s"].map(str).astype(dtype)
        rows.attrs = sound.rows.attrs
        verdict = evaluate([check], JobScores(sound.aggregate, rows, job="c"), sound)
        assert {str(each.outcome) for each in verdict.results} == {"fail"}

    @pytest.mark.parametrize(
        "labels",
        [
            [None, "a", "b", "c", "d", "e"],
            [None, 1, 2, 3, 4, 5],
            [None, 0.5, 1, True, "1", [1]],
            [[1], [2], {"a": 1}, {"b": [2]}, None, "x"],
            [math.nan, 1.0, 2.0, 3.0, 4.0, 5.0],
            [None, 2**70, 2**70 + 1, "a\0", "\ud800", -1],
        ],
    )
    @pytest.mark.parametrize("absent", [True, False])
    def test_rows_without_the_field_of_clusters_are_one_cluster(self, labels, absent):
        def items():
            for i in range(120):
                label = labels[i % 6]
                missing = label is None or label != label  # noqa: PLR0124
                yield {} if absent and missing else {"t": label}

        values = np.random.default_rng(1).integers(0, 2, 240).astype(float).tolist()
        sides = (job(part, items=list(items()), name=name) for part, name in ((values[:120], "c"), (values[120:], "b")))
        result = one(NoRegression("m", cluster_by="t"), *sides)
        assert (result.details["clusters"], result.outcome) == (6, "pass")


odd_numbers = (
    st.none()
    | st.booleans()
    | st.sampled_from(
        [0, 1, 0.5, 10**399, 2**63, -1, 1e308, -1e308, 5e-324, 1e-70, 1e59, math.nan, math.inf, -math.inf]
    )
    | st.sampled_from(["N/A", "NaN", "Infinity", "-inf", "1", "good", "", "\0\ud800"])
    | st.floats()
    | st.integers()
    | st.lists(st.integers(), max_size=1)
    | st.dictionaries(st.text(max_size=1), st.integers(), max_size=1)
)
statistic_names = st.sampled_from(
    ["count", "nan_count", "mean", "std_dev", "variance", "min", "max", "sum", "median", "sample_std_dev", "value"]
)
labels = st.sampled_from(["good", "poor", "None", "1"]) | st.none() | st.integers(0, 2)
payloads = st.dictionaries(statistic_names, odd_numbers, max_size=4).flatmap(
    lambda odd: st.fixed_dictionaries(
        {},
        optional={
            "percentiles": st.dictionaries(st.sampled_from(["p50", "p90", "mean", "count", "name", ""]), odd_numbers)
            | odd_numbers,
            "rubric_distribution": st.lists(
                st.fixed_dictionaries({"label": labels, "count": odd_numbers | st.integers(0, 50)}) | odd_numbers,
                max_size=4,
            )
            | odd_numbers,
            "histogram": st.fixed_dictionaries({"bins": st.lists(odd_numbers, max_size=2)}) | odd_numbers,
            "score_type": st.sampled_from(["range", "rubric", "scalar", 3]),
            "mode_category": odd_numbers,
        },
    ).map(lambda more: {**odd, **more})
)
sound_values = st.floats(0, 1) | st.sampled_from([0.0, 1.0])
columns = st.lists(sound_values, min_size=12, max_size=12).flatmap(
    lambda values: st.lists(st.tuples(st.integers(0, 11), odd_numbers), max_size=3).map(
        lambda odd: [dict(odd).get(i, value) for i, value in enumerate(values)]
    )
)
fields = st.sampled_from(["a", "b", 1, True, None, [1], {"x": 1}, 2.5, 10**30])
jobs = st.tuples(
    payloads,
    columns | st.none(),
    st.lists(fields, min_size=12, max_size=12),
    st.lists(labels, min_size=12, max_size=12),
)
bars = st.sampled_from([{"at_least": -1e308}, {"at_most": 1e308}, {"at_least": 0.0, "at_most": 1.0}])
slices = st.sampled_from([{}, {"by": "t"}, {"where": {"q": {"at_least": 3}}}])
limits = st.sampled_from([0.0, 1.0])
thresholds = st.builds(
    lambda statistic, bars, slices, limit: Threshold(
        "m", statistic=statistic, max_nan_fraction=limit, max_error_rate=limit, **bars, **slices
    ),
    st.sampled_from(
        [
            "mean",
            "std_dev",
            "variance",
            "min",
            "max",
            "sum",
            "count",
            "nan_count",
            "nan_fraction",
            "p50",
            "p55",
            "share:good",
        ]
    ),
    bars,
    slices,
    limits,
)
ranges = st.sampled_from([None, (0, 1), (-1e308, 1e308), (0, 1e-300), (5, 6), (-3, 10**30)])
sure_thresholds = st.builds(
    lambda statistic, bars, slices: Threshold("m", statistic=statistic, confidence=0.9, **bars, **slices),
    st.sampled_from(["mean", "p50", "share:good"]),
    bars,
    slices,
) | st.builds(
    lambda bars, slices, **more: Threshold("m", confidence=0.9, **bars, **slices, **more),
    bars,
    slices,
    cluster_by=st.none() | st.just("t"),
    score_range=ranges,
)
comparisons = st.builds(
    lambda slices, limit, relative, margin, higher_is_better, **more: NoRegression(
        "m",
        max_nan_fraction=limit,
        min_count=1,
        margin=margin,
        relative=relative and (margin < 1 or not higher_is_better),
        higher_is_better=higher_is_better,
        **slices,
        **more,
    ),
    slices,
    limits,
    mode=st.sampled_from(["detect", "prove"]),
    cluster_by=st.none() | st.just("t"),
    margin=st.sampled_from([0.0, 0.1, 1e308]),
    relative=st.booleans(),
    score_range=ranges,
    rare_losses=st.booleans(),
    missing=st.sampled_from(["limit", "worst"]),
    higher_is_better=st.booleans(),
)
histories = st.builds(
    lambda statistic, both: WithinHistory("m", statistic=statistic, higher_is_better=both),
    st.sampled_from(["mean", "sum", "p50", "count", "share:good"]),
    st.none() | st.booleans(),
)


def made(described, name):
    payload, values, items, labelled = described
    return job(values, items=[{"t": field} for field in items], labels=labelled, name=name, **payload)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    st.lists(thresholds | sure_thresholds | comparisons | histories, min_size=1, max_size=4),
    jobs,
    jobs,
    st.lists(payloads, min_size=6, max_size=6),
)
def test_no_odd_number_raises_or_passes_without_evidence(checks, candidate, baseline, earlier):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            sides = made(candidate, "c"), made(baseline, "b")
            history = [job(name=f"h{i}", **payload) for i, payload in enumerate(earlier)]
        except IncompleteResults:  # a count that is negative or a fraction
            return
        verdict = evaluate(checks, *sides, history=history)
    assert verdict.to_dict()
    assert verdict.to_markdown()
    for result in verdict.results:
        if result.outcome == "pass" and result.judged:
            assert is_number(result.observed)
