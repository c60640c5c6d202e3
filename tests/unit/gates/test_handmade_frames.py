"""Frames of rows that somebody made, or that pandas read: without rows, with arrays, with odd names of columns."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import NoRegression, Threshold, Verdict, evaluate
from airflow_provider_benchmarks.scores import JobScores
from tests.support.scored_jobs import job


def framed(values, *, name="candidate", **items):
    """A job whose rows are a frame without attributes."""
    return replace(job(values, name=name), rows=pd.DataFrame({**items, "s": values}))


def without_rows(name="candidate"):
    frame = pd.DataFrame({"q": pd.Series([], dtype=object), "s": pd.Series([], dtype=float)})
    return JobScores(job([], name=name).aggregate, frame, job=name)


@pytest.mark.parametrize(
    "check",
    [
        NoRegression("m"),
        NoRegression("m", by="q"),
        NoRegression("m", key="q"),
        Threshold("m", at_least=0.5, confidence=0.95),
        Threshold("m", at_least=0.5, by="q", confidence=0.95),
    ],
)
@pytest.mark.parametrize("baseline", [without_rows("b"), framed(np.ones(20), name="b", q=range(20))])
def test_a_job_without_rows_misses(check, baseline):
    (result,) = evaluate([check], without_rows(), baseline).results
    assert result.outcome == "fail"
    assert "rows" in result.reason


@pytest.mark.parametrize("made", [lambda i: np.array([i, 1]), lambda i: {"a": np.array([i])}, pd.Timestamp])
def test_items_may_be_of_any_type(made):
    items = np.empty(30, dtype=object)
    items[:] = [made(i) for i in range(30)]
    check = NoRegression("m", key="q")
    verdict = evaluate([check], framed(np.zeros(30), q=items), framed(np.ones(30), name="b", q=items))
    assert verdict.results[0].outcome == "fail"
    assert verdict.results[0].count == 30
    assert Verdict.from_dict(json.loads(json.dumps(verdict.to_dict()))).to_dict() == verdict.to_dict()


def test_an_array_is_a_list():
    arrays, lists = pd.Series([np.array([i, 1]) for i in range(30)]), pd.Series([[i, 1] for i in range(30)])
    check = NoRegression("m", key="q")
    (result,) = evaluate([check], framed(np.ones(30), q=arrays), framed(np.ones(30), name="b", q=lists)).results
    assert (result.outcome, result.count) == ("pass", 30)


def named(names, values=1.0, name="candidate"):
    frame = pd.DataFrame([[i, i % 3, values] for i in range(30)], columns=names)
    return replace(job([values] * 30, name=name), rows=frame)


@pytest.mark.parametrize("check", [NoRegression("m"), NoRegression("m", key="0"), Threshold("m", at_least=1, by="0")])
def test_names_of_columns_are_texts(check):
    candidate = named([0, ("a", 1), "s"])
    results = evaluate([check], candidate, named(["0", "('a', 1)", "s"], name="b")).results
    assert {result.outcome for result in results} == {"pass"}
    assert list(candidate.rows.columns) == [0, ("a", 1), "s"]


@pytest.mark.parametrize("names", [["q", "q", "s"], [0, "0", "s"], ["q", "s", "s"]])
def test_two_columns_of_one_name_are_refused(names):
    with pytest.raises(ConfigurationError, match=f'two columns of the rows of "b" are named "{names[1]}"'):
        evaluate([NoRegression("m")], named(["q", "x", "s"]), named(names, name="b"))
    with pytest.raises(ConfigurationError, match='of "candidate"'):
        evaluate([Threshold("m", at_least=1)], named(names))
