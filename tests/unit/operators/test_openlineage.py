"""What becomes of scores and verdicts that are odd, or many."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_benchmarks.gates import Threshold, evaluate
from airflow_provider_benchmarks.operators._lineage import Kind, Lineage
from airflow_provider_benchmarks.operators._openlineage import operator_lineage
from airflow_provider_benchmarks.scores import AggregateScore, AggregateScores, JobScores


def facets_of(**known: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The facets of an input, and those that only inputs have."""
    lineage = Lineage()
    lineage.reads(Kind.STORED, "/data/scores", **known)
    (found,) = operator_lineage(SimpleNamespace(inlets=(), outlets=()), lineage, has_outlets=True).inputs
    return found.facets, found.inputFacets


def scores(*found: AggregateScore) -> AggregateScores:
    return AggregateScores(found)


def judged(*checks: Threshold) -> list[Any]:
    of = scores(AggregateScore(metric="ws/m", name="s", mean=0.5, count=5, nan_count=0))
    verdict = evaluate(checks, JobScores(of, job="job-1", benchmark="ws/qa"))
    return facets_of(scores=of, verdict=verdict)[1]["dataQualityAssertions"].assertions


def test_of_many_checks_those_are_told_that_were_not_met():
    held, missed = [Threshold("m", at_least=0.1)] * 3000, [Threshold("m", at_least=0.9)] * 30
    warned = [Threshold("m", at_least=0.8, severity="warn")] * 20
    found = judged(*held, *missed, *warned)
    assert len(found) == 201
    assert [each.success for each in found[:-1]].count(True) == 150
    assert [each.expected for each in found[-51:-1]] == ["≥ 0.9"] * 30 + ["≥ 0.8"] * 20
    assert (found[-1].assertion, found[-1].success) == ("2,850 further checks", True)
    assert found[-1].description == "Left out: 2,850 pass"
    assert (found[-1].column, found[-1].params) == (None, {"outcome": "pass"})


def test_checks_that_were_not_met_and_have_no_room_are_no_success():
    found = judged(*[Threshold("m", at_least=0.9)] * 250, Threshold("m", at_least=0.1))
    assert (found[-1].assertion, found[-1].success, found[-1].severity) == ("51 further checks", False, "error")
    assert found[-1].description == "Left out: 50 fail, 1 pass"


@pytest.mark.parametrize("number", [1, 200])
def test_checks_that_have_room_stand_alone(number):
    assert [each.assertion for each in judged(*[Threshold("m", at_least=0.9)] * number)] == ["mean ≥ 0.9"] * number


def test_columns_that_would_have_one_name_are_told_apart():
    odd = [("a", "b:c"), ("a:b", "c"), ("a", "b\0"), ("a", "b␀"), ("a", "b\0")]
    of = scores(*(AggregateScore(metric=m, name=n, mean=0.5, count=place) for place, (m, n) in enumerate(odd)))
    common, own = facets_of(scores=of)
    names = ["a:b:c", "a:b:c (2)", "a:b␀", "a:b␀ (2)"]
    assert [field.name for field in common["schema"].fields] == names
    counts = {name: column.count for name, column in own["dataQualityMetrics"].columnMetrics.items()}
    assert counts == dict(zip(names, range(4), strict=True))


def test_an_assertion_has_the_column_of_its_score():
    of = scores(
        *(AggregateScore(metric=m, name=n, mean=0.5, count=5, nan_count=0) for m, n in [("a", "b:c"), ("a:b", "c")])
    )
    verdict = evaluate([Threshold("a:b", score="c", at_least=0.1)], JobScores(of, job="job-1", benchmark="ws/qa"))
    (found,) = facets_of(scores=of, verdict=verdict)[1]["dataQualityAssertions"].assertions
    assert found.column == "a:b:c (2)"


def test_percentiles_are_shares():
    given = {
        "p1": 1,
        "p05": 2,
        "p10": 3,
        "p99": 4,
        "p100": 5,
        "p999": 6,
        "p9999": 7,
        "p\uff15\uff10": 8,
        "p": 9,
        "q1": 9,
    }
    (column,) = columns(AggregateScore(metric="m", name="s", percentiles=given)).values()
    assert column.quantiles == {"0.01": 1, "0.05": 2, "0.1": 3, "0.99": 4, "1": 5, "0.999": 6, "0.9999": 7}


@pytest.mark.parametrize(
    ("known", "total"),
    [
        ({"mean": 0.5, "count": 4}, 2.0),
        ({"mean": 0.5, "count": 4, "sum": 2.5}, 2.5),
        ({"mean": 0.5, "count": 4, "sum": float("nan")}, 2.0),
        ({"mean": 0.5}, None),
        ({"mean": float("nan"), "count": 4}, None),
    ],
)
def test_a_mean_is_told_by_its_sum(known, total):
    (column,) = columns(AggregateScore(metric="m", name="s", **known)).values()
    assert column.sum == total


def columns(score: AggregateScore) -> dict[str, Any]:
    found: dict[str, Any] = facets_of(scores=scores(score))[1]["dataQualityMetrics"].columnMetrics
    return found
