"""Answers of odd shapes: each ends as one of the package's own errors, or in what is right of them."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import httpx
import pytest

from airflow_provider_benchmarks.client import GENERATIONS, BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.client._errors import retry_after
from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults, InvalidRequest, ProtocolError
from airflow_provider_benchmarks.jobs import RowCounts
from airflow_provider_benchmarks.scores.json_values import json_text, parse_json

SERVICE = GENERATIONS["benchmark-jobs"]
JOB = {"name": "job-1", "workspace": "ws", "status": "active"}
DEEP = b'{"detail": ' + b"[" * 300 + b"]" * 300 + b"}"


class TestRedirects:
    @pytest.mark.parametrize(
        "location",
        ["http://127.0.0.1:99999/", "http://127.0.0.1:x/", "javascript:1", "http://[::1", "http://.../", "ftp://x/"],
    )
    def test_to_where_nothing_can_be(self, ask, location):
        answer = lambda _: httpx.Response(307, headers={"Location": location})
        if location.endswith("99999/"):
            answer = lambda request: _impossible(request, location)
        with pytest.raises((ProtocolError, InvalidRequest)) as caught:
            ask(answer, "get_status", "job-1", retry_seconds=0)
        assert 'benchmark job "job-1"' in str(caught.value)

    def test_a_long_address_is_shortened(self, ask):
        answer = lambda _: httpx.Response(300, headers={"Location": "/x" * 20_000})
        with pytest.raises(InvalidRequest, match=r"sends requests on to /x/x/x.*\(40,000 characters\): set that"):
            ask(answer, "get_status", "job-1", retry_seconds=0)


def _impossible(request: httpx.Request, location: str) -> httpx.Response:
    """What the network raises for a port that there is not."""
    if request.url.port == 99999:
        raise ExceptionGroup("all attempts", [OverflowError("getaddrinfo(): port must be 0-65535.")])
    return httpx.Response(307, headers={"Location": location})


def test_a_cookie_spoils_no_later_request(ask):
    for cookie in (b"\xe9=\xff", b"a=" + b"x" * 100_000, b"a=b"):
        answer = lambda _, cookie=cookie: httpx.Response(200, headers=[(b"Set-Cookie", cookie)], json=JOB)
        config = ClientConfig(base_url="http://evaluator.invalid", workspace="ws", api="benchmark-jobs")
        seen = []
        service = lambda request, answer=answer, seen=seen: (
            seen.append(request.headers.get("Cookie")) or answer(request)
        )
        with BenchmarkClient(config, httpx.MockTransport(service)) as client:
            for _ in range(2):
                assert client.get_status("job-1").status == "active"
        assert seen == [None, None]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5.0),
        ("1e999", 365 * 86_400.0),
        ("inf", 365 * 86_400.0),
        ("9" * 400, 365 * 86_400.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 365 * 86_400.0),
        ("-5", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        *((text, None) for text in ("nan", "soon", "", " ", ",", "0 0 0 0 0", "Wed, 99 Oct 2015 07:28:00 GMT")),
        *((text, None) for text in ("Wed, 21 Oct 2015 07:28:00 +99999999", "21 Oct 99999 07:28:00")),
    ],
)
def test_retry_after(value, seconds):
    assert retry_after(httpx.Headers({"Retry-After": value})) == seconds


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b'{"detail": [{"loc": null}]}', "{'loc': None}"),
        (b'{"detail": [{"loc": null, "msg": "no"}]}', "no"),
        (b'{"detail": [{"loc": ["body", "spec", 1], "msg": "no"}]}', "spec.1: no"),
        (b'{"detail": [{"loc": [["a"], {}], "msg": "no"}]}', "['a'].{}: no"),
        (b'{"detail": [{"msg": {"a": 1}}, "text", null]}', "{'msg': {'a': 1}}; text; None"),
        (b'{"detail": {"a": [1, 2]}}', "{'a': [1, 2]}"),
        (b'{"detail": ' + b"9" * 4000 + b"}", "a whole number of 13288 bits"),
        (DEEP, '{"detail": [[['),
    ],
)
def test_the_detail_of_an_error(content, detail):
    found = SERVICE.detail_of(content)
    assert found.startswith(detail)
    assert len(found) <= 1001


@pytest.mark.parametrize("status", [200, 404, 409, 422, 500])
def test_what_is_nested_deeply(ask, status):
    for depth in (300, 900, 3000, 100_000):
        body = b'{"detail": ' + b"[" * depth + b"]" * depth + b"}"
        with pytest.raises((ProtocolError, InvalidRequest, Exception)) as caught:
            ask(lambda _, body=body: httpx.Response(status, content=body), "get_status", "job-1", retry_seconds=0)
        assert type(caught.value).__module__ == "airflow_provider_benchmarks.exceptions"


def test_the_limit_of_nesting_does_not_depend_on_who_reads():
    assert parse_json("[" * 200 + "]" * 200) is not None
    assert parse_json(json.dumps([{"a": [{}]}] * 1000)) is not None
    with pytest.raises(ValueError, match="nested more than 200 levels deep"):
        parse_json("[" * 201 + "]" * 201)
    with pytest.raises(ValueError, match="nested"):
        parse_json(b'{"a":' * 100_000)


def read(**fields: Any) -> Any:
    return SERVICE.read_job({**JOB, **fields}, workspace="ws")


@pytest.mark.parametrize("value", [-1, 100.5, 1e300, math.nan, math.inf, True, "50", [50], 10**400])
def test_a_progress_that_is_none(value):
    assert read(status_details={"progress": value}).progress is None


@pytest.mark.parametrize("value", [-1, 1.5, math.nan, math.inf, True, "5", 2**60, 10**400])
def test_a_number_of_rows_that_is_none(value):
    assert read(status_details={"samples_processed": value}).samples_processed is None
    assert RowCounts.from_json({"total": value, "scored": 3}) == RowCounts(scored=3)


def test_a_whole_number_that_is_written_as_a_fraction():
    assert read(status_details={"samples_processed": 5.0, "progress": 100}).samples_processed == 5


@pytest.mark.parametrize("stack", [" ", "\n", "", None, 5, ["x"], "last line\n \n"])
def test_a_stack_that_says_nothing_is_no_reason(stack):
    (step,) = read(steps=[{"name": "a", "status": "error", "tasks": [{"error_stack": stack}]}]).steps
    assert step.error in (None, "last line")


def test_texts_of_a_log_that_are_none():
    payload = {"data": [{"message": {"a": 1}, "job_step": ["x"], "timestamp": 5}, {"message": None}, 7, None]}
    lines, _ = SERVICE.read_log_page(payload)
    assert [line.message for line in lines] == ["{'a': 1}", "", "7", "None"]


@pytest.mark.parametrize("version", [["0.8.1"], {"a": 1}, 8, None, True])
def test_a_version_that_is_none(version):
    config = ClientConfig(base_url="http://evaluator.invalid", workspace="ws")
    answer = lambda _: httpx.Response(200, json={"platform_version": version})
    with BenchmarkClient(config, httpx.MockTransport(answer)) as client:
        assert client.get_platform_version() == "unknown"


async def test_halves_of_a_character_become_one_that_stands_for_them():
    body = b'{"name": "job-1", "status": "error", "error_details": "a\\ud83d b\\ud83d\\ude00 \\uD83D"}'
    config = ClientConfig(base_url="http://evaluator.invalid", workspace="ws", api="benchmark-jobs")
    with BenchmarkClient(config, httpx.MockTransport(lambda _: httpx.Response(200, content=body))) as client:
        job = await asyncio.to_thread(client.get_status, "job-1")
    assert job.error == "a\N{REPLACEMENT CHARACTER} b\N{GRINNING FACE} \N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("description", [5, ["x"], b"x", math.nan, "half a character: \ud800"])
def test_a_description_that_is_no_text(description):
    config = ClientConfig(base_url="http://evaluator.invalid", workspace="ws", api="benchmark-jobs")
    asked: list[httpx.Request] = []
    with BenchmarkClient(config, httpx.MockTransport(asked.append)) as client:
        with pytest.raises(ConfigurationError, match="description"):
            client.submit_job({"benchmark": "ws/b"}, name="job-1", description=description)
    assert asked == []


def test_what_is_too_deep_to_be_written_is_our_error():
    value: Any = 1
    for _ in range(5000):
        value = [value]
    with pytest.raises(IncompleteResults, match="nested too deeply"):
        json_text(value)
