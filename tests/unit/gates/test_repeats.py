"""Repeats of items: each item counts once, whatever the format and the order of its rows."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from math import comb

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import NoRegression, Threshold, Verdict, evaluate
from airflow_provider_benchmarks.gates.repeats import item_statistic
from airflow_provider_benchmarks.gates.run import run_gate
from airflow_provider_benchmarks.gates.sources import FolderSource
from airflow_provider_benchmarks.store import Place, RowFormat, store_rows
from tests.support.scored_jobs import job

NAN = float("nan")


def judge(check, candidate, baseline=None):
    (result,) = evaluate([check], candidate, baseline).results
    return result


def repeated(values, *, seeds=None, name="candidate", order=None, **fields):
    """A job with a row for each item and repeat.

    :param values: an item a row, a repeat a column
    :param order: of the rows
    :param fields: further fields of the items, by item
    """
    values = np.asarray(values, dtype=float)
    seeds = range(values.shape[1]) if seeds is None else seeds
    rows = [
        ({"q": f"q{i}", "seed": seed, **{key: of_items[i] for key, of_items in fields.items()}}, values[i, place])
        for i, (place, seed) in product(range(values.shape[0]), enumerate(seeds))
    ]
    rows = rows if order is None else [rows[place] for place in order]
    return job([value for _, value in rows], items=[item for item, _ in rows], name=name)


class TestComparisons:
    def test_items_are_the_independent_units(self):
        base = np.tile(np.arange(50) % 2, (4, 1)).T
        candidate = base.copy()
        candidate[:5, :] = 0
        result = judge(NoRegression("m", repeat_by="seed"), repeated(candidate), repeated(base, name="baseline"))
        assert (result.count, result.details["n"], result.details["rows"]) == (50, 50, 50)
        assert result.observed == pytest.approx(-2 / 50)
        assert result.outcome == "pass"  # 2 of 50 items; as 8 of 200 rows it would be significant

    def test_equal_models_are_not_blocked(self):
        chance = np.random.default_rng(1)
        blocked = {None: 0, "seed": 0}
        for _ in range(60):
            # Each model is right or wrong on an item by its own, whatever the seed.
            sides = [np.repeat(chance.random((40, 1)) < 0.6, 5, axis=1) for _ in range(2)]
            jobs = [repeated(sides[0]), repeated(sides[1], name="baseline")]
            for field in blocked:
                blocked[field] += judge(NoRegression("m", repeat_by=field), *jobs).outcome == "fail"
        assert blocked["seed"] <= 6 < blocked[None]

    def test_the_jobs_may_have_different_numbers_of_repeats(self):
        chance = np.random.default_rng(2)
        base = (chance.random((30, 5)) < 0.5).astype(float)
        candidate = (chance.random((30, 10)) < 0.5).astype(float)
        shuffled = chance.permutation(300)
        jobs = repeated(candidate, order=shuffled), repeated(base, seeds=range(7, 12), name="baseline")
        result = judge(NoRegression("m", repeat_by="seed"), *jobs)
        assert (result.count, result.details["missing"]) == (30, 0)
        assert result.observed == pytest.approx((candidate.mean(axis=1) - base.mean(axis=1)).mean())

    def test_a_job_of_one_repeat_need_not_number_it(self):
        base = job([1.0] * 20, items=[{"q": f"q{i}"} for i in range(20)], name="baseline")
        result = judge(NoRegression("m", repeat_by="seed"), repeated(np.ones((20, 3))), base)
        assert (result.outcome, result.count) == ("pass", 20)

    def test_a_field_that_no_job_has_is_named(self):
        result = judge(NoRegression("m", repeat_by="epoch"), repeated(np.ones((20, 3))), repeated(np.ones((20, 3))))
        assert result.outcome == "fail"
        assert 'the items have no field "epoch"; they have: q, seed' in result.reason

    def test_items_without_a_pair_are_counted_as_items(self):
        jobs = repeated(np.ones((20, 3))), repeated(np.ones((18, 5)), name="baseline")
        result = judge(NoRegression("m", repeat_by="seed"), *jobs)
        assert result.outcome == "fail"
        assert "2 of 20 items have no pair in the other job" in result.reason
        assert ": the candidate has 20, the baseline 18, and items that differ in more than seed" in result.reason
        result = judge(NoRegression("m", repeat_by="seed", max_unpaired=0.1), *jobs)
        assert (result.outcome, result.count) == ("pass", 18)

    def test_with_a_key_other_fields_may_differ(self):
        sides = [repeated(np.ones((20, 3)), prompt=[f"{side} {i}" for i in range(20)], name=side) for side in "ab"]
        assert judge(NoRegression("m", repeat_by="seed"), *sides).outcome == "fail"
        for key in ("q", ["q", "seed"]):
            result = judge(NoRegression("m", repeat_by="seed", key=key), *sides)
            assert (result.outcome, result.count) == ("pass", 20)

    def test_one_repeat_twice_under_a_key_is_an_error(self):
        twice = repeated(np.ones((20, 3)), seeds=[0, 1, 1])
        result = judge(NoRegression("m", repeat_by="seed", key="q"), twice, repeated(np.ones((20, 3)), name="b"))
        assert result.outcome == "fail"
        assert result.reason.endswith("q 'q0' comes twice with the same seed in the rows of the candidate")

    def test_an_item_has_the_mean_of_the_repeats_that_have_a_value(self):
        candidate = np.ones((20, 3))
        candidate[0, 0], candidate[0, 1], candidate[1, :] = NAN, 0, NAN
        check = NoRegression("m", repeat_by="seed", max_nan_fraction=0.1)
        jobs = repeated(candidate), repeated(np.ones((20, 3)), name="baseline")
        result = judge(check, *jobs)
        assert (result.count, result.nan_count) == (19, 4)
        assert result.observed == pytest.approx(-0.5 / 19)
        strict = judge(NoRegression("m", repeat_by="seed"), *jobs)
        assert strict.reason == "4 of 60 rows have no value (6.7%), at most 0.0% may be missing"

    def test_lost_repeats_of_the_baseline_are_bounded_one_by_one(self):
        base = np.ones((40, 4))
        base[0, 0] = NAN
        jobs = repeated(np.zeros((40, 4))), repeated(base, name="baseline")
        assert judge(NoRegression("m", repeat_by="seed"), *jobs).outcome == "fail"
        jobs = repeated(np.ones((40, 4))), repeated(base, name="baseline")
        result = judge(NoRegression("m", repeat_by="seed"), *jobs)
        assert result.outcome == "pass"
        worse = np.ones((40, 4))
        worse[:4, 1:] = 0
        base[4:20, 0] = NAN
        result = judge(NoRegression("m", repeat_by="seed"), repeated(worse), repeated(base, name="baseline"))
        assert result.outcome == "inconclusive"
        assert result.interval[1] >= 1 / 160
        candidate = np.ones((40, 4))
        assert (
            judge(NoRegression("m", repeat_by="seed"), repeated(candidate), repeated(base, name="b")).outcome == "pass"
        )
        # A quarter of the repeats of 12 items is known, and was 0 in both; the others may have been 1 in the baseline.
        candidate[:12], base[:12, 0], base[:12, 1:] = 0, 0, NAN
        result = judge(NoRegression("m", repeat_by="seed"), repeated(candidate), repeated(base, name="baseline"))
        assert (result.outcome, result.observed) == ("inconclusive", 0)
        assert result.interval[0] < -0.75 * 12 / 40

    def test_lost_repeats_may_count_as_the_worst(self):
        candidate = np.ones((40, 4))
        candidate[:12, 1:] = NAN
        check = NoRegression("m", repeat_by="seed", missing="worst")
        result = judge(check, repeated(candidate), repeated(np.ones((40, 4)), name="baseline"))
        assert (result.outcome, result.observed) == ("fail", pytest.approx(-0.75 * 12 / 40))

    def test_the_range_of_means_of_0_and_1_is_known(self):
        values = np.ones((400, 3))
        jobs = repeated(values), repeated(values, name="baseline")
        assert judge(NoRegression("m", repeat_by="seed", mode="prove", margin=0.02), *jobs).outcome == "pass"

    def test_groups_and_conditions_are_of_items(self):
        values = np.ones((40, 3))
        worse = values.copy()
        worse[20:, :] = 0
        part = ["a"] * 20 + ["b"] * 20
        jobs = repeated(worse, part=part), repeated(values, part=part, name="baseline")
        found = evaluate([NoRegression("m", repeat_by="seed", by="part")], *jobs).results
        assert [(r.group, r.outcome, r.count) for r in found] == [("part = a", "pass", 20), ("part = b", "fail", 20)]
        assert judge(NoRegression("m", repeat_by="seed", where={"part": "a"}), *jobs).count == 20
        clusters = judge(NoRegression("m", repeat_by="seed", cluster_by="part"), *jobs)
        assert clusters.details["clusters"] == 2

    def test_rows_that_got_worse_are_items(self):
        worse = np.ones((20, 3))
        worse[4, :2] = 0
        result = judge(NoRegression("m", repeat_by="seed"), repeated(worse), repeated(np.ones((20, 3)), name="b"))
        (row,) = result.worst
        assert (row["candidate"], row["baseline"]) == (pytest.approx(1 / 3), 1.0)
        assert (row["row_index"], row["item"]) == (12, {"q": "q4"})

    def test_stored_rows_compare_as_frames_do(self, tmp_path):
        chance = np.random.default_rng(5)
        base, candidate = (chance.random((30, size)) < 0.6 for size in (3, 4))
        jobs = repeated(candidate), repeated(base, name="baseline")
        checks = [
            NoRegression("m", repeat_by="seed", margin=0.1),
            NoRegression("m", margin=0.1, max_unpaired=1.0),
            Threshold("m", at_least=0.2, repeat_by="seed", confidence=0.95),
        ]
        wanted = evaluate(checks, *jobs).to_dict()["results"]
        for form in ("jsonl", "parquet"):
            places = [stored(tmp_path / f"{form}-{side.job}", side, form) for side in jobs]
            source = FolderSource(checks=checks, candidate_path=places[0], baseline_paths={"": places[1]})
            found = run_gate(checks, source).to_dict()["results"]
            for one, other in zip(found, wanted, strict=True):
                del one["details"], other["details"]
            assert found == wanted, form
            wanted = evaluate(checks, *jobs).to_dict()["results"]


def stored(folder, scores, form):
    folder.mkdir()
    frame = scores.rows
    items = [name for name in frame.columns if name not in frame.attrs["score_columns"]]
    lines = [
        json.dumps(
            {
                "row_index": index,
                "item": {name: row[name] for name in items},
                "metrics": {"w/m": [{"name": "s", "value": row["s"]}]},
            }
        ).encode()
        for index, row in zip(frame.index.tolist(), frame.to_dict("records"), strict=True)
    ]
    store_rows([b"\n".join(lines)], Place(str(folder / f"row-scores.{form}")), row_format=RowFormat(name=form))
    (folder / "aggregate-scores.json").write_text(json.dumps(scores.aggregate.to_json()))
    return str(folder)


class TestThresholds:
    def test_items_are_the_independent_units(self):
        values = np.repeat(np.arange(100) < 80, 10).reshape(100, 10)
        plain, by_item = (
            judge(Threshold("m", at_least=0.75, confidence=0.95, repeat_by=field), repeated(values))
            for field in (None, "seed")
        )
        assert (plain.outcome, plain.count) == ("pass", 1000)
        assert (by_item.outcome, by_item.count) == ("fail", 100)
        assert by_item.observed == plain.observed == pytest.approx(0.8)

    def test_each_item_counts_once(self):
        items = [{"q": 0, "seed": seed} for seed in range(9)] + [{"q": 1, "seed": 0}]
        found = judge(Threshold("m", at_least=0.4, repeat_by="seed"), job([0.0] * 9 + [1.0], items=items))
        assert (found.outcome, found.observed, found.count) == ("pass", 0.5, 2)

    def test_the_least_number_is_of_items_and_the_limits_are_of_rows(self):
        scores = repeated(np.ones((5, 10)))
        found = judge(Threshold("m", at_least=0.4, repeat_by="seed", min_count=6), scores)
        assert found.reason == "only 5 items have a value, at least 6 are needed"
        values = np.ones((5, 10))
        values[0] = NAN
        found = judge(Threshold("m", at_least=0.4, repeat_by="seed"), repeated(values))
        assert found.reason.startswith("10 of 50 rows have no value (20.0%)")

    def test_counts_of_rows_remain_those_of_rows(self):
        values = np.ones((5, 10))
        values[0] = NAN
        for statistic, wanted in (("nan_count", 10), ("nan_fraction", 0.2), ("count", 40)):
            check = Threshold("m", at_most=100, repeat_by="seed", statistic=statistic, max_nan_fraction=1)
            assert judge(check, repeated(values)).observed == wanted

    def test_statistics_over_repeats(self):
        values = np.zeros((4, 5))
        values[1, :2] = values[2, :3] = values[3, :] = 1
        check = lambda statistic: Threshold("m", at_least=0.1, repeat_by="seed", statistic=statistic)
        assert judge(check("pass@1"), repeated(values)).observed == pytest.approx(values.mean())
        assert judge(check("pass@2"), repeated(values)).observed == pytest.approx((0 + 0.7 + 0.9 + 1) / 4)
        assert judge(check("pass@5"), repeated(values)).observed == pytest.approx(0.75)
        assert judge(check("majority"), repeated(values)).observed == pytest.approx(0.5)

    def test_too_few_repeats_are_named(self):
        found = judge(Threshold("m", at_least=0.1, repeat_by="seed", statistic="pass@6"), repeated(np.ones((4, 5))))
        assert (found.outcome, found.reason) == (
            "fail", "pass@6 takes 6 repeats of each item, and there are 5 of some"
        )  # fmt: skip

    @pytest.mark.parametrize("statistic", ["pass@2", "majority"])
    def test_other_scores_than_0_and_1_have_none(self, statistic):
        scores = repeated(np.full((4, 5), 0.5))
        found = judge(Threshold("m", at_least=0.1, repeat_by="seed", statistic=statistic), scores)
        assert found.reason == f"{statistic} is of scores that are 0 or 1, and others are among the values"
        found = judge(NoRegression("m", repeat_by="seed", statistic=statistic), scores, scores)
        assert found.outcome == "fail"
        assert f"{statistic} is of scores that are 0 or 1" in found.reason


class TestStatistics:
    def test_comparisons_of_them(self):
        base = np.zeros((40, 4))
        base[:, :2] = 1
        candidate = base.copy()
        candidate[:30, 1] = 0
        jobs = repeated(candidate), repeated(base, name="baseline")
        found = judge(NoRegression("m", repeat_by="seed", statistic="pass@2"), *jobs)
        # 1 − C(2, 2) / C(4, 2) = 5/6 and 1 − C(3, 2) / C(4, 2) = 1/2
        assert found.observed == pytest.approx(-(5 / 6 - 1 / 2) * 30 / 40)
        assert found.to_dict()["statistic"] == "difference of pass@2"
        found = judge(NoRegression("m", repeat_by="seed", statistic="majority"), *jobs)
        assert found.observed == pytest.approx(-0.5 * 30 / 40)
        assert judge(NoRegression("m", repeat_by="seed"), *jobs).to_dict()["statistic"] == "difference"

    @given(repeats=st.integers(1, 60), data=st.data())
    def test_pass_at_k_is_the_share_of_draws_with_a_success(self, repeats, data):
        k, successes = data.draw(st.integers(1, repeats)), data.draw(st.integers(0, repeats))
        values = np.array([1.0] * successes + [0.0] * (repeats - successes))
        (found,) = item_statistic(values, np.zeros(repeats, dtype=int), 1, f"pass@{k}")
        assert found == pytest.approx(1 - comb(repeats - successes, k) / comb(repeats, k))

    def test_pass_at_k_of_many_repeats_is_stable(self):
        values = np.array([1.0] + [0.0] * 99_999)
        (found,) = item_statistic(values, np.zeros(100_000, dtype=int), 1, "pass@1000")
        assert found == pytest.approx(0.01)

    @pytest.mark.parametrize(
        ("values", "wanted"), [([1, 1, 0], 1), ([1, 0, 0], 0), ([1, 0], 0.5), ([NAN, 1], 1), ([NAN], NAN)]
    )
    def test_majority(self, values, wanted):
        (found,) = item_statistic(np.array(values, dtype=float), np.zeros(len(values), dtype=int), 1, "majority")
        assert found == pytest.approx(wanted, nan_ok=True)

    def test_repeats_without_a_value_are_no_repeats(self):
        values = np.array([1.0, NAN, 0.0, NAN, 1.0, 0.0])
        found = item_statistic(values, np.array([0, 0, 1, 1, 2, 2]), 3, "pass@2")
        assert np.isnan(found[:2]).all()
        assert found[2] == 1


WITHOUT_REPEATS = "name the field that numbers them with repeat_by="


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        (NoRegression, {"statistic": "pass@5"}, WITHOUT_REPEATS),
        (NoRegression, {"statistic": "majority"}, WITHOUT_REPEATS),
        (Threshold, {"statistic": "pass@5", "at_least": 0.5}, WITHOUT_REPEATS),
        (NoRegression, {"statistic": "pass@0", "repeat_by": "seed"}, "statistic must be mean, pass@<k> or majority"),
        (NoRegression, {"statistic": "max", "repeat_by": "seed"}, "statistic must be mean, pass@<k> or majority"),
        (NoRegression, {"by": "seed", "repeat_by": "seed"}, "by and repeat_by name the same field"),
        (NoRegression, {"cluster_by": "seed", "repeat_by": "seed"}, "cluster_by and repeat_by name the same field"),
        (Threshold, {"where": {"seed": 1}, "repeat_by": "seed", "at_least": 1}, "where and repeat_by name the same"),
        (NoRegression, {"key": "seed", "repeat_by": "seed"}, "key needs a field besides"),
        (
            Threshold,
            {"statistic": "share:good", "repeat_by": "seed", "at_least": 1, "confidence": 0.9},
            "the confidence bound of a share is of independent rows",
        ),
    ],
)
def test_fields_that_do_not_go_together(kind, fields, words):
    with pytest.raises(ConfigurationError, match=words):
        kind("m", **fields)


def test_a_verdict_comes_back_from_its_json():
    check = NoRegression("m", repeat_by="seed", statistic="majority")
    verdict = evaluate([check], repeated(np.ones((20, 3))), repeated(np.ones((20, 3)), name="b"))
    again = Verdict.from_dict(json.loads(json.dumps(verdict.to_dict())))
    assert again.results[0].check == check
    assert again.to_dict() == verdict.to_dict()


def test_a_frame_may_have_seeds_of_any_type():
    seeds = pd.Series([1.5, "a", None, [1]] * 20, dtype=object)
    items = [{"q": i // 4, "seed": seed} for i, seed in enumerate(seeds)]
    found = judge(Threshold("m", at_least=1, repeat_by="seed"), job([1.0] * 80, items=items))
    assert found.count == 20


class TestUnnoticedRepeats:
    """Rows that look like repeats, and that no check names as such."""

    def jobs(self):
        chance = np.random.default_rng(1)
        sides = [np.repeat(chance.random((40, 1)) < p, 5, axis=1) for p in (0.2, 0.8)]
        return repeated(sides[0]), repeated(sides[1], name="baseline")

    HINT = 'ach of 40 items seems to come 5 times, numbered by seed: name it with repeat_by="seed"'

    def test_are_reported_in_the_reason_the_evidence_and_the_log(self, caplog):
        result = judge(NoRegression("m"), *self.jobs())
        assert result.outcome == "fail"
        assert self.HINT in result.reason
        assert self.HINT in result.evidence
        assert self.HINT in result.details["repeats"]
        assert caplog.text.count(self.HINT) == 1

    @pytest.mark.parametrize(
        "check",
        [
            NoRegression("m", margin=0.95),
            NoRegression("m", margin=0.9, mode="prove"),
            NoRegression("m", key=["q", "seed"], margin=0.95),
            Threshold("m", at_least=0.01, confidence=0.95, where={"seed": [0, 1, 2, 3, 4]}),
        ],
    )
    def test_are_reported_with_a_pass_too(self, check):
        result = judge(check, *self.jobs())
        assert (result.outcome, result.reason) == ("pass", "")
        assert self.HINT in result.evidence

    @pytest.mark.parametrize(
        "check",
        [
            NoRegression("m", repeat_by="seed"),
            NoRegression("m", cluster_by="q"),
            Threshold("m", at_least=0.9),
            Threshold("m", at_least=0.9, confidence=0.95, repeat_by="seed"),
            Threshold("m", at_least=0.9, confidence=0.95, cluster_by="q"),
        ],
    )
    def test_are_not_where_the_check_knows_or_does_not_count_them(self, check):
        result = judge(check, *self.jobs())
        assert "repeats" not in result.details
        assert "come 5 times" not in result.reason + result.evidence

    def test_copies_that_nothing_numbers_count_in_a_threshold_only(self):
        values = np.repeat(np.arange(30) % 5 > 0, 10)
        scores = job([float(value) for value in values], items=[{"q": i // 10} for i in range(300)])
        hint = (
            "each of 30 items comes 10 times with nothing that numbers the repeats: name a field of the item with "
            "cluster_by="
        )
        sure = Threshold("m", at_least=0.1, confidence=0.95)
        results = evaluate([NoRegression("m"), sure, replace(sure, cluster_by="q")], scores, scores).results
        assert [result.details.get("repeats") for result in results] == [None, hint, None]

    def test_are_known_of_stored_rows_without_reading_the_items(self, tmp_path):
        jobs = self.jobs()
        checks = [NoRegression("m")]
        places = [stored(tmp_path / side.job, side, "parquet") for side in jobs]
        source = FolderSource(checks=checks, candidate_path=places[0], baseline_paths={"": places[1]})
        assert self.HINT in run_gate(checks, source).results[0].reason
