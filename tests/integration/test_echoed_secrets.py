"""A service that echoes what it was sent: no message, event, XCom or file of ours has the secrets of the connection."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from airflow_provider_benchmarks.exceptions import BenchmarkError
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.operators.results import DownloadAggregateScoresOperator
from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger
from tests.support.contexts import events_of, task_context
from tests.support.raw_server import RawServer, Send, send_json

TOKEN = "t0ken/of-this+connection"
KEY = "k3y-of=the-gateway"
BASIC = base64.b64encode(b"me:pa55word").decode()
SECRETS = (TOKEN, KEY, BASIC, "pa55word")
WRITTEN = {
    "plain": lambda text: text,
    "percent": lambda text: quote(text, safe=""),
    "base64": lambda text: base64.b64encode(f"x{text}".encode()).decode(),
    "escaped": lambda text: "".join(f"\\u{ord(character):04x}" for character in text),
}


class Echo:
    """What answers: everything that a text can be in has all secrets, in one of the ways to write them."""

    def __init__(self) -> None:
        self.text = ""
        self.status = "active"
        self.answers: dict[str, tuple[int, object]] = {}
        self.redirect = False

    def job(self, name: str) -> dict[str, object]:
        echo = self.text
        return {
            "name": name,
            "workspace": "my-workspace",
            "status": self.status,
            "description": echo,
            "spec": {"benchmark": "my-workspace/qa-bench", "dataset": echo, "params": {"note": echo, echo: [echo]}},
            "custom_fields": {"note": echo},
            "error_details": {"message": f"the gateway refused {echo}"},
            "status_details": {"note": echo},
            "steps": [{"name": echo, "status": "error", "error_details": {"message": echo}}],
            "created_at": "2026-01-01T00:00:00",
        }

    def __call__(self, path: str, send: Send) -> None:
        if self.redirect:
            send(f"HTTP/1.1 307 {self.text}\r\nLocation: http://[/{self.text}\r\nContent-Length: 0\r\n\r\n".encode())
            return
        for end, (status, body) in self.answers.items():
            if path.endswith(end):
                send_json(send, body, status)
                return
        if path.endswith("/logs"):
            inner = json.dumps({"message": self.text, "level": "error", "root_error": f"root {self.text}"})
            lines = [f"[stderr] {inner}", f"plain {self.text}", f"\x1b[31m{self.text}"]
            send_json(send, {"data": [{"message": line, "timestamp": "2026-01-01"} for line in lines]})
        elif path.endswith("/results"):
            send_json(send, {"data": []})
        elif path.endswith("/results/aggregate-scores/download"):
            score = {"name": "m", "count": 1, "nan_count": 0, "mean": 1.0}
            send_json(send, {"results": [{"metric": "my-workspace/m", "scores": [score]}]})
        elif path.endswith("/benchmark-jobs"):
            send_json(send, {"data": [], "pagination": {"total_pages": 1}})
        elif "/benchmark-jobs/" in path:
            send_json(send, self.job(path.split("/benchmark-jobs/")[1].split("/")[0]))
        else:
            send_json(send, {"detail": self.text}, 404)


@pytest.fixture(params=WRITTEN)
def echo(request, monkeypatch) -> Iterator[Echo]:
    answers = Echo()
    answers.text = " and ".join(WRITTEN[request.param](secret) for secret in SECRETS)
    with RawServer(answers) as server:
        connection = {
            "conn_type": "nemo_evaluator",
            "host": server.url,
            "password": TOKEN,
            "extra": {
                "workspace": "my-workspace",
                "api": "benchmark-jobs",
                "headers": {"X-Api-Key": KEY, "Proxy-Authorization": f"Basic {BASIC}"},
            },
        }
        monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", json.dumps(connection))
        monkeypatch.setenv("AIRFLOW__BENCHMARKS__RETRY_SECONDS", "0")
        yield answers


@pytest.fixture
def logged(monkeypatch, caplog):
    """Everything that was logged, but for the lines of other packages."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(BenchmarkHook, "log", logging.getLogger("a task's log"))
    monkeypatch.setattr(RunBenchmarkJobOperator, "log", logging.getLogger("a task's log"))
    ours = lambda record: not record.name.startswith("http")
    return lambda: "\n".join(f"{each.getMessage()} {each.exc_text}" for each in filter(ours, caplog.records))


def require_clean(shown: str) -> None:
    for secret in SECRETS:
        for write in WRITTEN.values():
            assert write(secret) not in shown
            assert json.dumps(write(secret))[1:-1] not in shown
    assert base64.b64encode(TOKEN.encode()).decode()[:24] not in shown


def shown_of(error: BaseException) -> str:
    """All that anybody can see of an error."""
    copy = pickle.loads(pickle.dumps(error))
    trace = "".join(traceback.format_exception(error))
    return f"{error} {error!r} {vars(error)} {trace} {copy} {copy!r} {vars(copy)} {pickle.dumps(error)!r}"


@pytest.mark.parametrize(
    ("status", "shape"),
    [(302, "text"), (401, "detail"), (404, "text"), (409, "detail"), (422, "fields"), (500, "object")],
)
def test_errors_of_answers(echo, logged, status, shape):
    body: object = {
        "detail": {"detail": f"x{'y' * 990}{echo.text}"},
        "fields": {"detail": [{"loc": ["header", echo.text], "msg": echo.text, "type": "x"}]},
        "object": {"title": echo.text, "headers": {"authorization": [echo.text]}},
        "text": echo.text,
    }[shape]
    echo.answers = {"/job-1": (status, body), "/status": (status, body), "/benchmark-jobs": (status, body)}
    hook = BenchmarkHook()
    for call in (lambda: hook.get_job("job-1"), lambda: hook.submit_job({"benchmark": "a/b"}, name="job-1")):
        with pytest.raises(BenchmarkError) as caught:
            call()
        require_clean(shown_of(caught.value))
    events = asyncio.run(events_of(trigger()))
    require_clean(f"{events} {hook.test_connection()} {logged()}")


def trigger() -> BenchmarkJobTrigger:
    return BenchmarkJobTrigger(
        conn_id="nemo_evaluator_default", workspace=None, job_name="job-1", poll_interval=0.05, deadline=1.0
    )


@pytest.mark.parametrize("status", [200, 201])
def test_answers_that_can_t_be_read(echo, status):
    for body in ({"names": echo.text}, [echo.text], echo.text, {"name": echo.text, "status": "active"}):
        echo.answers = {"/job-1": (status, body)}
        with pytest.raises(BenchmarkError) as caught:
            BenchmarkHook().get_job("job-1")
        require_clean(shown_of(caught.value))


def test_redirects_that_lead_nowhere(echo, logged):
    echo.redirect = True
    for call in (BenchmarkHook().get_job, BenchmarkHook().cancel_job):
        with pytest.raises(BenchmarkError) as caught:
            call("job-1")
        require_clean(f"{shown_of(caught.value)} {logged()}")


def test_a_failed_job_and_its_log(echo, logged):
    echo.status = "error"
    context = task_context()
    operator = RunBenchmarkJobOperator(task_id="run", spec={"benchmark": "my-workspace/qa-bench"}, job_name="job-1")
    with pytest.raises(BenchmarkError) as caught:
        operator.execute(context)
    events = asyncio.run(events_of(trigger()))
    lines = BenchmarkHook().tail_logs("job-1")
    assert len(lines) == 3
    require_clean(f"{shown_of(caught.value)} {context['ti'].xcoms} {events} {lines} {logged()}")


def test_what_is_stored_and_pushed(echo, logged, tmp_path):
    echo.status = "completed"
    context = task_context()
    operator = DownloadAggregateScoresOperator(task_id="scores", job_name="job-1", store=str(tmp_path))
    pushed = operator.execute(context)
    files = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert any("manifest.json" in name for name in files)
    assert "***" in "".join(files.values())
    require_clean(f"{files} {pushed} {context['ti'].xcoms} {logged()}")
