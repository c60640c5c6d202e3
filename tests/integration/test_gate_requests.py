"""The number of requests that a gate sends to the service: each job is fetched once."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from functools import partial
from pathlib import Path

import httpx
import pytest

from airflow_provider_benchmarks.exceptions import DestinationExists
from airflow_provider_benchmarks.gates import NoRegression, Threshold
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator, PinBaselineOperator
from airflow_provider_benchmarks.store import ScoreStore
from tests.integration.conftest import BENCHMARK, WORKSPACE
from tests.support import gate_jobs
from tests.support.contexts import task_context
from tests.support.gate_jobs import ROWS

FLOOR, SLICE, COMPARISON = Threshold("m", at_least=0.5), Threshold("m", at_least=0.1, by="category"), NoRegression("m")


@pytest.fixture
def run_job(service):
    return partial(gate_jobs.run_job, service)


@pytest.fixture
def store(tmp_path):
    return ScoreStore(str(tmp_path / "store"))


@pytest.fixture
def judge(service):
    """Run a gate that passes; returns its results, and the number of requests for each thing."""

    def run(*checks, **arguments):
        operator = BenchmarkGateOperator(task_id="gate", checks=checks, **arguments)
        service.clear_requests()
        verdict = operator.execute(task_context())
        assert verdict["outcome"] == "pass"
        return verdict["results"], Counter(what(request.path) for request in service.requests)

    return run


def what(path):
    """What a request asks for."""
    parts = {
        "/aggregate-scores/": "aggregate scores",
        "/benchmark-job-results/": "dataset",
        "/files/": "rows",
        "/row-scores/": "rows",
    }
    return next((name for part, name in parts.items() if part in path), path.rpartition("/")[2])


class TestWithoutAStore:
    def test_a_floor_takes_the_job_and_its_aggregate_scores(self, run_job, judge):
        _, requests = judge(FLOOR, FLOOR, job_name=run_job("job-1"))
        assert requests == {"job-1": 1, "aggregate scores": 1}

    def test_a_slice_takes_the_rows_too(self, run_job, judge):
        _, requests = judge(FLOOR, SLICE, job_name=run_job("job-1"))
        assert requests == {"job-1": 1, "aggregate scores": 1, "results": 1, "rows": 1}

    def test_a_comparison_takes_each_job_once(self, run_job, judge):
        run_job("old"), run_job("new")
        checks = (FLOOR, SLICE, COMPARISON, NoRegression("m", baseline="old", mode="prove", margin=0.1))
        _, requests = judge(*checks, job_name="new", baseline="old")
        each = {"aggregate scores": 2, "dataset": 2, "results": 2, "rows": 2}
        assert requests == {"old": 1, "new": 1, **each}


class TestWithAStore:
    def test_a_comparison_with_a_stored_baseline(self, run_job, judge, store):
        PinBaselineOperator(task_id="pin", job_name=run_job("old"), store=store.root).execute(task_context())
        (result,), requests = judge(COMPARISON, job_name=run_job("new"), store=store.root)
        assert result["count"] == ROWS
        assert requests == {"new": 1, "aggregate scores": 1, "dataset": 1, "results": 1, "rows": 1}
        assert requests.total() <= 5

    def test_a_floor_stores_the_job_with_its_verdict(self, run_job, judge, store):
        _, requests = judge(FLOOR, job_name=run_job("job-1"), store=store.root)
        assert requests.total() <= 6
        assert requests["rows"] == 1
        (stored,) = store.history(workspace=WORKSPACE, benchmark=BENCHMARK)
        assert (stored.job, stored.rows.rows, stored.outcomes) == ("job-1", ROWS, {"nightly.gate": "pass"})

    def test_a_job_that_is_stored_already_is_not_downloaded_again(self, run_job, judge, store):
        judge(SLICE, job_name=run_job("job-1"), store=store.root)
        results, requests = judge(SLICE, job_name="job-1", store=store.root)
        assert [result["count"] for result in results] == [ROWS // 4, ROWS - ROWS // 4]
        # The aggregate scores show that nobody has run it again under its name.
        assert requests == {"job-1": 1, "aggregate scores": 1}

    @pytest.mark.parametrize("check", [FLOOR, SLICE])
    def test_a_job_that_was_run_again_is_not_judged_by_the_rows_of_before(self, run_job, judge, store, check):
        judge(check, job_name=run_job("job-1"), store=store.root)
        (stored,) = store.history(workspace=WORKSPACE, benchmark=BENCHMARK)
        manifest = Path(store.job_folder(stored), "manifest.json")
        described = json.loads(manifest.read_text())
        described["scores"]["results"][0]["scores"][0]["mean"] = 0.125
        scores_sum = hashlib.sha256(json.dumps(described["scores"]).encode()).hexdigest()
        next(file for file in described["files"] if file["path"] == "aggregate-scores.json")["sha256"] = scores_sum
        manifest.write_text(json.dumps(described))
        with pytest.raises(DestinationExists, match="Somebody has run it again under its name"):
            judge(check, job_name="job-1", store=store.root)

    def test_rows_that_the_store_has_lost_come_from_the_service(self, run_job, judge, store):
        judge(SLICE, job_name=run_job("job-1"), store=store.root)
        (stored,) = store.history(workspace=WORKSPACE, benchmark=BENCHMARK)
        Path(stored.rows.path).unlink()
        results, requests = judge(SLICE, job_name="job-1", store=store.root)
        assert [result["count"] for result in results] == [ROWS // 4, ROWS - ROWS // 4]
        assert requests["rows"] == 1

    @pytest.mark.parametrize("check", [FLOOR, SLICE])
    def test_a_stored_job_whose_results_the_service_has_lost(self, service, run_job, judge, store, check):
        judge(check, job_name=run_job("job-1"), store=store.root)
        fileset = f"{service.url}/apis/files/v2/workspaces/{WORKSPACE}/filesets/job-fileset-job-1"
        assert httpx.delete(fileset).status_code == 200
        judge(check, job_name="job-1", store=store.root)

    def test_the_scores_of_a_purged_job_come_from_the_store(self, service, run_job, judge, store):
        PinBaselineOperator(task_id="pin", job_name=run_job("old"), store=store.root).execute(task_context())
        PinBaselineOperator(task_id="pin", job_name=run_job("purged"), store=store.root).execute(task_context())
        with gate_jobs.client_of(service) as client:
            client.delete_job("purged")
        results, requests = judge(SLICE, COMPARISON, job_name="purged", baseline="old", store=store.root)
        assert [result["count"] for result in results] == [ROWS // 4, ROWS - ROWS // 4, ROWS]
        assert requests["purged"] == 1
        assert requests.total() <= 6
        assert store.history(workspace=WORKSPACE, benchmark=BENCHMARK)[0].outcomes == {"nightly.gate": "pass"}
