"""What the clients make of a service and a network that fail."""

from __future__ import annotations

import socket
import sys
import threading
import time

import pytest

from airflow_provider_benchmarks.exceptions import (
    IncompleteResults,
    InvalidRequest,
    ServiceUnavailable,
)
from airflow_provider_benchmarks.scores.rows import read_rows
from airflow_provider_benchmarks.testing import EvaluationService, Fault
from tests.integration.conftest import SPEC, completed_job, only_sync
from tests.support.tls_front import tls_front

STATUS = ("GET", "*/status")
SUBMIT = ("POST", "*/benchmark-jobs")
ROWS = ("GET", "*/row-scores/download")


def count(service, method: str, end: str) -> int:
    return sum(request.method == method and request.path.endswith(end) for request in service.requests)


def test_transient_answers_are_tried_again(client, service):
    client.submit_job(SPEC, name="job-1")
    fault = service.inject(Fault.answer(503).on(*STATUS, times=2))
    assert client.get_status("job-1").name == "job-1"
    assert fault.fired == 2
    assert count(service, "GET", "/status") == 3


@pytest.mark.parametrize("fault", [Fault.drop_connection(), Fault.lose_answer(), Fault.cut_body(after_bytes=10)])
def test_lost_connections_are_tried_again(client, service, fault):
    client.submit_job(SPEC, name="job-1")
    service.inject(fault.on(*STATUS, times=2))
    assert client.get_status("job-1").name == "job-1"


def test_the_total_is_bounded(connect, service):
    client = connect(service.url, retry_seconds=1)
    client.submit_job(SPEC, name="job-1")
    service.inject(Fault.answer(503).on(*STATUS, times=None))
    with pytest.raises(ServiceUnavailable):
        client.get_status("job-1")


@pytest.mark.parametrize(
    ("certificate", "is_known", "advice"),
    [
        ({}, False, 'Set the connection\'s extra "verify" to the path of the CA'),
        ({"began": -3, "ended": -1}, True, "Have the certificate of the server, or of its CA, renewed"),
        ({"began": 1, "ended": 3}, True, "Check the clock of this machine"),
        ({"address": "10.0.0.1"}, True, "Set the connection's host to a name that the server's certificate is for"),
        pytest.param(
            {"names_its_issuer": False},
            True,
            "Have the certificate issued anew: it lacks what RFC 5280, and Python from 3.13 on, ask for",
            marks=pytest.mark.skipif(sys.version_info < (3, 13), reason="Python 3.13 is the first to refuse it"),
        ),
    ],
)
def test_what_to_do_about_a_certificate(connect, service, tmp_path, certificate, is_known, advice):
    with tls_front(service.url, tmp_path / "front", **certificate) as (url, authority):
        with pytest.raises(InvalidRequest, match=advice):
            connect(url, verify=str(authority) if is_known else True).get_job("job-1")
    with tls_front(service.url, tmp_path / "sound") as (url, authority):
        assert list(connect(url, verify=str(authority)).list_jobs()) == []


def test_nobody_listens(connect):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        with pytest.raises(
            ServiceUnavailable, match=rf"got no answer from http://127\.0\.0\.1:{port}.*Check that the service runs"
        ):
            connect(f"http://127.0.0.1:{port}", retry_seconds=0.1).get_job("job-1")


def test_a_slow_answer_is_a_timeout(connect, service):
    client = connect(service.url, timeout=0.2, retry_seconds=0)
    service.inject(Fault.delay(5).on(*STATUS))
    with pytest.raises(ServiceUnavailable, match='extra "timeout"'):
        client.get_status("job-1")


def test_idle_connections_that_the_service_has_closed_are_no_error(connect):
    with EvaluationService(idle_timeout=0.5) as service:
        service.seed_question_answer_example()
        client = connect(service.url, retry_seconds=0)
        client.submit_job(SPEC, name="job-1")
        for _ in range(3):
            opened = service.connections
            time.sleep(1.5)
            assert client.get_status("job-1").name == "job-1"
            assert service.connections == opened + 1


@only_sync
class TestSubmit:
    """A POST is sent again only because the job's name makes that safe."""

    @pytest.mark.parametrize("times", [1, 3])
    def test_a_lost_answer_finds_its_own_job(self, client, service, times):
        service.inject(Fault.lose_answer().on(*SUBMIT, times=times))
        submission = client.submit_job(SPEC, name="job-1")
        assert submission.created
        assert [job.name for job in client.list_jobs()] == ["job-1"]
        assert count(service, "POST", "/benchmark-jobs") == 1

    def test_a_request_that_never_arrived_is_sent_again(self, client, service):
        service.inject(Fault.drop_connection().on(*SUBMIT, times=2))
        assert client.submit_job(SPEC, name="job-1").created
        assert [job.name for job in client.list_jobs()] == ["job-1"]
        assert count(service, "POST", "/benchmark-jobs") == 3

    def test_a_gateway_that_lost_the_answer_of_a_submit_that_worked(self, client, service):
        # The gateway says 504 while the job is there already.
        service.inject(Fault.lose_answer().on(*SUBMIT))
        service.inject(Fault.answer(504).on("GET", "*/benchmark-jobs/job-1", times=1))
        assert client.submit_job(SPEC, name="job-1").created
        assert count(service, "POST", "/benchmark-jobs") == 1

    def test_a_service_that_stays_down(self, connect, service):
        client = connect(service.url, retry_seconds=2)
        service.inject(Fault.answer(503).on("POST", "*", times=None))
        with pytest.raises(ServiceUnavailable):
            client.submit_job(SPEC, name="job-1")
        assert 1 < count(service, "POST", "/benchmark-jobs") <= 5

    def test_two_at_once_give_one_job(self, connect, service):
        results = []

        def submit() -> None:
            results.append(connect(service.url).submit_job(SPEC, name="job-1"))

        threads = [threading.Thread(target=submit) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(result.created for result in results) == [False, False, False, True]
        assert len({result.job.id for result in results}) == 1


@only_sync
class TestRowStream:
    def test_a_dropped_connection_loses_and_repeats_nothing(self, client, service):
        completed_job(client)
        for after in (10, 400, 900):
            service.inject(Fault.cut_body(after_bytes=after).on(*ROWS))
        assert [row.row_index for row in read_rows(client.iter_row_lines("job-1"))] == [0, 1, 2, 3, 4]
        assert count(service, "GET", "/row-scores/download") == 4

    def test_a_connection_that_always_drops_is_given_up(self, client, service):
        completed_job(client)
        service.inject(Fault.cut_body(after_bytes=400).on(*ROWS, times=None))
        with pytest.raises(ServiceUnavailable):
            list(client.iter_row_lines("job-1"))

    def test_a_body_that_ends_in_mid_row_is_noticed(self, client, service):
        completed_job(client)
        service.inject(Fault.truncated(keep_bytes=400).on(*ROWS))
        with pytest.raises(IncompleteResults, match="line 2"):
            list(read_rows(client.iter_row_lines("job-1")))
