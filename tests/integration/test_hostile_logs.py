"""What a service writes into logs, steps and messages has no hold on a task's log."""

from __future__ import annotations

import asyncio
import json
import logging
import re

import pytest

from airflow_provider_benchmarks.exceptions import JobFailed, JobTimeout
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger
from tests.support.contexts import events_of
from tests.support.raw_server import RawServer, Send, send_json

HOSTILE = (
    "\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\ hidden\rshown \x1b[2J "
    "\u202egnp \x85 \u2028\n::group::folded\n::endgroup::\n[2026-01-01] ERROR - forged"
)
#: What a line of a log must not have, and a forged line at its beginning.
HOLD = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e]|::(?:end)?group::|^\[2026", re.MULTILINE)


def answer(path: str, send: Send, *, status: str) -> None:
    if path.endswith("/logs"):
        inner = json.dumps({"message": HOSTILE, "level": "error", "root_error": HOSTILE, "scores": {"a": HOSTILE}})
        messages = [f"[stderr] {inner}", HOSTILE]
        return send_json(send, {"data": [{"message": message, "job_step": HOSTILE} for message in messages]})
    if path.endswith("/benchmark-jobs"):
        return send_json(send, {"data": [], "pagination": {"total_pages": 1}})
    job = {
        "name": "job-1",
        "status": status,
        "spec": {"benchmark": HOSTILE},
        "error_details": {"message": HOSTILE},
        "steps": [{"name": HOSTILE, "status": "error", "tasks": [{"error_stack": HOSTILE}]}],
    }
    return send_json(send, job)


@pytest.fixture
def logged(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(BenchmarkHook, "log", logging.getLogger("a task's log"))
    return lambda: [each.getMessage() for each in caplog.records if each.name == "a task's log"]


@pytest.fixture(params=["error", "active", HOSTILE])
def status(request, monkeypatch):
    with RawServer(lambda path, send: answer(path, send, status=request.param)) as server:
        monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", server.connection_json(api="benchmark-jobs"))
        yield request.param


def test_the_log_of_a_wait(status, logged):
    hook = BenchmarkHook()
    with pytest.raises((JobFailed, JobTimeout)) as caught:
        hook.wait_for_job("job-1", poll_interval=0.05, timeout=0.2)
    lines = logged()
    if status == "error":
        start = next(number for number, line in enumerate(lines) if line.startswith("::group::What the service says"))
        assert lines.pop() == "::endgroup::"
        lines[start] = lines[start].removeprefix("::group::")
    for text in (*lines, str(caught.value), *hook.tail_logs("job-1")):
        assert HOLD.search(text) is None, text
    assert "red click hidden␍shown" in str(caught.value)
    for line in hook.client.get_logs("job-1"):
        assert HOLD.search(line.message.replace("\n[2026", "")) is None


def test_events(status):
    trigger = BenchmarkJobTrigger(
        conn_id="nemo_evaluator_default", workspace=None, job_name="job-1", poll_interval=0.05, deadline=1.0
    )
    shown = json.dumps(asyncio.run(events_of(trigger)), ensure_ascii=False)
    assert HOLD.search(shown) is None
    assert "\\u001b" not in shown
