"""Both clients on recorded answers of a later release: what is requested, and under which names results are read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import (
    Conflict,
    IncompleteResults,
    InvalidRequest,
    JobNotFound,
    NameUnusable,
    NotFound,
)
from airflow_provider_benchmarks.gates import NoRegression, Threshold, evaluate
from airflow_provider_benchmarks.hooks.downloads import fetch_files
from airflow_provider_benchmarks.hooks.row_sources import ServiceRows
from airflow_provider_benchmarks.jobs import fingerprint
from airflow_provider_benchmarks.scores import JobScores
from airflow_provider_benchmarks.store import RowFormat, RowTarget
from tests.conftest import RECORDED

HOME = "/apis/evals/v2/workspaces/my-workspace/evaluate/jobs"
NAMES = {"exact-match": "my-workspace/exact-match", "string-check": "my-workspace/string-check"}
SPEC = {"metrics": ["my-workspace/m"], "dataset": "my-workspace/qa"}
FIELDS = {"api": "auto", "base_url": "http://evaluator.invalid", "retry_seconds": 0}


def content(number: int, release: str = "0.8.1") -> bytes:
    (path,) = (RECORDED / release).glob(f"{number:03d}-*")
    return path.read_bytes()


class Service:
    """Answers as the recordings do; ``answers`` has those of further requests, by method and path."""

    def __init__(self, **custom_fields: Any) -> None:
        self.requests: list[str] = []
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.rows = content(25)
        job = json.loads(content(21))
        job["custom_fields"] |= custom_fields
        self._known = {
            "GET /cluster-info": content(2),
            f"GET {HOME}/run-1": json.dumps(job).encode(),
            f"GET {HOME}/run-1/status": content(20),
            f"GET {HOME}/run-1/results": content(22),
            f"GET {HOME}/run-1/results/aggregate-scores/download": content(24),
            f"GET {HOME}/run-1/results/row-scores/download": content(25),
        }

    def __call__(self, request: httpx.Request) -> httpx.Response:
        line = f"{request.method} {request.url.path}"
        self.requests.append(line)
        if line in self.answers:
            status, body = self.answers[line]
            return httpx.Response(status, content=body)
        if line in self._known:
            return httpx.Response(200, content=self._known[line])
        if request.url.path.startswith("/apis/files/v2/workspaces/my-workspace/filesets/job-fileset-run-1/-/results/"):
            return httpx.Response(200, content=self.rows, headers={"Accept-Ranges": "bytes"})
        return httpx.Response(404, content=content(128))


def client_of(service: Any) -> BenchmarkClient:
    config = ClientConfig(workspace="my-workspace", **FIELDS)
    return BenchmarkClient(config, httpx.MockTransport(service))


def test_aggregate_scores_have_the_service_s_keys(ask):
    scores = ask(Service(), "get_aggregate_scores", "run-1", workspace="my-workspace", **FIELDS)
    assert [score.metric for score in scores.scores] == ["exact-match", "string-check"]


def test_or_the_names_that_the_job_keeps(ask):
    service = Service(metric_names=NAMES)
    scores = ask(service, "get_aggregate_scores", "run-1", workspace="my-workspace", **FIELDS)
    assert [score.metric for score in scores.scores] == list(NAMES.values())
    assert scores.get("exact-match").mean == 0.6
    assert service.requests == [
        "GET /cluster-info",
        f"GET {HOME}/run-1",
        f"GET {HOME}/run-1/results/aggregate-scores/download",
    ]


@pytest.mark.parametrize("names", [{}, NAMES])
def test_rows_have_the_same_names_on_every_route(names):
    service = Service(metric_names=names)
    with client_of(service) as client:
        rows = list(client.iter_row_scores("run-1"))
        pieces, length = client.open_row_scores("run-1")
        stored = b"".join(pieces)
        lines = list(client.iter_row_lines("run-1"))
    assert [sorted(row.metrics) for row in rows] == [sorted(names.values()) or ["exact-match", "string-check"]] * 5
    assert [row.metrics[names.get("exact-match", "exact-match")]["exact-match"] for row in rows] == [0, 0, 1, 1, 1]
    assert stored == b"".join(line + b"\n" for line in lines)
    assert length == (None if names else len(content(25)))
    assert not names or b'"item":{"input":"What is 2+2?","output":"The answer is 4","reference":"4"}' in stored


def test_rows_without_kept_names_are_as_they_are_stored():
    with client_of(Service()) as client:
        assert b"".join(client.open_row_scores("run-1")[0]) == content(25)


def test_a_threshold_and_a_baseline_of_the_old_release_hold_after_the_move(recorded):
    """The same checks on the scores of 0.1.0 as the baseline, and of 0.8.1 as the candidate."""
    from airflow_provider_benchmarks.scores import AggregateScores, RowScore, row_scores_frame

    with client_of(Service(metric_names=NAMES)) as client:
        candidate = JobScores(
            client.get_aggregate_scores("run-1"), row_scores_frame(client.iter_row_scores("run-1")), job="new"
        )
    rows = [RowScore.from_json(line) for line in recorded(38).splitlines()]
    baseline = JobScores(AggregateScores.from_json(recorded(37)), row_scores_frame(rows), job="old")
    checks = [
        Threshold("exact-match", at_least=0.6),
        Threshold("my-workspace/exact-match", at_least=0.6),
        NoRegression("my-workspace/exact-match", margin=0.9, min_count=5),
    ]
    verdict = evaluate(checks, candidate, baseline)
    assert verdict.passed, verdict.to_markdown()


@pytest.mark.parametrize(("release", "number"), [("0.6.0", 46), ("0.8.1", 66)])
def test_a_job_in_which_nothing_was_scored_never_passes_and_says_so(release, number, caplog):
    service = Service()
    service.answers[f"GET {HOME}/run-1/results/aggregate-scores/download"] = 200, content(number, release)
    with client_of(service) as client:
        scores = client.get_aggregate_scores("run-1")
    assert 'Nothing of benchmark job "run-1" in workspace "my-workspace" could be scored' in caplog.text
    checks = [
        Threshold("number-check", at_least=0),
        Threshold("number-check", at_most=1, max_nan_fraction=1),
        Threshold("number-check", statistic="count", at_least=0),
        Threshold("number-check", statistic="min", at_least=0, max_nan_fraction=1, max_error_rate=1),
    ]
    verdict = evaluate(checks, JobScores(scores, job="run-1"))
    assert not verdict.passed
    assert "pass" not in {result.outcome for result in verdict.results}


def test_the_dataset_is_that_of_the_spec(ask):
    service = Service()
    with client_of(service) as client:
        assert client.get_dataset(client.get_job("run-1")) == "my-workspace/qa"


def test_a_download_without_an_etag_goes_on_where_it_broke_off(pauses):
    """The files service of later releases has byte ranges, and no ETag that could say whether the file is the same."""
    asked: list[tuple[str | None, str | None]] = []
    service, rows = Service(), content(25)

    class Broken(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield rows[:700]
            raise httpx.ReadError("dropped")

    def answer(request: httpx.Request) -> httpx.Response:
        if not request.url.path.startswith("/apis/files/"):
            return service(request)
        asked.append((request.headers.get("range"), request.headers.get("if-range")))
        if len(asked) == 1:
            return httpx.Response(200, stream=Broken(), headers={"Content-Length": str(len(rows))})
        headers = {"Content-Range": f"bytes 700-{len(rows) - 1}/{len(rows)}"}
        return httpx.Response(206, content=rows[700:], headers=headers)

    with client_of(answer) as client:
        pieces, length = client.open_row_scores("run-1")
        assert b"".join(pieces) == rows
    assert length == len(rows)
    assert asked == [(None, None), ("bytes=700-", None)]


@pytest.mark.parametrize("rows", [4, 5])
def test_scores_that_count_no_rows_leave_it_to_the_job_how_many_there_are(rows):
    service = Service()
    service.rows = b"".join(content(25).splitlines(keepends=True)[:rows])
    scores = {"scores": [{"name": "exact-match.exact-match", "count": None, "mean": 0.6}]}
    service.answers[f"GET {HOME}/run-1/results/aggregate-scores/download"] = 200, json.dumps(scores).encode()
    target = RowTarget(place=None, row_format=RowFormat())
    with client_of(service) as client:
        if rows == 5:
            assert fetch_files(ServiceRows(client, "run-1"), [target])[0].rows == 5
        else:
            with pytest.raises(IncompleteResults, match="there are 4 rows, but .* count 5"):
                fetch_files(ServiceRows(client, "run-1"), [target])


class TestConflicts:
    TAKEN = (409, content(13))

    def submit(self, service: Service) -> Any:
        service.answers[f"POST {HOME}"] = self.TAKEN
        with client_of(service) as client:
            return client.submit_job(SPEC, name="run-1")

    def test_our_own_job_is_found(self):
        assert not self.submit(Service(fingerprint=fingerprint(SPEC))).created

    def test_another_job_is_not_adopted(self):
        with pytest.raises(Conflict, match="is taken by a job that is not this one: its spec differs in metrics"):
            self.submit(Service(fingerprint="of another"))

    def test_a_job_of_another_kind_has_the_name(self):
        service = Service()
        service.answers[f"GET {HOME}/run-1"] = 500, b'{"detail": "An unexpected error occurred."}'
        with pytest.raises(Conflict, match=r"taken by a job of another kind .status completed.*another job name"):
            self.submit(service)

    def test_a_name_that_the_release_refuses_in_general_words(self, pauses):
        service = Service()
        service.answers[f"POST {HOME}"] = 409, content(53, "0.7.3")
        service.answers[f"GET {HOME}/run-1"] = 404, content(121).replace(b"none", b"run-1")
        with client_of(service) as client:
            with pytest.raises(NameUnusable, match="conflicts with existing platform state"):
                client.submit_job(SPEC, name="run-1")
        assert len(pauses) == 5

    def test_a_job_that_runs_can_not_be_deleted(self):
        service = Service()
        service.answers[f"DELETE {HOME}/run-1"] = 409, content(16)
        with client_of(service) as client:
            with pytest.raises(Conflict, match="Cancel the job and wait until it has ended; then delete it"):
                client.delete_job("run-1")


def test_a_spec_of_the_old_release_says_what_is_missing():
    service = Service()
    service.answers[f"POST {HOME}"] = 422, content(102)
    with client_of(service) as client:
        with pytest.raises(InvalidRequest, match="spec.dataset: Field required; spec.metrics: Field required"):
            client.submit_job({"benchmark": "my-workspace/qa-bench"}, name="run-1")


def test_scores_of_a_job_that_is_not_there():
    service = Service()
    service.answers[f"GET {HOME}/run-1"] = 404, content(121)
    with client_of(service) as client:
        with pytest.raises(NotFound, match="Check the name and the workspace") as caught:
            client.get_aggregate_scores("run-1")
    error = caught.value
    assert (error.status_code, error.method, error.workspace, error.job) == (404, "GET", "my-workspace", "run-1")
    assert error.detail == json.loads(content(121))["detail"]


def test_scores_of_a_job_that_was_deleted_are_missed_as_the_job_itself():
    service = Service()
    service.answers[f"GET {HOME}/run-1"] = 404, b"{\"detail\": \"Job 'run-1' not found in workspace 'my-workspace'.\"}"
    with client_of(service) as client:
        with pytest.raises(JobNotFound, match="Check the name and the workspace"):
            client.get_aggregate_scores("run-1")


def test_the_end_of_a_log_is_requested_where_it_is_enough():
    asked: list[str] = []
    service = Service()

    def answer(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/logs"):
            return service(request)
        asked.append(str(request.url.query, "ascii"))
        return httpx.Response(200, content=content(38) if "page_cursor" not in request.url.params else b'{"data": []}')

    with client_of(answer) as client:
        assert list(client.iter_logs("run-1", tail=100))
    # A release that does not know it returns the first page, and is read to the end.
    assert asked == ["tail=100", "limit=1000&page_cursor=nQx83Xfi"]
