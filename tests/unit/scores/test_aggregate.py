from __future__ import annotations

import json
import math
from dataclasses import replace

import pandas as pd
import pytest

from airflow_provider_benchmarks.exceptions import IncompleteResults, ScoreNotFound
from airflow_provider_benchmarks.scores import AggregateScores

WORKSPACE = "my-workspace"


def older_shape(payload):
    """The same scores in the shape of the service's docs."""
    return {
        "metrics": [
            {"metric_ref": entry["metric"], "aggregation": {"scores": entry["scores"]}} for entry in payload["results"]
        ]
    }


@pytest.mark.parametrize("number", [37, 93, 96, 99, 103, 118, 121, 132])
def test_both_shapes_give_the_same_scores(recorded, number):
    payload = recorded(number)
    assert AggregateScores.from_json(payload) == AggregateScores.from_json(older_shape(payload))


@pytest.mark.parametrize("number", [37, 51, 93, 96, 99, 103, 106, 118, 121, 132, 144])
def test_nothing_is_lost_on_the_way_through(recorded, number):
    payload = recorded(number)
    written = AggregateScores.from_json(payload).to_json()
    assert AggregateScores.from_json(json.loads(json.dumps(written, allow_nan=False))) == AggregateScores.from_json(
        payload
    )
    assert written == {"results": [{"metric": e["metric"], "scores": e["scores"]} for e in payload["results"]]}


def test_a_score_passed_through_with_a_mean_only(recorded):
    (score,) = AggregateScores.from_json(recorded(172)).scores
    assert (score.metric, score.name, score.mean, score.count) == ("my-workspace/exact-match", "exact-match", 0.6, None)


def test_range_score(recorded):
    score = AggregateScores.from_json(recorded(37)).get("exact-match")
    assert (score.count, score.nan_count, score.score_type) == (5, 0, "range")
    assert score.std_dev == pytest.approx(math.sqrt(0.24))
    assert score.percentiles["p50"] == 1.0
    assert sum(each.count for each in score.histogram) == 5


def test_rubric_score(recorded):
    score = AggregateScores.from_json(recorded(96)).get("judge", "correct")
    assert score.mode_category == "yes"
    assert [(c["label"], c["count"]) for c in score.rubric_distribution] == [("yes", 2), ("no", 1)]
    assert score.percentiles == {}


def test_all_nan(recorded):
    score = AggregateScores.from_json(recorded(99)).get("judge-garbage")
    assert (score.count, score.nan_count, score.mean, score.rows) == (0, 5, None, 5)
    assert score.histogram == ()


def test_expected_rows_is_the_most_that_a_score_saw(recorded):
    # bleu's corpus score counts 1; number-check has 2 values and 3 NaNs.
    assert AggregateScores.from_json(recorded(93)).expected_rows == 5
    assert AggregateScores.from_json(recorded(172)).expected_rows is None


class TestGet:
    def test_by_name_and_by_reference(self, recorded):
        scores = AggregateScores.from_json(recorded(37))
        assert scores.get("exact-match") is scores.get("my-workspace/exact-match")

    def test_two_metrics_with_one_score_name_are_told_apart(self, recorded):
        scores = AggregateScores.from_json(recorded(93))
        assert scores.get("exact-match").metric != scores.get("exact-match-lower").metric

    def test_several_scores_must_be_named(self, recorded):
        scores = AggregateScores.from_json(recorded(93))
        with pytest.raises(ScoreNotFound, match="gives 4 scores, name one of them: rouge_1_score"):
            scores.get("rouge")
        assert scores.get("rouge", "rouge_L_score").mean == pytest.approx(0.76)

    def test_missing_names_what_there_is(self, recorded):
        scores = AggregateScores.from_json(recorded(37))
        with pytest.raises(
            ScoreNotFound, match="not in the results; they have: my-workspace/exact-match, my-workspace/str"
        ):
            scores.get("f1")
        with pytest.raises(ScoreNotFound, match='has no score "f1"; it has: exact-match'):
            scores.get("exact-match", "f1")

    @pytest.mark.parametrize(
        ("metric", "score", "meant"),
        [
            ("exact-macth", None, "exact-match"),
            ("Exact-Match", None, "exact-match"),
            ("other/exact-match", None, "my-workspace/exact-match"),
            ("exact-match", "exact_match", "exact-match"),
        ],
    )
    def test_a_typo_names_what_was_meant(self, recorded, metric, score, meant):
        with pytest.raises(ScoreNotFound) as caught:
            AggregateScores.from_json(recorded(37)).get(metric, score)
        assert str(caught.value).endswith(f'. Did you mean "{meant}"?')
        with pytest.raises(ScoreNotFound, match="they have: my-workspace/exact-match, [^.]*$"):
            AggregateScores.from_json(recorded(37)).get("f1")

    def test_a_name_in_two_workspaces_is_ambiguous(self):
        entries = [{"metric": f"{ws}/m", "scores": [{"name": "s"}]} for ws in ("a", "b")]
        scores = AggregateScores.from_json({"results": entries})
        with pytest.raises(ScoreNotFound, match=r"ambiguous, it fits: a/m, b/m"):
            scores.get("m")
        assert scores.get("b/m").metric == "b/m"


def aggregates(recorded):
    """Every recorded answer that holds aggregate scores."""
    numbers = (29, 37, 50, 51, 93, 96, 99, 103, 106, 118, 121, 124, 132, 135, 144)
    return [*map(recorded, numbers), *recorded(165)["data"]]


def documented_recipe(aggregate):
    """The code of the service's "Benchmark Results" page."""
    return pd.json_normalize(
        aggregate["metrics"],
        record_path=["aggregation", "scores"],
        meta=["metric_ref"],
    )


class TestFrame:
    def test_it_is_the_documented_recipe_for_every_recorded_answer_in_either_shape(self, recorded):
        for payload in aggregates(recorded):
            documented = documented_recipe(older_shape(payload))
            for shape in (payload, older_shape(payload)):
                ours = AggregateScores.from_json(shape).to_frame()
                assert len(ours.columns) == len(documented.columns)
                pd.testing.assert_frame_equal(ours[list(documented.columns)], documented)

    def test_it_is_the_recipe_for_an_answer_that_was_passed_through(self, recorded):
        ours = AggregateScores.from_json(recorded(172)).to_frame()
        assert list(ours.columns) == ["metric_ref", "name", "mean"]
        pd.testing.assert_frame_equal(ours[["name", "mean", "metric_ref"]], documented_recipe(recorded(172)))

    def test_it_is_the_recipe_after_a_way_through_the_score_store(self, recorded):
        for payload in aggregates(recorded):
            written = json.loads(json.dumps(AggregateScores.from_json(payload).to_json(), allow_nan=False))
            again = AggregateScores.from_json(written).to_frame()
            pd.testing.assert_frame_equal(again, AggregateScores.from_json(payload).to_frame())

    @pytest.mark.parametrize(
        "more",
        [
            {"median": 0.5, "sample_std_dev": None},
            {"percentiles": {}, "histogram": {}},
            {"percentiles": {"p50": None}, "histogram": None},
            {"histogram": {"bins": None, "kind": "even"}},
            {"rubric_distribution": [], "mode_category": None},
            {"extra": {"nested": {"deep": [1]}}},
            {"mean": 1, "count": 2},
        ],
    )
    def test_it_is_the_recipe_for_answers_that_were_never_seen(self, more):
        for scores in ([{"name": "s", **more}], [{"name": "s", **more}, {"name": "t", "mean": 0.5}]):
            payload = {"metrics": [{"metric_ref": "w/m", "aggregation": {"scores": scores}}]}
            documented = documented_recipe(payload)
            ours = AggregateScores.from_json(payload).to_frame()
            assert len(ours.columns) == len(documented.columns)
            pd.testing.assert_frame_equal(ours[list(documented.columns)], documented)

    def test_the_documented_columns_come_first(self, recorded):
        columns = ["metric_ref", "name", "mean", "std_dev", "min", "max", "count"]
        assert list(AggregateScores.from_json(recorded(37)).to_frame().columns[:7]) == columns
        assert list(AggregateScores.from_json({"results": []}).to_frame().columns) == columns

    def test_the_words_for_nan_are_nan(self):
        payload = {"results": [{"metric": "w/m", "scores": [{"name": "s", "mean": "NaN"}]}]}
        assert math.isnan(AggregateScores.from_json(payload).to_frame()["mean"][0])

    def test_a_changed_score_shows_what_it_was_changed_to(self, recorded):
        score = AggregateScores.from_json(recorded(37)).scores[0]
        changed = AggregateScores((replace(score, mean=0.25, extra={"kurtosis": 1.0}),))
        frame = changed.to_frame()
        assert frame[["mean", "std_dev", "percentiles.p50", "kurtosis"]].iloc[0].tolist() == [
            0.25,
            score.std_dev,
            1.0,
            1.0,
        ]
        assert AggregateScores.from_json(changed.to_json()) == changed


def test_records_are_flat_and_json_safe(recorded):
    for number in (37, 93, 96, 99, 103):
        records = AggregateScores.from_json(recorded(number)).to_records()
        json.dumps(records, allow_nan=False)
        assert all(not isinstance(value, dict | list) for record in records for value in record.values())


def test_nan_statistics_become_null_in_records():
    scores = AggregateScores.from_json(
        {"results": [{"metric": "w/m", "scores": [{"name": "s", "mean": "NaN", "count": 0}]}]}
    )
    assert math.isnan(scores.get("m").mean)
    assert scores.to_records()[0]["mean"] is None


def test_unknown_fields_are_kept():
    payload = {"results": [{"metric": "w/m", "scores": [{"name": "s", "count": 1, "kurtosis": 0.5}]}]}
    scores = AggregateScores.from_json(payload)
    assert scores.get("m").extra == {"kurtosis": 0.5}
    assert scores.to_json()["results"][0]["scores"][0]["kurtosis"] == 0.5


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        {},
        {"data": []},
        {"results": [{"metric": "w/m"}]},
        {"results": [{"scores": []}]},
        {"results": [{"metric": "w/m", "scores": [{"count": 1}]}]},
        {"results": [{"metric": "w/m", "scores": [{"name": "s", "count": 1.5}]}]},
        {"results": [{"metric": "w/m", "scores": [{"name": "s", "count": -1}]}]},
        {"results": [{"metric": "w/m", "scores": [{"name": "s"}, {"name": "s"}]}]},
    ],
)
def test_what_is_not_scores_is_refused(payload):
    with pytest.raises(IncompleteResults):
        AggregateScores.from_json(payload)


SOUND = {
    "count": 4,
    "nan_count": 0,
    "mean": 0.5,
    "std_dev": 0.5,
    "min": 0,
    "max": 1,
    "sum": 2,
    "percentiles": {"p50": 0.5},
}


@pytest.mark.parametrize("odd", ["N/A", "high", "", True, [], {}, [1], 10**399, -(10**399)])
@pytest.mark.parametrize("name", ["mean", "std_dev", "min", "sum", "median", "sample_variance", "count", "nan_count"])
def test_a_statistic_that_is_no_number_is_unknown_and_the_rest_is_read(name, odd):
    sound, found = (
        AggregateScores.from_json({"results": [{"metric": "w/m", "scores": [{"name": "s", **SOUND, **more}]}]}).get("m")
        for more in ({}, {name: odd})
    )
    assert getattr(found, name) is None
    assert list(found.unread) == [name]
    assert replace(found, unread={}, **{name: getattr(sound, name)}) == sound


@pytest.mark.parametrize("odd", [{"p50": "N/A", "p90": 1}, {"p50": [], "p90": 1.0}, {"p50": 10**400, "p90": 1}])
def test_a_percentile_that_is_no_number_is_unknown_and_the_others_are_read(odd):
    score = AggregateScores.from_json(
        {"results": [{"metric": "w/m", "scores": [{"name": "s", **SOUND, "percentiles": odd}]}]}
    ).get("m")
    assert (score.percentiles, score.mean) == ({"p50": None, "p90": 1.0}, 0.5)
    assert list(score.unread) == ["percentiles.p50"]


@pytest.mark.parametrize("odd", ["N/A", 7, ["x"], {"bins": "x"}, {"bins": [None, {"lower_bound": "x"}, 3]}])
@pytest.mark.parametrize("name", ["percentiles", "histogram", "rubric_distribution", "score_type"])
def test_odd_lists_and_objects_leave_the_statistics(name, odd):
    scores = AggregateScores.from_json({"results": [{"metric": "w/m", "scores": [{"name": "s", **SOUND, name: odd}]}]})
    assert (scores.get("m").mean, scores.get("m").count) == (0.5, 4)
    json.dumps(scores.to_records() + [scores.to_json()], allow_nan=False)
    assert AggregateScores.from_json(json.loads(json.dumps(scores.to_json()))).get("m").mean == 0.5


def test_percentiles_that_are_called_like_statistics_replace_none_of_them():
    odd = {"mean": 7, "count": 8, "name": 9, "p50": 0.5, "P50": 1, "0.5": 2}
    scores = AggregateScores.from_json(
        {"results": [{"metric": "w/m", "scores": [{"name": "s", **SOUND, "percentiles": odd}]}]}
    )
    (record,) = scores.to_records()
    assert (record["mean"], record["count"], record["name"], record["p50"]) == (0.5, 4, "s", 0.5)
    assert {key: record[key] for key in ("percentiles.mean", "percentiles.count", "percentiles.name", "0.5")} == {
        "percentiles.mean": 7.0,
        "percentiles.count": 8.0,
        "percentiles.name": 9.0,
        "0.5": 2.0,
    }
