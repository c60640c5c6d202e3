"""One benchmark, one task and one gate on every release of the service, and a baseline that lives through a move."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_provider_benchmarks.benchmarks import Benchmark, JobRequest, RecordedBenchmark, bundle_spec
from airflow_provider_benchmarks.exceptions import ConfigurationError, Conflict, NameUnusable
from airflow_provider_benchmarks.gates import NoRegression, Threshold
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator, GateInconclusive
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.store import ScoreStore
from airflow_provider_benchmarks.testing import EvaluationService, Fault
from airflow_provider_benchmarks.testing.seed import EXAMPLE_METRICS, EXAMPLE_ROWS
from tests.conftest import RECORDED
from tests.integration.conftest import BENCHMARK, WORKSPACE
from tests.support.contexts import task_context

EXACT, CONTAINS = (f"{WORKSPACE}/{name}" for name in EXAMPLE_METRICS)
METRICS = dict(zip((EXACT, CONTAINS), EXAMPLE_METRICS.values(), strict=True))
OF_FILESET = Benchmark(BENCHMARK, dataset=f"{WORKSPACE}/qa", metrics=METRICS)
#: Two metrics of one type, whose names a newer service makes of their type.
TWICE = Benchmark(
    f"{WORKSPACE}/twice",
    rows=EXAMPLE_ROWS,
    metrics={
        f"{WORKSPACE}/contains": EXAMPLE_METRICS["string-check"],
        f"{WORKSPACE}/contained": {
            **EXAMPLE_METRICS["string-check"],
            "left_template": "{{item.reference}}",
            "right_template": "{{item.output}}",
        },
    },
)
RELEASES = ["0.1", "0.3", "0.6", "0.7", "0.8"]


@pytest.fixture
def start(monkeypatch):
    """Start a service of a release, which the Airflow connection names from then on."""
    running = []

    def start_release(release):
        service = EvaluationService(release=release, job_seconds=0.05)
        running.append(service)
        service.start()
        service.seed_question_answer_example()
        monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", service.connection_json())
        return service

    yield start_release
    for service in running:
        service.stop()


def run(benchmark, task_id="run", **arguments):
    operator = RunBenchmarkJobOperator(
        task_id=task_id, benchmark=benchmark, poll_interval=0.05, timeout=60, deferrable=False, **arguments
    )
    return operator.execute(task_context(task_id=task_id))


def gate(job, **arguments):
    checks = [Threshold("exact-match", at_least=0.5), NoRegression("exact-match", margin=0.01, min_count=5)]
    return BenchmarkGateOperator(task_id="gate", job_name=job, checks=checks, **arguments).execute(task_context())


@pytest.mark.parametrize("refused", [1, None])
def test_a_conflict_that_is_not_said_to_be_the_name_is_raised_at_the_second_one(start, monkeypatch, refused):
    monkeypatch.setattr("airflow_provider_benchmarks.client._operations._LOOKUPS_AFTER_CONFLICT", 1)
    service = start("0.7")
    (recorded,) = (RECORDED / "0.7.3").glob("053-*")
    fault = Fault.answer(409, body=recorded.read_bytes()).on("POST", "*/evaluate/jobs", times=refused)
    refusal = service.inject(fault)
    if refused:
        assert run(OF_FILESET).endswith("-2")
        return
    with pytest.raises(NameUnusable, match="conflicts with existing platform state.*mend what the spec refers to"):
        run(OF_FILESET)
    assert refusal.fired == 2


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("benchmark", [OF_FILESET, TWICE], ids=["fileset", "rows"])
def test_one_task_gives_the_same_scores_by_the_same_names(start, release, benchmark):
    start(release)
    name, hook = run(benchmark), BenchmarkHook()
    job = hook.get_job(name)
    assert (job.benchmark, job.dataset) == (benchmark.name, RecordedBenchmark.of(benchmark).dataset)
    means = {score.metric: score.mean for score in hook.get_aggregate_scores(name).scores}
    expected = [0.6, 0.8] if benchmark is OF_FILESET else [0.8, 0.4]
    assert means == pytest.approx(dict(zip(benchmark.metrics, expected, strict=True)))
    assert all(set(row.metrics) == set(benchmark.metrics) for row in hook.iter_row_scores(name))


@pytest.mark.parametrize("release", RELEASES[1:])
def test_a_reference_alone_is_refused_where_no_benchmarks_are_stored(start, release):
    start(release)
    with pytest.raises(ConfigurationError, match="stores no benchmarks"):
        run(BENCHMARK)


@pytest.mark.parametrize("release", RELEASES)
def test_a_job_under_the_name_is_said_to_differ_only_in_what_differs(start, release):
    start(release)
    hook, named = BenchmarkHook(), {"name": "taken", "custom_fields": {"fingerprint": "of a run"}}
    another = {**named, "custom_fields": {"fingerprint": "of another"}}
    # Newer releases keep their own benchmarks apart by their content; the first one stores one of each name.
    hook.submit_job(benchmark=OF_FILESET, params={"parallelism": 2}, **named)

    def refusal(benchmark=OF_FILESET, params=None):
        with pytest.raises(Conflict, match="is taken by a job that is not this one") as caught:
            hook.submit_job(benchmark=benchmark, params=params, **another)
        return str(caught.value)

    assert "it belongs to another run or spec" in refusal(params={"parallelism": 2})
    assert "its spec differs in params (" in refusal(params={"parallelism": 2, "limit_samples": 1})
    assert "its benchmark differs (name is" in refusal(replace(OF_FILESET, name=f"{WORKSPACE}/other"))
    fewer = replace(OF_FILESET, name=f"{WORKSPACE}/fewer", metrics={EXACT: METRICS[EXACT]})
    assert f"metrics.{CONTAINS} is missing and there" in refusal(fewer)


@pytest.mark.parametrize("release", RELEASES)
def test_a_retry_finds_its_job(start, release):
    start(release)
    assert run(OF_FILESET) == run(OF_FILESET)
    assert len(list(BenchmarkHook().list_jobs())) == 1


@pytest.mark.parametrize("release", RELEASES[1:])
@pytest.mark.parametrize("benchmark", [OF_FILESET, replace(TWICE, metrics=METRICS, name=BENCHMARK)])
def test_a_baseline_of_the_first_release_gates_after_the_move(start, tmp_path, release, benchmark):
    store = ScoreStore(str(tmp_path / "store"))
    start("0.1")
    # The rows are stored as the benchmark's dataset, and the example's has another one.
    mine = replace(benchmark, name=f"{WORKSPACE}/moved")
    store.pin(BenchmarkHook().store_job(store, run(mine, "before")))
    start(release)
    verdict = gate(run(mine, "after"), store=store.root)
    threshold, comparison = verdict["results"]
    assert threshold["outcome"] == "pass"
    # Five rows are compared, which are too few for a proof.
    assert (comparison["outcome"], comparison["observed"], comparison["count"]) == ("warn", 0.0, 5)
    assert verdict["baseline"]


@pytest.mark.parametrize("release", ["0.6", "0.8"])
def test_jobs_of_a_spec_that_names_no_benchmark_have_a_history_and_baselines(start, tmp_path, release):
    start(release)
    hook, store = BenchmarkHook(), str(tmp_path / "scores")
    spec = bundle_spec(JobRequest(OF_FILESET)).spec
    other = bundle_spec(JobRequest(replace(OF_FILESET, metrics={CONTAINS: METRICS[CONTAINS]}))).spec
    for name, its in (("first", spec), ("second", {**spec, "params": {"parallelism": 2}}), ("other", other)):
        hook.submit_job(its, name=name)
        hook.wait_for_job(name, poll_interval=0.05)
    passed = {"store": store, "baseline": "previous", "aliases": {"exact-match": EXACT}}
    assert gate("first", **passed)["results"][1]["outcome"] == "warn"
    verdict = gate("second", **passed)
    assert (verdict["outcome"], verdict["baseline"]) == ("pass", "first")
    assert verdict["benchmark"].startswith(f"{WORKSPACE}/qa~exact-match~string-check~")
    assert hook.get_job("other").benchmark != verdict["benchmark"]
    stored = ScoreStore(store).get("first", workspace=WORKSPACE, benchmark=verdict["benchmark"])
    reported = stored.reported_rows
    assert (reported and reported.total) == (5 if release == "0.8" else None)
    # One that is named is not refused for the name that the other lacks.
    run(OF_FILESET, task_id="named")
    named = next(job.name for job in hook.list_jobs() if job.benchmark == BENCHMARK)
    folder, aliases = ScoreStore(store).job_folder(stored), {"exact-match": EXACT}
    compared = gate(named, baseline=folder, aliases=aliases)["results"][1]
    assert (compared["observed"], compared["reason"]) == (0, "inconclusive: 5 rows, 10 are needed")
    # Without its alias the metric of the stored one has another name: a baseline without the score lets nothing pass.
    with pytest.raises(GateInconclusive, match="is not in the results; they have: exact-match"):
        gate(named, baseline=folder)
