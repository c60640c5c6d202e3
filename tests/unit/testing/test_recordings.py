"""Requests of real recordings, sent to the local service: its answers must be the same, except for ids and times.

``exchanges.jsonl`` in the folder of a release lists the requests in their order, each with the file of its answer. What
was recorded in the middle of a transition is left out: there a step, its task and its job had different statuses.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_benchmarks.testing import EXAMPLE_ROWS, EvaluationService
from tests.unit.testing.conftest import Clock, Http

RECORDED = Path(__file__).parents[2] / "recorded"
RELEASES = ("0.3.0", "0.6.0", "0.7.3", "0.8.1")
TERMINAL = ("completed", "error", "cancelled")
WORKSPACE = "my-workspace"
DATASET = b"".join(json.dumps(row).encode() + b"\n" for row in EXAMPLE_ROWS)
JOB_SECONDS = 100

#: What differs from run to run, and what stands for it. Frames of tracebacks are those of the service's own code.
VARIABLE = [
    (re.compile(r"\b(platform-job(?:-attempt|-step|-task)?|fileset|workspace|evaluate-result)-\w{21,22}\b"), r"\1-ID"),
    (re.compile(r"\bmetric-bundle[-.]\w{22,32}\b"), "metric-bundle-ID"),
    (re.compile(r"\btask-[0-9a-f]{32}\b"), "task-ID"),
    (re.compile(r"\bnemo-(evals|evaluator)-[a-z0-9]{8}\b"), r"nemo-\1-ID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}"), "TIME"),
    (re.compile(r"http://[\w.]+:\d+"), "HOST"),
    (re.compile(r"/var/lib/\w+/jobs|/var/lib/jobs"), "JOBS"),
    (re.compile(r"/var/lib/\w+/files"), "FILES"),
    (re.compile(r"(Traceback \(most recent call last\):).*(?= \S+Error: )", re.DOTALL), r"\1"),
]


def without_variables(value: Any) -> Any:
    """Return a JSON value, or a text, with names for what differs from run to run."""
    if isinstance(value, str):
        for pattern, name in VARIABLE:
            value = pattern.sub(name, value)
        return value
    if isinstance(value, list):
        return [without_variables(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: without_variables(each) for key, each in value.items()}
    for key in ("pid", "pgid", "error_stack", "next_page", "prev_page"):
        if found.get(key) is not None:
            found[key] = type(found[key]).__name__
    if "services" in found:
        found["services"]["ready"].sort()
    return found


def parsed(name: str, content: bytes) -> Any:
    return json.loads(content) if name.endswith(".json") and content else content.decode()


class Replay:
    """Sends the requests of a recording to a service, whose jobs it moves to the statuses that were recorded."""

    def __init__(self, service: EvaluationService, http: Http, clock: Clock, folder: Path) -> None:
        self.service, self.http, self.clock, self.folder = service, http, clock, folder
        lines = (folder / "exchanges.jsonl").read_text().splitlines()
        self.exchanges = [json.loads(line) for line in lines]
        self.jobs = next(
            re.match(r".*/evaluate/jobs", e["path"]) for e in self.exchanges if "/evaluate/jobs" in e["path"]
        )[0]

    def differences(self) -> list[str]:
        return [text for exchange in self.exchanges if (text := self._difference(exchange))]

    def _difference(self, exchange: dict[str, Any]) -> str:
        content = (self.folder / exchange["file"]).read_bytes()
        expected = parsed(exchange["file"], content)
        if exchange["method"] == "GET" and isinstance(expected, dict) and "steps" in expected:
            self._move(expected["name"], expected["status"])
        request = {key: exchange[name] for key, name in (("json", "body"), ("headers", "headers")) if name in exchange}
        if exchange["method"] == "PUT":
            request["content"] = DATASET
        answer = self.http.request(exchange["method"], self._path(exchange["path"]), **request)
        headers = {key: value for key, value in answer.headers.items() if key in exchange["response_headers"]}
        for key in ("etag", "last-modified", "location"):
            headers |= {key: ""} if key in headers else {}
        found = (answer.status_code, headers, without_variables(parsed(exchange["file"], answer.content)))
        recorded = (exchange["status"], exchange["response_headers"], without_variables(expected))
        return "" if found == recorded else f"{exchange['file']}:\n  recorded {recorded}\n  found    {found}"

    def _move(self, name: str, status: str) -> None:
        current = self.http.get(f"{self.jobs}/{name}/status").json()["status"]
        if status in TERMINAL and current not in TERMINAL:
            self.service.finish_job(WORKSPACE, name, "cancelled" if status == "cancelled" else "completed")
        while status not in TERMINAL and current != status:
            self.clock.now += JOB_SECONDS / 100
            current = self.http.get(f"{self.jobs}/{name}/status").json()["status"]
            assert current not in TERMINAL

    def _path(self, path: str) -> str:
        """Return the path with the id of this service's attempt."""
        match = re.search(r"job-fileset-([\w.-]+?)/-/results/(platform-job-attempt-\w+)", path)
        if match is None:
            return path
        listed = self.http.get(f"{self.jobs}/{match[1]}/results").json()["data"]
        attempt = re.search(r"platform-job-attempt-\w+", listed[0]["artifact_url"])
        assert attempt is not None
        return path.replace(match[2], attempt[0])


@pytest.mark.parametrize("release", RELEASES)
def test_the_local_service_answers_as_the_real_one(connect, clock, release):
    with EvaluationService(release=release, job_seconds=JOB_SECONDS, clock=clock) as service:
        # The service closes the connection after an unexpected error, and does not say so.
        http = connect(service, headers={"Accept-Encoding": "identity", "Connection": "close"})
        if release == "0.3.0":  # its recording begins later
            service.seed_question_answer_example()
        differences = Replay(service, http, clock, RECORDED / release).differences()
    assert not differences, "\n".join(differences)
