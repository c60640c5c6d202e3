"""Our scores against those of the vendor's SDK for the same jobs of the real platform."""

from __future__ import annotations

import json
import math
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import JobCancelled, JobFailed, NotFound
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.testing import EXAMPLE_WORKSPACE, Seeder
from tests.support.airflow_runs import connection
from tests.support.example_jobs import seed_benchmarks

pytestmark = pytest.mark.releases("0.1")

SCORED = ("example", "multi", "with-nans")


@pytest.fixture(scope="module")
def jobs(platform) -> dict[str, str]:
    """Finished jobs by what they show: example, multi, with-nans, failing, cancelled."""
    with Seeder(platform.url) as seeder:
        benchmarks = seed_benchmarks(seeder)
    with BenchmarkClient(ClientConfig(base_url=platform.url, workspace=EXAMPLE_WORKSPACE)) as client:
        names = {
            what: client.submit_job({"benchmark": benchmark, "params": {"parallelism": 2}}, name=f"sdk-{what}").job.name
            for what, benchmark in benchmarks.items()
        }
        names["cancelled"] = client.submit_job({"benchmark": benchmarks["example"]}, name="sdk-cancelled").job.name
        client.cancel_job(names["cancelled"])
        end = time.monotonic() + 1800
        while not all(client.get_status(name).is_finished for name in names.values()):
            assert time.monotonic() < end, {name: client.get_status(name).status for name in names.values()}
            time.sleep(1)
    return names


@pytest.fixture(scope="module")
def sdk(platform, jobs) -> dict[str, Any]:
    script = Path(__file__).with_name("sdk_scores.py")
    command = [str(platform.venv / "bin" / "python"), str(script), platform.url, EXAMPLE_WORKSPACE, *jobs.values()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    by_name = json.loads(done.stdout)
    return {what: by_name[name] for what, name in jobs.items()}


@pytest.fixture
def hook(platform, monkeypatch) -> BenchmarkHook:
    monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", connection(platform.url))
    return BenchmarkHook()


def number(value: Any) -> Any:
    """A value that compares equal to itself also where it is NaN."""
    return "NaN" if value == "NaN" or (isinstance(value, float) and math.isnan(value)) else value


@pytest.mark.parametrize("what", SCORED)
def test_aggregate_scores(hook, jobs, sdk, what):
    theirs = {
        (entry["metric"], score["name"]): score
        for entry in sdk[what]["aggregate"]["results"]
        for score in entry["scores"]
    }
    ours = {(score.metric, score.name): score for score in hook.get_aggregate_scores(jobs[what]).scores}
    assert list(ours) == list(theirs)
    for key, score in ours.items():
        expected = theirs[key]
        for statistic in ("count", "nan_count", "mean", "std_dev", "variance", "min", "max", "sum", "score_type"):
            assert number(getattr(score, statistic)) == number(expected[statistic]), (key, statistic)
        assert dict(score.percentiles) == (expected.get("percentiles") or {})
        bins = (expected.get("histogram") or {}).get("bins", [])
        assert [(b.lower_bound, b.upper_bound, b.count) for b in score.histogram] == [
            (b["lower_bound"], b["upper_bound"], b["count"]) for b in bins
        ]


@pytest.mark.parametrize("what", SCORED)
def test_row_scores(hook, jobs, sdk, what):
    ours = list(hook.iter_row_scores(jobs[what]))
    theirs = sdk[what]["rows"]
    assert [row.row_index for row in ours] == [row["row_index"] for row in theirs]
    for row, expected in zip(ours, theirs, strict=True):
        assert (row.item, row.sample) == (expected["item"], expected["sample"])
        assert {m: {n: number(v) for n, v in named.items()} for m, named in row.metrics.items()} == {
            m: {score["name"]: number(score["value"]) for score in scores} for m, scores in expected["metrics"].items()
        }
        assert row.metric_errors == (expected.get("metric_errors") or {})


def test_the_jobs_show_what_they_are_meant_to(hook, jobs):
    multi = hook.get_aggregate_scores(jobs["multi"])
    assert len({score.metric for score in multi.scores}) < len(multi.scores)
    nans = hook.get_aggregate_scores(jobs["with-nans"])
    assert nans.get("number").nan_count > 0
    rows = list(hook.iter_row_scores(jobs["with-nans"]))
    assert any(math.isnan(value) for row in rows for value in row.metrics["my-workspace/number"].values())


@pytest.mark.parametrize("what", [*SCORED, "failing", "cancelled"])
def test_status_benchmark_and_results(hook, jobs, sdk, what):
    job = hook.get_job(jobs[what])
    assert (job.status, job.benchmark) == (sdk[what]["status"], sdk[what]["benchmark"])
    assert [result.name for result in hook.list_results(jobs[what])] == sdk[what]["results"]


def test_a_failed_job_says_the_services_reason(hook, jobs, sdk):
    assert sdk["failing"]["aggregate"] == 404
    with pytest.raises(JobFailed, match="missing_key='nope'"):
        hook.wait_for_job(jobs["failing"], poll_interval=1, timeout=60)
    with pytest.raises(NotFound, match="look at its status and log"):
        hook.get_aggregate_scores(jobs["failing"])


def test_a_cancelled_job_is_an_error(hook, jobs, sdk):
    assert sdk["cancelled"]["aggregate"] == 404
    with pytest.raises(JobCancelled):
        hook.wait_for_job(jobs["cancelled"], poll_interval=1, timeout=60)


def test_a_stored_file_holds_the_rows_of_the_sdk(hook, jobs, sdk, tmp_path):
    stored = hook.download_row_scores(jobs["multi"], str(tmp_path / "rows.jsonl"))
    lines = (tmp_path / "rows.jsonl").read_bytes().splitlines()
    assert stored.rows == len(lines) == len(sdk["multi"]["rows"])
    assert [json.loads(line)["item"] for line in lines] == [row["item"] for row in sdk["multi"]["rows"]]
