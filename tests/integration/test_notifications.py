"""Notifications and links of gates in a DAG run by Airflow itself, sent to a local receiver."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from airflow.providers.common.compat.version_compat import (
    AIRFLOW_V_3_0_PLUS,
    AIRFLOW_V_3_1_PLUS,
    AIRFLOW_V_3_3_PLUS,
)

from airflow_provider_benchmarks.testing import EvaluationService
from tests.support.airflow_runs import AirflowHome

#: ``airflow dags test`` gives a callback the task's error from 3.3 on, and the address of its log from 3.1 on; a
#: scheduler gives both on all.
HAS_ERROR = AIRFLOW_V_3_3_PLUS or not AIRFLOW_V_3_0_PLUS
HAS_LOG = AIRFLOW_V_3_1_PLUS or not AIRFLOW_V_3_0_PLUS
DAGS = Path(__file__).parent / "notified_dags"


@contextmanager
def receiver() -> Iterator[tuple[str, list[bytes]]]:
    """A web server that keeps what is posted to it."""
    posted: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", posted
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """What a run of the DAG left, what was posted, and the home folder."""
    home, folder = tmp_path_factory.mktemp("airflow"), tmp_path_factory.mktemp("store")
    airflow = AirflowHome(home, DAGS)
    airflow.prepare()
    with EvaluationService() as service, receiver() as (url, posted):
        service.seed_question_answer_example()
        run = airflow.test_dag(
            "notified_gates",
            service.url,
            conf={"store": f"file://{folder}"},
            RECEIVER=url,
            AIRFLOW_CONN_CHAT=json.dumps({"conn_type": "slackwebhook", "host": url, "password": "T0/B0/secret"}),
            AIRFLOW__BENCHMARKS__JOB_URL="https://ui.example.com/{workspace}/{benchmark}/{job_name}",
            AIRFLOW__BENCHMARKS__STORAGE_URL="https://files.example.com/?at={key}",
        )
    return run, [text.decode() for text in posted], folder, home


def told(outcome, gate: str) -> str:
    (text,) = [text for text in outcome[1] if f"notified_gates.{gate}" in text]
    return text


def test_slack_is_told_which_check_missed_and_where_to_read_more(outcome):
    run, _, folder, _ = outcome
    assert run.tasks["missed"] == "failed", run.log
    text = json.loads(told(outcome, "missed"))["text"]
    job = run.xcoms["run", "return_value"]
    assert text.startswith("*FAIL: 0 of 1 checks hold*\nGate notified_gates.missed, run ")
    assert "FAIL mean of exact-match is 0.6, expected ≥ 0.9" in text
    assert f"<https://ui.example.com/my-workspace/my-workspace/qa-bench/{job}|Benchmark job>" in text
    assert f"<https://files.example.com/?at={str(folder).lstrip('/')}/report.html|Report>" in text
    assert "|Stored scores>" in text
    assert ("|Log>" in text) == HAS_LOG


def test_a_function_is_told_of_a_pass(outcome):
    assert outcome[0].tasks["held"] == "success", outcome[0].log
    assert told(outcome, "held").startswith("**PASS: 1 of 1 checks hold**")


def test_without_a_verdict_the_error_is_told(outcome):
    text = json.loads(told(outcome, "no_verdict"))["text"]
    assert text.startswith("*No verdict: the task failed before*" if HAS_ERROR else "*No verdict*")
    assert ("no-such-job" in text) == HAS_ERROR


def test_a_chat_that_is_down_changes_nothing(outcome):
    run = outcome[0]
    assert run.tasks["untold"] == "failed"
    assert run.xcoms["untold", "verdict"]["outcome"] == "fail"
    assert "The notification was not sent: RuntimeError: the chat is down" in run.log
    assert "GateFailed" in run.log


@pytest.mark.parametrize("gate", ["missed", "untold", "held"])
def test_links_are_there_whatever_the_outcome(outcome, gate):
    run, _, folder, _ = outcome
    job = run.xcoms["run", "return_value"]
    page = f"https://ui.example.com/my-workspace/my-workspace/qa-bench/{job}"
    assert run.xcoms[gate, "_link_BenchmarkJobLink"] == page
    at = run.xcoms[gate, "_link_StoredScoresLink"].removeprefix("https://files.example.com/?at=")
    assert Path(f"/{at}").is_dir()
    assert at.startswith(str(folder).lstrip("/"))


def test_a_mapped_gate_is_named_by_its_job_and_has_links_of_its_own(outcome):
    run, _, _, home = outcome
    name = f"my-workspace/qa-bench {run.xcoms['run', 'return_value']}"
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        named = database.execute(
            "SELECT map_index, rendered_map_index FROM task_instance WHERE task_id = 'mapped' ORDER BY map_index"
        ).fetchall()
        linked = database.execute(
            "SELECT map_index FROM xcom WHERE task_id = 'mapped' AND key = '_link_BenchmarkJobLink' ORDER BY map_index"
        ).fetchall()
    assert named == [(0, name), (1, name)], run.log
    assert linked == [(0,), (1,)]


def test_rendered_templates_show_the_checks(outcome):
    run, _, _, home = outcome
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        (fields,) = database.execute(
            "SELECT rendered_fields FROM rendered_task_instance_fields WHERE task_id = 'missed'"
        ).fetchone()
    (check,) = json.loads(fields)["rendered_checks"]
    assert (check["metric"], check["at_least"]) == ("exact-match", 0.9), run.log
