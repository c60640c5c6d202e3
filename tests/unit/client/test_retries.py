"""What both clients send again, and after which pauses."""

from __future__ import annotations

import time
from email.utils import formatdate

import httpx
import pytest

from airflow_provider_benchmarks.exceptions import ServiceUnavailable
from tests.unit.client.conftest import Service

JOB = {"name": "job-1", "status": "active"}


def after(*troubles: int | type[httpx.TransportError] | httpx.Response) -> Service:
    """A service that has some troubles, one with each request, before it answers."""
    left = list(troubles)

    def answer(request: httpx.Request) -> httpx.Response:
        trouble = left.pop(0) if left else 200
        if isinstance(trouble, httpx.Response):
            return trouble
        if isinstance(trouble, int):
            return httpx.Response(trouble, json=JOB)
        raise trouble("broken", request=request)

    return Service(answer)


@pytest.mark.parametrize("method", ["get_status", "get_job", "cancel_job"])
@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_transient_answers_are_tried_again(ask, pauses, status, method):
    service = after(status, status)
    assert ask(service, method, "job-1").name == "job-1"
    assert len(service.requests) == 3
    first, second = pauses
    assert 0 <= first <= 0.5
    assert 0 <= second <= 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500])
def test_definite_answers_are_not(ask, pauses, status):
    service = after(*[status] * 9)
    with pytest.raises(Exception, match=f"answered {status}"):
        ask(service, "get_status", "job-1")
    assert (len(service.requests), pauses) == (1, [])


@pytest.mark.parametrize(
    "fault", [httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError, httpx.ReadTimeout, httpx.ConnectTimeout]
)
def test_faults_of_the_network_are_tried_again(ask, pauses, fault):
    service = after(fault, fault)
    assert ask(service, "get_status", "job-1").name == "job-1"
    assert len(service.requests) == 3


def test_the_service_says_how_long_to_wait(ask, pauses):
    ask(after(httpx.Response(503, headers={"Retry-After": "7"})), "get_status", "job-1")
    assert pauses == [7]


def test_or_until_when(ask, pauses):
    moment = formatdate(int(time.time()) + 30, usegmt=True)
    ask(after(httpx.Response(503, headers={"Retry-After": moment})), "get_status", "job-1")
    (pause,) = pauses
    assert 25 < pause <= 30


def test_a_longer_wait_than_all_retries_may_take_is_not_begun(ask, pauses):
    service = after(*[httpx.Response(503, headers={"Retry-After": "3600"})] * 9)
    with pytest.raises(ServiceUnavailable) as caught:
        ask(service, "get_status", "job-1", retry_seconds=1)
    assert caught.value.retry_after == 3600
    assert (len(service.requests), pauses) == (1, [])


def test_without_time_for_retries_there_are_none(ask, pauses):
    service = after(503, 503)
    with pytest.raises(ServiceUnavailable):
        ask(service, "get_status", "job-1", retry_seconds=0)
    assert (len(service.requests), pauses) == (1, [])
