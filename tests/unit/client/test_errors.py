from __future__ import annotations

import json
import pickle
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from airflow_provider_benchmarks.client import GENERATIONS
from airflow_provider_benchmarks.client._errors import error_of_answer, error_of_request, protocol_error, retry_after
from airflow_provider_benchmarks.client._name_conflicts import name_unusable
from airflow_provider_benchmarks.client._requests import Request
from airflow_provider_benchmarks.exceptions import (
    Conflict,
    InvalidRequest,
    JobNotFound,
    NotFound,
    ProtocolError,
    ServiceUnavailable,
    Unauthorized,
)
from airflow_provider_benchmarks.retry_policy import can_retry_mend, is_recoverable, is_transient

SERVICE = GENERATIONS["benchmark-jobs"]
REQUEST = Request(method="GET", path="/apis/x/benchmark-jobs/run-1", workspace="qa", job="run-1")


def answer(status: int, detail: object = "the reason", headers: dict[str, str] | None = None):
    content = json.dumps({"detail": detail}).encode()
    return error_of_answer(REQUEST, status, httpx.Headers(headers or {}), content, SERVICE)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(408, ServiceUnavailable), (429, ServiceUnavailable), (502, ServiceUnavailable), (503, ServiceUnavailable)]
    + [(421, ServiceUnavailable), (423, ServiceUnavailable), (425, ServiceUnavailable)]
    + [(504, ServiceUnavailable), (401, Unauthorized), (403, Unauthorized), (404, NotFound), (409, Conflict)]
    + [
        (400, InvalidRequest),
        (405, InvalidRequest),
        (422, InvalidRequest),
        (500, ProtocolError),
        (302, InvalidRequest),
    ],
)
def test_every_status_has_its_error_and_says_what_it_was_about(status, kind):
    error = answer(status)
    assert type(error) is kind
    assert (error.status_code, error.detail, error.method, error.path) == (
        status,
        "the reason",
        "GET",
        "/apis/x/benchmark-jobs/run-1",
    )
    assert f'answered {status}: "the reason" (benchmark job "run-1" in workspace "qa")' in str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.status_code, copy.job) == (str(error), status, "run-1")


def test_a_path_that_the_service_does_not_know_is_not_a_missing_job():
    assert type(answer(404, "Not Found")) is ProtocolError
    assert "0.1.x" in str(answer(404, "Not Found"))
    html = error_of_answer(REQUEST, 404, httpx.Headers(), b"<html>no backend</html>", SERVICE)
    assert type(html) is ProtocolError


@pytest.mark.parametrize(
    ("detail", "kind"),
    [
        ("Job not found", JobNotFound),  # 0.1
        ("Job 'run-1' not found in workspace 'qa'.", JobNotFound),  # 0.2 and later
        ("Job 'run-2' not found in workspace 'qa'.", NotFound),
        ("Job result not found", NotFound),
        ("Result 'row-scores' for job 'run-1' not found in workspace 'qa'.", NotFound),
        ("Workspace 'qa' not found", NotFound),
        ("no healthy upstream", NotFound),
    ],
)
@pytest.mark.parametrize("service", GENERATIONS.values())
def test_a_job_is_missing_only_in_the_service_s_own_words(service, detail, kind):
    content = json.dumps({"detail": detail}).encode()
    assert type(error_of_answer(REQUEST, 404, httpx.Headers(), content, service)) is kind


def test_field_errors_are_readable():
    detail = [{"type": "extra_forbidden", "loc": ["body", "spec", "offline", "foo"], "msg": "Extra inputs", "input": 1}]
    assert 'answered 422: "spec.offline.foo: Extra inputs"' in str(answer(422, detail))


PAGES = [b"<html><body>403 Forbidden</body></html>", b"Forbidden", b'"text"', b"\xff"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("status", [400, 402, 403, 405, 409, 410, 413, 422, 451])
def test_a_refusal_that_is_not_the_service_s_may_pass(status, page):
    read = error_of_answer(REQUEST, status, httpx.Headers(), page, SERVICE)
    write = error_of_answer(replace(REQUEST, method="POST"), status, httpx.Headers(), page, SERVICE)
    assert (type(read), read.status_code, type(write)) == (ProtocolError, status, ProtocolError)
    assert (is_transient(read), is_transient(write)) == (False, False)
    assert (is_recoverable(read), can_retry_mend(read), can_retry_mend(write)) == (True, True, True)
    assert "gateway" in str(read)
    own = answer(status)
    assert type(own) is not ProtocolError
    assert not is_transient(own)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_json_in_any_encoding_is_the_service_s(encoding):
    body = '{"detail": "taken"}'.encode(encoding)
    error = error_of_answer(replace(REQUEST, method="POST"), 409, httpx.Headers(), body, SERVICE)
    assert type(error) is Conflict
    assert error.detail == "taken"


def test_a_refusal_whose_end_is_cut_off_is_the_service_s():
    body = b'{"detail": "' + b"x" * 1000
    assert type(error_of_answer(REQUEST, 400, httpx.Headers(), body, SERVICE)) is InvalidRequest


def test_an_empty_refusal_is_what_its_status_says():
    assert type(error_of_answer(REQUEST, 403, httpx.Headers(), b" ", SERVICE)) is Unauthorized
    assert type(error_of_answer(REQUEST, 400, httpx.Headers(), b"", SERVICE)) is InvalidRequest


def test_a_token_that_a_gateway_refuses_in_a_page_is_refused():
    error = error_of_answer(REQUEST, 401, httpx.Headers(), b"<html>401</html>", SERVICE)
    assert type(error) is Unauthorized
    assert not is_transient(error)


def test_the_service_says_whether_to_try_again():
    for status in (400, 403, 404, 422, 500):
        error = answer(status, headers={"X-Should-Retry": "True"})
        assert (is_transient(error), can_retry_mend(error), is_recoverable(error)) == (True, True, True)
        assert pickle.loads(pickle.dumps(error)).should_retry is True
    busy = answer(503, headers={"x-should-retry": "false"})
    assert type(busy) is ServiceUnavailable
    assert (is_transient(busy), is_recoverable(busy), can_retry_mend(busy)) == (False, True, True)
    page = error_of_answer(REQUEST, 403, httpx.Headers({"x-should-retry": "false"}), b"<html>", SERVICE)
    assert not is_transient(page)
    assert answer(503, headers={"x-should-retry": "perhaps"}).should_retry is None


FORGED = "first\r\nERROR second\n    third"


def test_further_lines_of_the_service_s_words_are_indented():
    page = error_of_answer(REQUEST, 400, httpx.Headers(), FORGED.encode(), SERVICE)
    transport = error_of_request(REQUEST, httpx.ReadError(FORGED), "https://evaluator.example.com")
    odd = protocol_error(REQUEST, 200, f'it begins "{FORGED}"')
    conflict = name_unusable(REQUEST, answer(409, FORGED))
    for error in (answer(422, FORGED), page, transport, odd, conflict):
        assert "first\n    ERROR second\n    third" in str(error)


def test_a_redirect_names_the_new_address():
    error = answer(308, headers={"location": "https://new.example.com/"})
    assert "set that as the connection's host" in str(error)
    assert "https://new.example.com/" in str(error)


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b'{"detail": "text"}', "text"),
        (b"plain text", "plain text"),
        (b"", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b'{"detail": null}', "None"),
        (b'["a"]', "a"),
        (b'{"message": "m"}', "{'message': 'm'}"),
    ],
)
def test_any_body_returns_a_detail(content, detail):
    assert SERVICE.detail_of(content) == detail


def test_a_long_detail_is_cut():
    assert len(SERVICE.detail_of(b"x" * 100_000)) < 1100


def test_retry_after_in_seconds_and_as_a_date():
    assert retry_after(httpx.Headers({"Retry-After": "12"})) == 12
    assert retry_after(httpx.Headers({"Retry-After": "-3"})) == 0
    moment = datetime.now(UTC) + timedelta(seconds=90)
    assert 80 < retry_after(httpx.Headers({"Retry-After": format_datetime(moment, usegmt=True)})) <= 90
    assert retry_after(httpx.Headers({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})) == 0
    assert retry_after(httpx.Headers({"Retry-After": "soon"})) is None
    assert retry_after(httpx.Headers({"Retry-After": f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT"})) is None
    assert retry_after(httpx.Headers({"Retry-After": f"Mon, 01 Jan 2029 00:00:00 +{'9' * 13}"})) is None
    assert retry_after(httpx.Headers()) is None


_REFUSED = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"


@pytest.mark.parametrize(
    ("fault", "kind", "advice"),
    [
        (httpx.ConnectError("refused"), ServiceUnavailable, "Check that the service runs"),
        (httpx.ReadTimeout("slow"), ServiceUnavailable, 'extra "timeout"'),
        (ssl.SSLError("WRONG_VERSION_NUMBER"), ServiceUnavailable, "Check that the service runs"),
        (UnicodeError("label too long"), InvalidRequest, "the connection's host is right"),
        (httpx.RemoteProtocolError("closed"), ServiceUnavailable, "Check that the service runs"),
        (httpx.ConnectError(f"{_REFUSED}: self-signed certificate"), InvalidRequest, 'extra "verify"'),
        (httpx.TooManyRedirects("loop"), ProtocolError, ""),
        (
            httpx.LocalProtocolError("Illegal header value b's3cret '"),
            InvalidRequest,
            "LocalProtocolError. The request",
        ),
    ],
)
def test_faults_of_the_transport(fault, kind, advice):
    error = error_of_request(REQUEST, fault, "https://evaluator.example.com")
    assert type(error) is kind
    assert advice in str(error)
    assert "https://evaluator.example.com" in str(error)
    assert "s3cret" not in str(error)


@pytest.mark.parametrize(
    ("fault", "address", "scheme"),
    [
        (httpx.ConnectError("[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), "https://e", "http://"),
        (ssl.SSLError("[SSL] record layer failure (_ssl.c:1006)"), "https://e", "http://"),
        (httpx.ReadError("[Errno 104] Connection reset by peer"), "http://e", "https://"),
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), "http://e", "https://"),
        (httpx.ReadError("[Errno 104] Connection reset by peer"), "https://e", None),
        (httpx.ConnectError("[Errno 111] Connection refused"), "http://e", None),
    ],
)
def test_the_wrong_scheme_is_found(fault, address, scheme):
    told = str(error_of_request(REQUEST, fault, address))
    assert "Check that the service runs" in told
    found = [each for each in ("http://", "https://") if f" {each} in the connection's host." in told]
    assert found == ([scheme] if scheme else [])
