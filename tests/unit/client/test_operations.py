"""The conversations with the service, driven without sockets: recorded answers in, requests and models out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from airflow_provider_benchmarks.client import GENERATIONS, ClientConfig, _operations
from airflow_provider_benchmarks.client._errors import error_of_answer
from airflow_provider_benchmarks.client._operations import Operations
from airflow_provider_benchmarks.client._requests import Answer, Operation, Request
from airflow_provider_benchmarks.exceptions import (
    ConfigurationError,
    Conflict,
    IncompleteResults,
    InvalidRequest,
    NameUnusable,
    NotFound,
    ProtocolError,
    ServiceError,
    ServiceUnavailable,
    Unauthorized,
)
from airflow_provider_benchmarks.jobs import BenchmarkJob, fingerprint
from airflow_provider_benchmarks.retry_policy import SUBMITS

WORKSPACE = "my-workspace"
JOBS = "/apis/evaluation/v2/workspaces/my-workspace/benchmark-jobs"
SPEC = {"benchmark": "my-workspace/qa-bench", "params": {"parallelism": 4}}
CONFIG = ClientConfig(base_url="http://evaluator.invalid", workspace=WORKSPACE)
SERVICE = GENERATIONS["benchmark-jobs"]
OPERATIONS = Operations(CONFIG, SERVICE)
LOST = ServiceUnavailable("the answer was lost")


class Drive:
    """An operation to its end.

    :param answers: what comes of each request: ``(status, body)`` with the body as bytes or as JSON, or an error
    """

    def __init__(self, operation: Operation[Any], *answers: tuple[int, Any] | Exception) -> None:
        self.requests: list[Request] = []
        left: Iterator[Any] = chain(answers, [None])
        try:
            request = next(operation)
            while True:
                self.requests.append(request)
                answer = next(left)
                assert answer is not None, f"one request too many: {request}"
                request = self._go_on(operation, request, answer)
        except StopIteration as done:
            self.result = done.value
        assert next(left) is None, "an answer is left"

    @staticmethod
    def _go_on(operation: Operation[Any], request: Request, answer: tuple[int, Any] | Exception) -> Request:
        if isinstance(answer, Exception):
            return operation.throw(answer)
        status, body = answer
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        if status < 300:
            return operation.send(Answer(status, {}, content))
        return operation.throw(error_of_answer(request, status, httpx.Headers(), content, SERVICE))

    @property
    def lines(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]


def submit(*answers: tuple[int, Any] | Exception, operations: Operations = OPERATIONS, **fields: Any) -> Drive:
    known = {"workspace": WORKSPACE, "name": "run-1", "description": None, "custom_fields": None}
    return Drive(operations.submit(SPEC, **{**known, **fields}), *answers)


def ours(recorded: Any, **fields: Any) -> dict[str, Any]:
    """The recorded job as one of ours: with the fingerprint of the spec."""
    return {**recorded(16), "custom_fields": {"fingerprint": fingerprint(SPEC)}, **fields}


class TestSubmit:
    def test_the_request_and_the_job(self, recorded):
        drive = submit((201, recorded(16)), description="nightly", custom_fields={"team": "qa"})
        (post,) = drive.requests
        assert drive.lines == [f"POST {JOBS}"]
        assert (post.json["name"], post.json["spec"], post.json["description"]) == ("run-1", SPEC, "nightly")
        assert post.json["custom_fields"]["team"] == "qa"
        assert post.json["custom_fields"]["fingerprint"] == fingerprint(SPEC)
        assert not post.retry  # a POST is sent again only after its name was looked up
        assert drive.result.created
        assert (drive.result.job.name, drive.result.job.status) == ("run-1", "created")

    def test_without_a_description_none_is_sent(self, recorded):
        assert "description" not in submit((201, recorded(16))).requests[0].json

    def test_a_job_without_a_name_gets_one_of_its_own(self):
        names = []
        for _ in range(2):
            post = next(OPERATIONS.submit(SPEC, workspace=WORKSPACE, name=None, description=None, custom_fields=None))
            names.append(post.json["name"])
        assert names[0] != names[1]
        assert all(name.startswith("benchmark-") for name in names)

    @pytest.mark.parametrize("status", [429, 502, 503, 504])
    def test_a_busy_service_is_asked_again(self, recorded, status):
        busy = [(status, b""), (404, recorded(78))]
        drive = submit(*busy, *busy, (201, recorded(16)))
        assert drive.result.created
        assert [request.method for request in drive.requests] == ["POST", "GET"] * 2 + ["POST"]

    @pytest.mark.parametrize(
        ("status", "number", "error", "message"),
        [
            (404, 65, NotFound, "Benchmark 'my-workspace/none' not found"),
            (422, 66, InvalidRequest, "spec.offline.benchmark: String should match pattern"),
            (422, 68, InvalidRequest, "spec.offline.foo: Extra inputs are not permitted"),
            (422, 69, InvalidRequest, "greater than or equal to 1"),
            (422, 72, InvalidRequest, "Workspace 'none' does not exist"),
        ],
    )
    def test_a_wrong_spec_has_the_services_own_message(self, recorded, status, number, error, message):
        with pytest.raises(error, match=message):
            submit((status, recorded(number)))

    @pytest.mark.parametrize("name", ["", "A", "a--b", "a-", "x" * 52])
    def test_a_name_that_the_service_refuses_is_not_sent(self, name):
        with pytest.raises(ConfigurationError, match="can't be the name of a benchmark job"):
            submit(name=name)

    def test_a_conflict_with_our_own_job_returns_that_one(self, recorded):
        drive = submit((409, recorded(21)), (200, ours(recorded)))
        assert drive.lines == [f"POST {JOBS}", f"GET {JOBS}/run-1"]
        assert not drive.result.created

    def test_a_conflict_with_another_job_is_an_error(self, recorded):
        theirs = ours(recorded, custom_fields={"fingerprint": "of another"})
        with pytest.raises(
            Conflict, match='"run-1" in workspace "my-workspace" is taken by a job that is not this one'
        ):
            submit((409, recorded(21)), (200, theirs))

    def test_what_differs_is_named(self, recorded):
        theirs = {**recorded(16), "spec": {**SPEC, "benchmark": "my-workspace/other"}}
        with pytest.raises(Conflict, match="its spec differs in benchmark"):
            submit((409, recorded(21)), (200, theirs))

    def test_a_conflict_about_something_else_is_raised_as_it_is(self):
        with pytest.raises(Conflict, match="secret my-workspace/model-key does not exist"):
            submit((409, {"detail": "secret my-workspace/model-key does not exist"}))

    def test_a_job_that_is_not_there_yet_is_waited_for(self, recorded):
        missing = (404, recorded(78))
        drive = submit((409, recorded(21)), missing, missing, (200, ours(recorded)))
        assert [request.delay > 0 for request in drive.requests] == [False, False, True, True]

    def test_a_name_that_an_earlier_failed_submit_has_burnt(self, recorded):
        with pytest.raises(NameUnusable, match="yet no such job exists") as caught:
            submit((409, recorded(59)), *[(404, recorded(78))] * 6)
        assert (caught.value.status_code, caught.value.job) == (409, "run-1")

    @pytest.mark.parametrize("sent", [(409, {"detail": "Job with name 'run-1' already exists"}), LOST])
    def test_a_404_that_is_not_about_the_job_does_not_mean_that_there_is_none(self, sent):
        with pytest.raises(NotFound, match="no healthy upstream"):
            submit(sent, (404, {"detail": "no healthy upstream"}))

    def test_a_lost_answer_finds_the_job_of_this_very_submit(self, recorded):
        operation = OPERATIONS.submit(SPEC, workspace=WORKSPACE, name="run-1", description=None, custom_fields=None)
        post = next(operation)
        look_up = operation.throw(LOST)
        assert (look_up.method, look_up.path) == ("GET", f"{JOBS}/run-1")
        assert 0.25 <= look_up.delay <= 1
        there = {**recorded(16), "custom_fields": post.json["custom_fields"]}
        with pytest.raises(StopIteration) as done:
            operation.send(Answer(200, {}, json.dumps(there).encode()))
        assert done.value.value.created

    def test_after_a_lost_answer_an_earlier_job_of_ours_is_not_new(self, recorded):
        assert not submit(LOST, (200, ours(recorded))).result.created

    def test_a_request_that_never_arrived_is_sent_again(self, recorded):
        drive = submit(LOST, (404, recorded(78)), LOST, (404, recorded(78)), (201, recorded(16)))
        assert drive.lines == [f"POST {JOBS}", f"GET {JOBS}/run-1"] * 2 + [f"POST {JOBS}"]
        assert drive.result.created

    @pytest.mark.parametrize("status", [400, 500, 503])
    def test_what_the_service_wants_again_is_looked_for_first(self, recorded, status):
        again = ServiceError("again", status_code=status, should_retry=True)
        drive = submit(again, (200, ours(recorded)))
        assert drive.lines == [f"POST {JOBS}", f"GET {JOBS}/run-1"]
        assert drive.result.job.name == "run-1"
        drive = submit(again, (404, recorded(78)), (201, recorded(16)))
        assert drive.lines == [f"POST {JOBS}", f"GET {JOBS}/run-1", f"POST {JOBS}"]

    def test_what_the_service_does_not_want_again_is_not_sent_again(self, recorded):
        busy = ServiceUnavailable("busy", status_code=503, should_retry=False)
        assert submit(busy, (200, ours(recorded))).result.job.name == "run-1"
        with pytest.raises(ServiceUnavailable):
            submit(busy, (404, recorded(78)))

    @pytest.mark.parametrize("status", [400, 403, 410, 413])
    def test_a_gateway_s_refusal_is_not_sent_again(self, status):
        with pytest.raises(ProtocolError, match="gateway"):
            submit((status, b"<html>no</html>"))

    @pytest.mark.parametrize("status", [421, 423, 425])
    def test_a_refusal_for_the_moment_is_looked_for_first(self, recorded, status):
        drive = submit((status, {"detail": "later"}), (404, recorded(78)), (201, recorded(16)))
        assert drive.lines == [f"POST {JOBS}", f"GET {JOBS}/run-1", f"POST {JOBS}"]

    def test_a_lost_answer_whose_name_belongs_to_another_job(self, recorded):
        with pytest.raises(Conflict, match="is taken by a job that is not this one"):
            submit(LOST, (200, recorded(16)))

    def test_a_service_that_stays_down_is_given_up(self, recorded):
        with pytest.raises(ServiceUnavailable):
            submit(*[LOST, (404, recorded(78))] * 4, LOST)

    def test_a_pause_that_is_longer_than_all_retries_may_take_is_not_begun(self):
        with pytest.raises(ServiceUnavailable) as caught:
            submit(ServiceUnavailable("busy", retry_after=3600))
        assert caught.value.retry_after == 3600
        hurried = Operations(replace(CONFIG, retry_seconds=0), SERVICE)
        with pytest.raises(ServiceUnavailable):
            submit(LOST, operations=hurried)

    def test_no_submit_is_sent_again_after_the_time_for_retries(self, recorded, monkeypatch):
        """Its own answer may have taken longer than that: the job is looked for once, since it may be there."""
        clock = iter([0.0, OPERATIONS.config.retry_seconds + 1])
        monkeypatch.setattr(_operations, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        with pytest.raises(ServiceUnavailable, match="the answer was lost"):
            submit(LOST, (404, recorded(78)))

    def test_the_service_says_how_long_to_wait(self, recorded):
        drive = submit(ServiceUnavailable("busy", retry_after=20), (200, ours(recorded)))
        assert drive.requests[1].delay == 20 > SUBMITS.longest

    @pytest.mark.parametrize(
        ("status", "number", "error"),
        [(422, 75, InvalidRequest), (401, 175, Unauthorized), (403, 177, Unauthorized), (500, 166, ProtocolError)],
    )
    def test_every_other_refusal_is_final(self, recorded, status, number, error):
        with pytest.raises(error, match=f"answered {status}"):
            submit((status, recorded(number)))


class TestJobs:
    def test_the_job(self, recorded):
        drive = Drive(OPERATIONS.get("run-1", workspace=WORKSPACE, time_limit=3), (200, recorded(32)))
        assert drive.lines == [f"GET {JOBS}/run-1"]
        assert drive.requests[0].time_limit == 3
        assert drive.requests[0].retry
        assert (drive.result.status, drive.result.spec["params"]["parallelism"]) == ("completed", 4)

    def test_the_status(self, recorded):
        drive = Drive(OPERATIONS.get_status("run-1", workspace=WORKSPACE), (200, recorded(31)))
        assert drive.lines == [f"GET {JOBS}/run-1/status"]
        assert [step.name for step in drive.result.steps] == ["dataset-download", "evaluation"]

    def test_cancel(self, recorded):
        drive = Drive(OPERATIONS.cancel("slow-1", workspace=WORKSPACE), (200, recorded(148)))
        assert drive.lines == [f"POST {JOBS}/slow-1/cancel"]
        assert drive.requests[0].retry
        assert drive.result.status == "cancelling"

    def test_delete(self):
        drive = Drive(OPERATIONS.delete("slow-1", workspace=WORKSPACE), (204, b""))
        assert drive.lines == [f"DELETE {JOBS}/slow-1"]
        assert drive.result is None

    def test_a_page_of_the_list(self, recorded):
        moment = datetime(2026, 11, 23, 7, tzinfo=UTC)
        operation = OPERATIONS.list_page(
            2, workspace=WORKSPACE, status=["active", "error"], created_since=moment, page_size=2
        )
        drive = Drive(operation, (200, recorded(155)))
        jobs, pages = drive.result
        assert drive.lines == [f"GET {JOBS}"]
        assert drive.requests[0].params == {
            "page": 2,
            "page_size": 2,
            "sort": "-created_at",
            "filter[status][$in]": "active,error",
            "filter[created_at][$gte]": "2026-11-23T07:00:00",
        }
        assert (jobs[0].name, jobs[0].benchmark, len(jobs), pages) == (
            "online-500-ignored-1",
            "my-workspace/qa-online",
            2,
            8,
        )

    def test_one_status_is_a_filter_of_its_own(self, recorded):
        operation = OPERATIONS.list_page(1, workspace=WORKSPACE, status=["error"])
        assert Drive(operation, (200, recorded(156))).requests[0].params["filter[status]"] == "error"

    @pytest.mark.parametrize(
        ("status", "body", "error"),
        [
            (404, {"detail": "Job not found"}, NotFound),
            (404, {"detail": "Not Found"}, ProtocolError),  # no such path: another service
            (401, {"detail": "Unauthorized"}, Unauthorized),
            (200, b"{", ProtocolError),
            (200, [], ProtocolError),
            (200, None, ProtocolError),
            (200, b"<html>login</html>", ProtocolError),
            (200, {"name": "run-1"}, ProtocolError),
            (200, b"\xff", ProtocolError),
        ],
    )
    def test_answers_that_are_no_job(self, status, body, error):
        about = 'benchmark job "run-1" in workspace "my-workspace"'
        message = f"not as the service does .{about}" if status == 200 else f".{about}"
        for begin in (OPERATIONS.get, OPERATIONS.get_status, OPERATIONS.cancel):
            with pytest.raises(error, match=message):
                Drive(begin("run-1", workspace=WORKSPACE), (status, body))

    def test_a_workspace_that_is_not_there(self, recorded):
        with pytest.raises(NotFound, match="a workspace that does not exist"):
            Drive(OPERATIONS.get("run-1", workspace="none"), (404, recorded(74)))

    def test_a_success_that_is_no_job_says_so(self):
        with pytest.raises(ProtocolError, match='not as the service does .benchmark job "run-1".*it begins "<html>"'):
            Drive(OPERATIONS.get_status("run-1", workspace=WORKSPACE), (200, b"<html>"))

    @pytest.mark.parametrize("name", ["", ".", ".."])
    def test_names_that_lead_elsewhere_are_refused(self, name):
        with pytest.raises(ConfigurationError, match="is not the name of a result"):
            OPERATIONS.download("run-1", name, workspace=WORKSPACE)


class TestLogs:
    def test_pages(self, recorded):
        first = Drive(OPERATIONS.log_page("run-1", None, workspace=WORKSPACE), (200, recorded(53)))
        lines, cursor = first.result
        assert first.lines == [f"GET {JOBS}/run-1/logs"]
        assert "page_cursor" not in first.requests[0].params
        assert (len(lines), cursor) == (3, recorded(53)["next_page"])
        second = Drive(OPERATIONS.log_page("run-1", cursor, workspace=WORKSPACE), (200, recorded(54)))
        assert second.requests[0].params["page_cursor"] == cursor
        assert second.result[0][0].fields["scores"] == {"string-check": 1.0}

    @pytest.mark.parametrize("end", [None, ""])
    def test_the_last_page_has_no_cursor(self, end):
        drive = Drive(OPERATIONS.log_page("run-1", "x", workspace=WORKSPACE), (200, {"data": [], "next_page": end}))
        assert drive.result == ([], None)

    @pytest.mark.parametrize("body", [{}, {"data": 5}, [], {"data": [], "next_page": 5}])
    def test_pages_that_are_none(self, body):
        with pytest.raises(ProtocolError):
            Drive(OPERATIONS.log_page("run-1", None, workspace=WORKSPACE), (200, body))


class TestResults:
    def test_the_list(self, recorded):
        drive = Drive(OPERATIONS.results("run-1", workspace=WORKSPACE), (200, recorded(33)))
        assert drive.lines == [f"GET {JOBS}/run-1/results"]
        assert {result.name for result in drive.result} == {"aggregate-scores", "row-scores", "artifacts"}

    @pytest.mark.parametrize(
        "body", [{}, [], {"data": {}}, {"data": [5]}, {"data": [{"name": "a", "artifact_url": 5}]}, b"<html>"]
    )
    def test_lists_that_are_none(self, body):
        with pytest.raises(ProtocolError, match="not as the service does"):
            Drive(OPERATIONS.results("run-1", workspace=WORKSPACE), (200, body))

    def test_aggregate_scores(self, recorded):
        drive = Drive(OPERATIONS.aggregate_scores("run-1", workspace=WORKSPACE), (200, recorded(37)))
        assert drive.lines == [f"GET {JOBS}/run-1/results/aggregate-scores/download"]
        assert (drive.result.get("exact-match").mean, drive.result.get("string-check").mean) == (0.6, 1.0)

    def test_aggregate_scores_of_a_job_that_has_none(self, recorded):
        with pytest.raises(NotFound, match="Job result not found.*look at its status and log"):
            Drive(OPERATIONS.aggregate_scores("run-1", workspace=WORKSPACE), (404, recorded(18)))

    def test_aggregate_scores_that_are_none(self):
        with pytest.raises(IncompleteResults, match='aggregate scores of benchmark job "run-1" in workspace.*expected'):
            Drive(OPERATIONS.aggregate_scores("run-1", workspace=WORKSPACE), (200, {"scores": []}))
        with pytest.raises(ProtocolError, match="not as the service does"):
            Drive(OPERATIONS.aggregate_scores("run-1", workspace=WORKSPACE), (200, b"{"))

    def test_the_file_of_the_row_scores(self, recorded):
        drive = Drive(OPERATIONS.row_scores_file("run-1", workspace=WORKSPACE), (200, recorded(33)))
        assert drive.result.path.startswith(
            "/apis/files/v2/workspaces/my-workspace/filesets/job-fileset-run-1/-/results/"
        )
        assert (drive.result.method, drive.result.job) == ("GET", "run-1")

    @pytest.mark.parametrize("data", [[], [{"name": "row-scores"}], [{"name": "artifacts", "artifact_url": "ws/f#a"}]])
    def test_row_scores_without_a_file(self, data):
        assert Drive(OPERATIONS.row_scores_file("run-1", workspace=WORKSPACE), (200, {"data": data})).result is None


class TestDatasets:
    JOB = BenchmarkJob(name="run-1", workspace=WORKSPACE, status="completed")

    def test_it_is_that_of_the_stored_scores(self, recorded):
        drive = Drive(OPERATIONS.dataset(self.JOB), (200, recorded(51)))
        assert drive.lines == ["GET /apis/evaluation/v2/workspaces/my-workspace/benchmark-job-results/run-1"]
        assert drive.requests[0].params == {"aggregate_fields": "nan_count"}
        assert drive.result == "my-workspace/qa"

    def test_unless_the_spec_names_another(self):
        job = SERVICE.read_job(
            {"name": "run-1", "status": "completed", "spec": {**SPEC, "dataset": "my-workspace/other"}},
            workspace=WORKSPACE,
        )
        assert Drive(OPERATIONS.dataset(job)).result == "my-workspace/other"

    @pytest.mark.parametrize("answer", [(404, b""), (403, b""), (500, b""), (200, b"{"), (200, {}), (200, [])])
    def test_it_is_empty_where_the_service_does_not_say(self, answer):
        assert Drive(OPERATIONS.dataset(self.JOB), answer).result == ""

    def test_a_service_that_is_down_says_nothing_about_it(self):
        with pytest.raises(ServiceUnavailable):
            Drive(OPERATIONS.dataset(self.JOB), LOST)


class TestPlatform:
    def test_health(self, recorded):
        drive = Drive(OPERATIONS.health(), (200, recorded(1)))
        assert drive.lines == ["GET /health/ready"]
        assert not drive.requests[0].retry
        assert drive.result == recorded(1)

    @pytest.mark.parametrize(
        ("answer", "version"),
        [
            ((200, {"platform_version": "0.1.0"}), "0.1.0"),
            ((200, {}), "unknown"),
            ((404, b""), "unknown"),
            (LOST, "unknown"),
        ],
    )
    def test_the_version(self, answer, version):
        drive = Drive(OPERATIONS.platform_version(), answer)
        assert drive.lines == ["GET /cluster-info"]
        assert drive.result == version


def test_half_characters_of_an_answer_can_be_stored():
    body = b'{"name": "run-1", "status": "error", "error_details": "\\ud800"}'
    assert Drive(OPERATIONS.get("run-1", workspace=WORKSPACE), (200, body)).result.error == "\N{REPLACEMENT CHARACTER}"
