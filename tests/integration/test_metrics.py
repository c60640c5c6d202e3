"""What is sent of scores, verdicts and durations as Airflow's metrics, and what is not."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Stats

from airflow_provider_benchmarks.exceptions import JobFailed, JobTimeout
from airflow_provider_benchmarks.gates import Threshold, Verdict, evaluate
from airflow_provider_benchmarks.operators._metrics import send_scores, send_verdict, timed_job
from airflow_provider_benchmarks.operators.gates import BenchmarkGateBranchOperator, BenchmarkGateOperator, GateFailed
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.scores import AggregateScore, AggregateScores, JobScores
from tests.integration.conftest import BROKEN, SPEC, seed_broken
from tests.support import gate_jobs
from tests.support.contexts import run_task, task_context

ON = {"AIRFLOW__BENCHMARKS__METRICS": "True"}


def test_durations_of_tasks_that_were_deferred(sent, service):
    service.set_job_seconds(1)
    run_task(
        lambda: RunBenchmarkJobOperator(task_id="run", spec=SPEC, poll_interval=0.05, deferrable=True), task_context()
    )
    seed_broken(service)
    broken = RunBenchmarkJobOperator(task_id="broken", spec={"benchmark": BROKEN}, poll_interval=0.05, deferrable=True)
    with pytest.raises(JobFailed):
        run_task(lambda: broken, task_context(task_id="broken"))
    durations = {name: value for method, name, value, _ in sent.calls if method == "timing"}
    assert list(durations) == [
        "benchmarks.job.duration.nightly.run.my-workspace.my-workspace_qa-bench.completed",
        "benchmarks.job.duration.nightly.broken.my-workspace.my-workspace_broken.error",
    ]
    assert all(timedelta(0) < each < timedelta(minutes=5) for each in durations.values())
    assert len([name for _, name, _, _ in sent.calls if name.startswith("benchmarks.score.mean")]) == 2


class Sent:
    """What is sent to Airflow's metrics, in place of a backend that is not installed here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, str, Any, Any]] = []
        for method in ("gauge", "incr", "timing"):
            monkeypatch.setattr(Stats, method, self._taking(method), raising=False)

    def _taking(self, method: str) -> Any:
        def take(name: str, value: Any, *, tags: Any = None) -> None:
            self.calls.append((method, name, value, tags))

        return take


@pytest.fixture
def sent(monkeypatch):
    for name, value in ON.items():
        monkeypatch.setenv(name, value)
    return Sent(monkeypatch)


def scores(*found: tuple[str, str, float | None]) -> AggregateScores:
    return AggregateScores(tuple(AggregateScore(metric=metric, name=name, mean=mean) for metric, name, mean in found))


def send(found: AggregateScores, *, benchmark: str = "ws/qa") -> None:
    send_scores(task_context(), found, workspace="ws", benchmark=benchmark)


def test_what_is_no_number_is_not_sent(sent):
    send(scores(("m", "nan", float("nan")), ("m", "none", None), ("m", "infinite", float("inf")), ("m", "a", 1.0)))
    assert [name for _, name, _, _ in sent.calls] == ["benchmarks.score.mean.nightly.ws.ws_qa.m.a"]


def test_the_first_fifty_scores_are_sent(sent):
    send(scores(*(("m", f"s{number}", 0.5) for number in range(51))))
    assert len(sent.calls) == 50


def test_odd_and_long_names_are_told_apart(sent):
    send(
        scores(("mé", "s", 0.5), ("mè", "s", 0.5), ("m" * 300, "s", 0.5), ("m" * 301, "s", 0.5), ("", "\0\ud800", 0.5))
    )
    names = [name for _, name, _, _ in sent.calls]
    assert len(set(names)) == 5
    assert all(len(name) <= 250 for name in names)
    assert all(character.isascii() and (character.isalnum() or character in "._-") for character in "".join(names))
    assert [name.count(".") for name in names] == [7] * 5


@pytest.mark.parametrize("on", ["statsd_influxdb_enabled", "statsd_datadog_enabled", "otel_on"])
def test_a_backend_with_tags_gets_tags(sent, monkeypatch, on):
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", str(on == "statsd_influxdb_enabled"))
    monkeypatch.setenv(f"AIRFLOW__METRICS__{on.upper()}", "True")
    send(scores(("ws/m", "s, = 1", 0.5)))
    ((method, name, value, tags),) = sent.calls
    assert (method, name, value) == ("gauge", "benchmarks.score.mean", 0.5)
    assert tags.pop("score").startswith("s__")
    assert tags == {"dag_id": "nightly", "workspace": "ws", "benchmark": "ws_qa", "metric": "ws_m"}


@pytest.fixture
def run_job(service):
    return partial(gate_jobs.run_job, service)


@pytest.mark.parametrize("kind", [BenchmarkGateOperator, BenchmarkGateBranchOperator])
def test_a_verdict_counts_once_however_often_it_could_not_be_written(sent, service, run_job, tmp_path, kind):
    blocked = tmp_path / "blocked"
    blocked.touch()
    further = {} if kind is BenchmarkGateOperator else {"follow_if_passed": [], "follow_if_failed": []}
    checks = [Threshold("m", at_least=0.5)]
    gate = kind(task_id="gate", job_name=run_job("job-1"), checks=checks, store=f"{blocked}/store", **further)
    for number in (1, 2):
        with pytest.raises(OSError, match="blocked"):
            gate.execute(task_context(task_id="gate", try_number=number))
    assert "benchmarks.gate" not in str(sent.calls)
    blocked.unlink()
    if kind is BenchmarkGateOperator:
        gate.execute(task_context(task_id="gate", try_number=3))
        verdicts = [name for _, name, _, _ in sent.calls if name.startswith("benchmarks.gate.verdicts.nightly.gate.")]
        assert [name.rpartition(".")[2] for name in verdicts] == ["pass"]


def test_a_missed_gate_counts_though_its_verdict_could_not_be_written(sent, service, run_job, tmp_path):
    (tmp_path / "blocked").touch()
    gate = BenchmarkGateOperator(
        task_id="gate",
        job_name=run_job("job-1"),
        checks=[Threshold("m", at_least=0.99)],
        store=f"{tmp_path}/blocked/store",
    )
    with pytest.raises(GateFailed, match="could not be written to the score store"):
        gate.execute(task_context(task_id="gate"))
    assert [name.rpartition(".")[2] for _, name, _, _ in sent.calls if "gate.verdicts" in name] == ["fail"]


@pytest.fixture
def verdict() -> Verdict:
    judged = JobScores(scores(("m", "s", 0.5)), job="job-1", benchmark="ws/qa")
    return evaluate([Threshold("m", at_least=0.9, statistic="mean")], judged, {})


def test_what_fails_to_be_sent_fails_no_task(sent, monkeypatch, caplog, verdict):
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise ValueError("no such backend")

    for method in ("gauge", "incr", "timing"):
        monkeypatch.setattr(Stats, method, refuse)
    with caplog.at_level(logging.WARNING):
        send(scores(("m", "s", 0.5)))
        send_verdict(task_context(), verdict)
        with timed_job(task_context(), submitted=0.0, workspace="ws", benchmark="ws/qa"):
            pass
    assert caplog.text.count("A metric was not sent: ValueError('no such backend')") == 3


def test_an_option_that_is_wrong_fails_no_task(sent, monkeypatch, verdict):
    monkeypatch.setenv("AIRFLOW__BENCHMARKS__METRICS", "perhaps")
    send_verdict(task_context(), verdict)
    with timed_job(task_context(), submitted=0.0, workspace="ws", benchmark="ws/qa"):
        pass
    assert sent.calls == []


def test_a_job_that_is_not_waited_for_any_longer_has_timed_out(sent):
    with pytest.raises(JobTimeout):
        with timed_job(task_context(), submitted=0.0, workspace="ws", benchmark="ws/qa"):
            raise JobTimeout("took too long")
    with pytest.raises(KeyError):
        with timed_job(task_context(), submitted=0.0, workspace="ws", benchmark="ws/qa"):
            raise KeyError("something else")
    assert [name for _, name, _, _ in sent.calls] == ["benchmarks.job.duration.nightly.run.ws.ws_qa.timed_out"]
