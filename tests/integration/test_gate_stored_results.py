"""Gates and baselines on the results of other evaluators, out of the score store: no service and no connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_benchmarks.exceptions import NotStored
from airflow_provider_benchmarks.gates import NoRegression, Threshold
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator, GateFailed, PinBaselineOperator
from airflow_provider_benchmarks.operators.results import StoreResultsOperator
from airflow_provider_benchmarks.store import ScoreStore
from tests.support.contexts import task_context

RECORDED = Path(__file__).parents[1] / "recorded" / "evaluators"
FLOOR = Threshold("match", at_least=0.5, max_error_rate=0.2)
NO_LOSS = NoRegression("match", min_count=5, max_error_rate=0.2)
WHERE = {"workspace": "qa", "benchmark": "qa/trivia"}


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "store")


@pytest.fixture
def folder(store):
    """Store a run, and return the folder of its job."""

    def put(run):
        path = str(RECORDED / "inspect_ai" / run)
        operator = StoreResultsOperator(task_id="store", path=path, store=store, benchmark="qa/trivia")
        (stored,) = operator.execute(task_context())
        return stored["path"]

    return put


@pytest.fixture
def gate(store):
    def judge(job_name, *checks, **arguments):
        known = {"task_id": "gate", "conn_id": "nowhere", "store": store, "job_name": job_name, "checks": checks}
        return BenchmarkGateOperator(**{**known, **arguments}).execute(task_context())

    return judge


@pytest.fixture
def pin(store):
    def run(job_name, **arguments):
        operator = PinBaselineOperator(
            **{"task_id": "pin", "conn_id": "nowhere", "store": store, "job_name": job_name, **arguments}
        )
        return operator.execute(task_context())

    return run


def test_a_threshold_is_judged(folder, gate):
    better = folder("better")
    verdict = gate(better, FLOOR)
    assert (verdict["outcome"], verdict["workspace"], verdict["benchmark"]) == ("pass", "qa", "qa/trivia")
    assert verdict["job"] == better.rpartition("/")[2]
    with pytest.raises(GateFailed, match='in workspace "qa": .*'):
        gate(folder("worse"), FLOOR)


def test_the_verdict_is_kept_with_the_job(folder, gate, store):
    job = folder("better").rpartition("/")[2]
    gate(f"{store}/qa/trivia/{job}", FLOOR)
    (stored,) = ScoreStore(store).history(**WHERE)
    assert stored.outcomes == {"nightly.gate": "pass"}


def test_the_pinned_run_is_the_baseline(folder, gate, pin, store):
    better, worse = folder("better"), folder("worse")
    assert pin(better) == better.rpartition("/")[2]
    assert ScoreStore(store).pinned(**WHERE).job == better.rpartition("/")[2]
    (result,) = gate(worse, NO_LOSS, on_failure="continue")["results"]
    assert result["observed"] == pytest.approx(-0.375)
    assert result["details"]["pairs"] == 16


@pytest.mark.parametrize("baseline", ["last_passed", "previous"])
def test_an_earlier_run_is_the_baseline(folder, gate, baseline):
    better, worse = folder("better"), folder("worse")
    gate(better, FLOOR)
    verdict = gate(worse, NO_LOSS, baseline=baseline, on_failure="continue")
    assert verdict["baseline"] == better.rpartition("/")[2]
    (result,) = gate(better, NO_LOSS, baseline=baseline, on_failure="continue")["results"]
    assert "there is no baseline yet" in result["reason"]


def test_a_run_is_not_compared_with_itself(folder, gate):
    better = folder("better")
    (result,) = gate(better, NO_LOSS, baseline=better, on_failure="continue")["results"]
    assert "this very job" in result["reason"]


@pytest.mark.parametrize("other", ["nowhere/at/all", "elsewhere"])
def test_a_folder_must_be_of_the_store(folder, gate, pin, tmp_path, other):
    better = folder("better")
    if other == "elsewhere":
        with pytest.raises(NotStored, match="is not in the score store"):
            pin(better, store=str(tmp_path / "elsewhere"))
    else:
        for act in (pin, lambda name: gate(name, FLOOR)):
            with pytest.raises(NotStored, match="nowhere/at/all is no folder of a job in a score store"):
                act(other)


def test_rows_that_were_deleted_are_an_error_that_names_them(folder, gate):
    stored = folder("better")
    file = Path(stored, "row-scores.parquet")
    file.unlink()
    with pytest.raises(NotStored, match=f"its row scores are not in the score store any more, {file} is not there"):
        gate(stored, FLOOR)
