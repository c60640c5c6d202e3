"""``python -m airflow_provider_benchmarks.testing``."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import httpx
import pytest

from tests.unit.testing.conftest import JOBS, PATIENCE


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "airflow_provider_benchmarks.testing", "--port", "0", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def read_connection(process: subprocess.Popen[str]) -> tuple[str, dict[str, object]]:
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if found := re.search(r"AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT='(.*)'", line):
            return printed, json.loads(found[1])
    raise AssertionError(f"no connection was printed: {printed}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_reported_to_stop(number):
    process = start("--job-seconds", "0")
    try:
        printed, connection = read_connection(process)
        assert "benchmark: my-workspace/qa-bench" in printed
        assert (connection["conn_type"], connection["extra"]) == ("nemo_evaluator", {"workspace": "my-workspace"})
        body = {"name": "job", "spec": {"benchmark": "my-workspace/qa-bench"}}
        with httpx.Client(base_url=str(connection["host"]), trust_env=False, timeout=PATIENCE) as http:
            assert http.post(JOBS, json=body).status_code == 201
            assert http.get(f"{JOBS}/job/status").json()["status"] == "completed"
        process.send_signal(number)
        assert process.wait(timeout=PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


def test_the_token_is_not_printed():
    process = start("--token", "s3cret", "--no-example")
    try:
        printed, connection = read_connection(process)
        assert "s3cret" not in printed
        assert connection["password"] == "<the token>"
        assert "qa-bench" not in printed
    finally:
        process.kill()
        process.wait()


def test_a_later_release():
    process = start("--release", "0.8")
    try:
        printed, connection = read_connection(process)
        assert "dataset: my-workspace/qa\n" in printed
        with httpx.Client(base_url=str(connection["host"]), trust_env=False, timeout=PATIENCE) as http:
            assert http.get("/cluster-info").json()["platform_version"] == "0.8.1"
    finally:
        process.kill()
        process.wait()


def test_what_is_no_release():
    command = [sys.executable, "-m", "airflow_provider_benchmarks.testing", "--release", "x"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 2
    assert '"x" is not a release of the service' in process.stderr
