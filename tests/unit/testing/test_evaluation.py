from __future__ import annotations

import json

import jinja2
import pytest

from airflow_provider_benchmarks.testing._jobs.datasets import DatasetError, load_dataset
from airflow_provider_benchmarks.testing._jobs.evaluation import EvaluationError, evaluate, normalise
from airflow_provider_benchmarks.testing._jobs.templates import render
from airflow_provider_benchmarks.testing._state.fileset import Fileset, StoredFile
from tests.unit.testing.conftest import DATA

CASES = {case["name"]: case for case in json.loads((DATA / "measured_evaluations.json").read_text())["cases"]}
FAILED = [name for name, case in CASES.items() if "error" in case]


def run(case):
    files = {path: StoredFile(text.encode()) for path, text in case["files"].items()}
    items = load_dataset(Fileset("f", "ev", "", files=files), case["dataset"])
    return evaluate(case["metrics"], items[: case.get("limit_samples")])


@pytest.mark.parametrize("name", [name for name in CASES if name not in FAILED])
def test_scores_equal_the_real_services(name):
    evaluation = run(CASES[name])
    # As text: 1 and 1.0 are not the same on the wire.
    assert [json.dumps(row) for row in evaluation.rows] == [json.dumps(row) for row in CASES[name]["rows"]]
    measured = CASES[name].get("aggregate", {"results": []})["results"]
    assert evaluation.aggregate["results"][: len(measured)] == measured


@pytest.mark.parametrize("name", [name for name in FAILED if name != "damaged"])
def test_failures_are_worded_like_the_real_services(name):
    with pytest.raises(EvaluationError) as caught:
        run(CASES[name])
    assert str(caught.value) == CASES[name]["error"]
    assert CASES[name]["error_type"] == "EvaluationError"


def test_a_dataset_that_can_not_be_read_is_an_error():
    with pytest.raises(DatasetError):
        run(CASES["damaged"])


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("The  Cat, an apple!", "cat apple"),
        ("A.I.", "ai"),
        ("theme", "theme"),
        ("“q”", "“q”"),
        ("tab\there\u00a0now", "tab here now"),
    ],
)
def test_exact_match_ignores_case_punctuation_articles_and_spaces(text, folded):
    assert normalise(text) == folded


def test_a_single_expression_keeps_its_type():
    assert render("{{ item.n }}", {"n": 3}) == 3
    assert render("n: {{ n }}", {"n": 3}) == "n: 3"


def test_templates_are_sandboxed():
    with pytest.raises(jinja2.exceptions.SecurityError):
        render("{{ item.__class__.__mro__ }}", {})


def test_unknown_metrics_say_how_to_give_results():
    with pytest.raises(NotImplementedError, match=r'"rouge": give the results with EvaluationService.give_results'):
        evaluate({"ws/r": {"type": "rouge"}}, [{}])
