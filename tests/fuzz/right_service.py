"""Right answers to every request of both generations: those that the real service has given, as recorded."""

from __future__ import annotations

import io
import json
import re
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from tests.fuzz.odd_answers import Odd, Response

RECORDED = Path(__file__).parents[1] / "recorded"
NAME, WORKSPACE = "run-1", "my-workspace"
_JSON = ("Content-Type", "application/json")
#: Recordings by generation and what they are an answer to. Further ones are of jobs of other kinds.
_FILES = {
    "benchmark-jobs": {
        "job": ["032-job-get-completed.json"],
        "status": ["031-status-completed-completed-completed.json", "147-status-active-progress.json"]
        + [
            "101-status-error-all-nan-1.json",
            "107-status-error-bad-template-1.json",
            "126-status-error-online-secret-1.json",
        ],
        "cancel": ["032-job-get-completed.json", "148-cancel-active.json"],
        "logs": [
            "053-logs-page-1.json",
            "105-logs-all-nan-1.json",
            "111-logs-bad-template-1.json",
            "141-logs-online-500-1.json",
        ],
        "results": ["033-results-list.json"],
        "aggregate-scores": ["037-aggregate-range.json", "096-aggregate-judged-1.json", "099-aggregate-half-nan-1.json"]
        + ["121-aggregate-weird-1.json", "132-aggregate-online-partial-1.json", "135-aggregate-online-judge-1.json"],
        "row-scores": ["038-rows-offline.jsonl", "097-rows-judged-1.jsonl", "100-rows-half-nan-1.jsonl"]
        + ["122-rows-weird-1.jsonl", "133-rows-online-partial-1.jsonl", "136-rows-online-judge-1.jsonl"],
        "stored-scores": ["051-job-result-entity-fields.json"],
    },
    "evaluate-jobs": {
        "job": ["0.8.1/021-job-get.json"],
        "status": ["0.8.1/020-status-completed-run-1.json", "0.8.1/019-status-active-run-1.json"],
        "cancel": ["0.8.1/041-cancel-completed.json"],
        "logs": ["0.8.1/038-logs.json", "0.8.1/039-logs-tail.json"],
        "results": ["0.8.1/022-results-list.json"],
        "aggregate-scores": ["0.8.1/024-download-aggregate-scores.bin"],
        "row-scores": ["0.8.1/025-download-row-scores.bin"],
        "stored-scores": ["0.8.1/037-eval-result-one.json"],
    },
}


@cache
def recorded(api: str, what: str, variant: int = 0) -> bytes:
    """A recorded answer; one about a job or its log says that it is ``run-1``'s."""
    files = _FILES[api][what]
    content = (RECORDED / files[variant % len(files)]).read_bytes()
    if variant and what in ("status", "cancel", "logs"):
        return _of_run_1(json.loads(content))
    return content


def _of_run_1(document: Any) -> bytes:
    for entry in document.get("data", ()):
        entry["job"] = NAME
    return json.dumps({**document, **({} if "data" in document else {"name": NAME})}).encode()


@cache
def _archive() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("row-scores.jsonl"), io.BytesIO())
    return packed.getvalue()


class Service:
    """Answers in process, right but for some requests.

    :param odd: how the answers to these requests differ
    :param first: number of the first of them, from 0
    :param times: number of them
    :param variant: which of the recordings are right
    """

    def __init__(self, api: str, odd: Odd, *, first: int = 0, times: float = float("inf"), variant: int = 0) -> None:
        self._api, self._odd, self._variant = api, odd, variant
        self._odd_requests = (first, first + times)
        self.paths: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        return in_process(self.answer(request.method, request.url.path, request.content))

    def answer(self, method: str, path: str, content: bytes = b"") -> Response:
        number = len(self.paths)
        self.paths.append(path)
        right = right_answer(self._api, method, path, content, self._variant)
        start, end = self._odd_requests
        return self._odd.of(right) if start <= number < end else right


def in_process(response: Response) -> httpx.Response:
    """A response as httpx hands it on: its body is unread, as one from the network."""
    length = ("Content-Length", str(len(response.body)))
    headers = [(name.encode(), value.encode("latin-1")) for name, value in (length, *response.headers)]
    return httpx.Response(response.status, headers=headers, stream=_Stream(response.body))


class _Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._pieces = [body[at : at + 4096] for at in range(0, len(body), 4096)]

    def __iter__(self) -> Any:
        return iter(self._pieces)

    async def __aiter__(self) -> Any:
        for piece in self._pieces:
            yield piece


def right_answer(api: str, method: str, path: str, content: bytes = b"", variant: int = 0) -> Response:
    """The service's own answer to a request, whatever the workspace."""
    if path == "/health/ready":
        return _json({"status": "ready"})
    if path == "/cluster-info":
        return _json({"platform_version": "0.1.0" if api == "benchmark-jobs" else "0.8.1"})
    if "/apis/files/" in path:
        return _file(api, method, variant)
    if match := re.search(r"/(benchmarks|metrics)(/[^/]+)?$", path):
        return _stored(match[1], method, path, content)
    if re.search(r"/(benchmark-job-results|eval-results)/", path):
        return Response(200, (_JSON,), recorded(api, "stored-scores"))
    match = re.search(r"/(?:benchmark-jobs|evaluate/jobs)(?:/([^/]+)(?:/(.*))?)?$", path)
    if match is None:
        return _json({"detail": "Not Found"}, 404)
    name, rest = match[1], match[2] or ""
    if name is None:
        return _submitted(api, content) if method == "POST" else _list(api)
    return _of_job(api, method, name, rest, variant)


def _of_job(api: str, method: str, name: str, rest: str, variant: int) -> Response:
    if method == "DELETE":
        return Response(204)
    if found := re.fullmatch(r"results/([^/]+)/download", rest):
        if found[1] == "artifacts":
            return Response(200, (("Content-Type", "application/gzip"),), _archive())
        return Response(200, (("Content-Type", "application/octet-stream"),), recorded(api, found[1], variant))
    what = rest or "job"
    return Response(200, (_JSON,), recorded(api, what, variant).replace(b"run-1", name.encode()))


def _submitted(api: str, content: bytes) -> Response:
    job = json.loads(recorded(api, "job"))
    sent = json.loads(content)
    return _json({**job, **{key: sent[key] for key in ("name", "spec", "custom_fields")}, "status": "created"}, 201)


def _list(api: str) -> Response:
    job = json.loads(recorded(api, "job"))
    jobs = [job, *({**job, "name": f"run-{number}", "id": f"platform-job-{number}"} for number in range(2, 5))]
    return _json({"data": jobs, "pagination": {"page": 1, "total_pages": 1, "total_results": len(jobs)}})


def _file(api: str, method: str, variant: int) -> Response:
    if method != "GET":
        return _json({"name": "rows"}, 201)
    body = recorded(api, "row-scores", variant)
    return Response(200, (("Content-Type", "application/octet-stream"),), body)


#: What was stored: a metric and a benchmark come back as they were sent.
def _stored(kind: str, method: str, path: str, content: bytes) -> Response:
    if method == "POST":
        return _json(json.loads(content), 201)
    return _json({"detail": f"{kind} not found"}, 404)


def _json(document: Any, status: int = 200) -> Response:
    return Response(status, (_JSON,), json.dumps(document).encode())
