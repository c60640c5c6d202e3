"""The HTML report of a gate: what it has from the service and the score store besides the verdict."""

from __future__ import annotations

import re
from functools import partial

import pytest

from airflow_provider_benchmarks import extras
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import NoRegression, Threshold
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator
from airflow_provider_benchmarks.store import ScoreStore
from tests.support import gate_jobs
from tests.support.contexts import task_context
from tests.support.page_texts import texts_of

pytest.importorskip("matplotlib")
ROWS = 60


def rows(answer, lost=0):
    return [
        gate_jobs.row(index, float(index >= lost), output_text=f"{answer} {index}", response={"id": index})
        for index in range(ROWS)
    ]


@pytest.fixture
def run_job(service):
    return partial(gate_jobs.run_job, service)


@pytest.fixture
def judge(tmp_path):
    """Judge a job, and return the text of the page."""

    def judge(*checks, **arguments):
        page = tmp_path / "report.html"
        operator = BenchmarkGateOperator(
            task_id="gate", checks=list(checks), report=str(page), on_failure="continue", **arguments
        )
        operator.execute(task_context())
        return page.read_text()

    return judge


def test_both_answers_stand_side_by_side(run_job, judge):
    run_job("before", rows("right")), run_job("after", rows("wrong", lost=20))
    page = judge(NoRegression("m"), job_name="after", baseline="before")
    text = texts_of(page)
    assert "DAG nightly Task gate Run scheduled__2026-01-01" in text
    assert "Job after Baseline before" in text
    assert re.search(r"Versions Airflow [23]\.\d+\.\d+, NeMo Evaluator 0\.1 ", text)
    assert re.search(r'<a href="http[^"]*after[^"]*" rel="noopener noreferrer">Benchmark job</a>', page)
    row = text.split("Rows that got worse most row 0 ")[1].split(" row 1 ")[0]
    shared, baseline, candidate = re.split("Baseline 1|This job 0", row)
    assert "question question 0" in shared
    assert "output_text right 0" in baseline
    assert "output_text wrong 0" in candidate


def test_rows_of_other_indices_are_those_that_were_paired(run_job, judge):
    moved = [{**row, "row_index": ROWS - 1 - index} for index, row in enumerate(rows("right"))][::-1]
    run_job("moved", moved), run_job("keyed", rows("wrong", lost=20))
    text = texts_of(judge(NoRegression("m", key="question"), job_name="keyed", baseline="moved"))
    row = text.split("Rows that got worse most row 0 ")[1].split(" row 1 ")[0]
    assert "output_text right 0" in row
    assert "output_text wrong 0" in row


@pytest.mark.parametrize("stores_outputs", [True, False])
def test_answers_come_from_the_score_store_too(run_job, judge, tmp_path, monkeypatch, stores_outputs):
    monkeypatch.setenv("AIRFLOW__BENCHMARKS__STORE_OUTPUTS", str(stores_outputs))
    run_job("before", rows("right")), run_job("after", rows("wrong", lost=20))
    page = judge(NoRegression("m"), job_name="after", baseline="before", store=str(tmp_path / "store"))
    row = texts_of(page).split("Rows that got worse most row 0 ")[1].split(" row 1 ")[0]
    assert ("output_text right 0" in row, "output_text wrong 0" in row) == (stores_outputs, stores_outputs)
    assert ("kept without the answers of the model" in row) == (not stores_outputs)


def test_earlier_jobs_are_those_of_the_store(run_job, judge, tmp_path):
    store = ScoreStore(str(tmp_path / "store"))
    for night in range(3):
        judge(Threshold("m", at_least=0.5), job_name=run_job(f"night-{night}", rows("x", lost=night)), store=store.root)
    text = texts_of(judge(Threshold("m", at_least=0.99), job_name=run_job("night-3", rows("x", 30)), store=store.root))
    assert "3 earlier jobs, 0.9667 to 1; this job 0.5" in text


@pytest.mark.parametrize("report", ["s3://bucket/report.html", "{{ params.report }}"])
def test_without_the_extra_it_is_reported_before_anything_is_judged(monkeypatch, report):
    monkeypatch.setattr(extras, "find_spec", lambda module: None if module == "matplotlib" else module)
    with pytest.raises(
        ConfigurationError, match=r'gate "gate": a report in HTML needs matplotlib: install .*\[report\]'
    ):
        operator = BenchmarkGateOperator(
            task_id="gate", job_name="j", checks=[Threshold("m", at_least=0.5)], report=report
        )
        operator.render_template_fields({"params": {"report": "r.html"}})
        operator.execute(task_context())
