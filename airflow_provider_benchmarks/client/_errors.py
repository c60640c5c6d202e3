"""Turn answers and faults of the transport into this package's errors: what happened, to what, what to do."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.client._config import MAX_CONNECTIONS
from airflow_provider_benchmarks.client._requests import Request
from airflow_provider_benchmarks.client._response_body import parse_answer
from airflow_provider_benchmarks.client._time_limits import is_total_over
from airflow_provider_benchmarks.client.generations import Generation
from airflow_provider_benchmarks.exceptions import (
    Conflict,
    InvalidRequest,
    JobNotFound,
    NotFound,
    ProtocolError,
    ServiceError,
    ServiceUnavailable,
    Unauthorized,
)
from airflow_provider_benchmarks.inert import indented
from airflow_provider_benchmarks.masking import masked_content

#: What sending a request and reading its answer may raise: anything. Not all errors of the system and of the libraries
#: below become httpx's own: a redirect to port 99999 is an OverflowError, and an ExceptionGroup in asyncio.
FAULTS = (Exception,)
#: What httpx says of a redirect to what is no URL.
_NOWHERE = "in location header"
_UNKNOWN_AUTHORITY = (
    "Set the connection's extra \"verify\" to the path of the CA that signed the server's certificate. If it is set, "
    "the file needs the root, and what is between it and the server's, unless the server sends that."
)
#: What is wrong with a certificate, in OpenSSL's words, and what to do. Other faults are of its form.
_CERTIFICATE_ADVICE = {
    # First, as the name of a host stands in its text.
    "mismatch": "Set the connection's host to a name that the server's certificate is for.",
    "expired": "Have the certificate of the server, or of its CA, renewed, and check the clock of this machine.",
    "not yet valid": "Check the clock of this machine, and the certificates of the server and its CA.",
    "signature failure": _UNKNOWN_AUTHORITY,
    "self-signed": _UNKNOWN_AUTHORITY,
    "self signed": _UNKNOWN_AUTHORITY,
    "issuer": _UNKNOWN_AUTHORITY,
}
#: Of what the service asks to wait; more is as good as for ever.
_LONGEST_RETRY_AFTER_SECONDS = 365 * 86_400.0
_TRANSIENT = frozenset({408, 421, 423, 425, 429, 502, 503, 504})


def error_of_answer(
    request: Request, status: int, headers: httpx.Headers, content: bytes, generation: Generation
) -> ServiceError:
    """Make the error for an answer that is not a success."""
    detail = generation.detail_of(masked_content(content))  # before it is cut, which may cut a secret in two
    if status == 404:
        kind, advice = _missing(request, content, detail, generation)
    elif _is_refused_on_the_way(status, content):
        kind = ProtocolError
        advice = (
            "That is not how the service refuses, but something before it: a gateway, perhaps for a moment. Where it "
            "stays so, check the connection's host, and the token and headers that the gateway takes."
        )
    else:
        kind, advice = _kind_and_advice(request, status, headers, generation)
    said = f': "{indented(detail)}"' if detail else ""
    return kind(
        f"{request.method} {request.path} answered {status}{said} ({request.subject}). {advice}",
        status_code=status,
        detail=detail,
        method=request.method,
        path=request.path,
        workspace=request.workspace,
        job=request.job,
        retry_after=retry_after(headers),
        should_retry=should_retry(headers),
    )


def error_of_request(request: Request, error: Exception, base_url: str) -> ServiceError:
    """Make the error for a request that got no (complete) answer.

    :param error: one of ``FAULTS``
    """
    kind: type[ServiceError] = ServiceUnavailable
    advice = "Check that the service runs and that the connection's host is right."
    advice += _other_scheme(error, base_url)
    said = indented(_words(error))
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        kind = InvalidRequest
        advice = _certificate_advice(str(error))
    elif isinstance(error, httpx.PoolTimeout):
        said = f"all {MAX_CONNECTIONS} connections of this client were in use"
        advice = "Send fewer requests at a time through one client, and close the downloads that are not read on."
    elif is_total_over(error):
        said = str(error)
        advice = "The service is slow or gone."
    elif isinstance(error, httpx.TimeoutException):
        advice = 'The service is slow or gone; the connection\'s extra "timeout" says how long to wait.'
    elif isinstance(error, httpx.LocalProtocolError):
        kind = InvalidRequest
        said = type(error).__name__  # its text may show the value of a header, which may be a secret
        advice = "The request is not valid HTTP: check the connection's token and further headers."
    elif isinstance(error, httpx.UnsupportedProtocol | UnicodeError):  # the latter of a host that can be none
        kind = InvalidRequest
    elif not isinstance(error, httpx.TransportError | OSError) or _NOWHERE in str(error):
        kind = ProtocolError  # of a redirect to where nothing can be, or a body that can't be decoded
        advice = "Check that the connection's host is the service itself, and not a login page or a proxy."
    return kind(
        f"{request.method} {request.path} got no answer from {base_url} ({request.subject}): {said}. {advice}",
        method=request.method,
        path=request.path,
        workspace=request.workspace,
        job=request.job,
    )


def _words(error: BaseException) -> str:
    """Name an error, and say what it says; of several at once the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {indented(shortened(str(error)))}"


def _other_scheme(error: Exception, base_url: str) -> str:
    """What to try where the address may speak HTTP and is asked for TLS, or the other way round."""
    if base_url.startswith("https:"):
        text = str(error).upper().replace(" ", "_")
        is_plain = "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER_FAILURE" in text
        return " What answers there is not TLS: try http:// in the connection's host." if is_plain else ""
    is_closed = isinstance(error, httpx.ReadError | httpx.RemoteProtocolError | ConnectionResetError)
    return " Where the address speaks TLS, it takes https:// in the connection's host." if is_closed else ""


def _certificate_advice(text: str) -> str:
    """What to do about a certificate that is not accepted."""
    found = (advice for words, advice in _CERTIFICATE_ADVICE.items() if words in text.lower())
    return next(found, "Have the certificate issued anew: it lacks what RFC 5280, and Python from 3.13 on, ask for.")


def protocol_error(request: Request, status: int, reason: str) -> ProtocolError:
    """Make the error for a success whose body can't be understood."""
    return ProtocolError(
        f"{request.method} {request.path} answered {status}, but not as the service does ({request.subject}): "
        f"{indented(reason)}. Check that the connection's host is the evaluation service itself and not a login page "
        f"or a proxy.",
        status_code=status,
        method=request.method,
        path=request.path,
        workspace=request.workspace,
        job=request.job,
    )


def client_closed(request: Request) -> ServiceError:
    """Make the error for a request through a client that was closed."""
    return ServiceError(
        f"{request.method} {request.path} was not sent ({request.subject}): this client is closed. Make a new one, or "
        f"send requests within its with block.",
        method=request.method,
        path=request.path,
        workspace=request.workspace,
        job=request.job,
    )


def too_large(request: Request, status: int, limit: int) -> ProtocolError:
    """Make the error for an answer that is larger than we read."""
    return protocol_error(request, status, f"the answer is larger than {limit // 1024**2} MiB")


def retry_after(headers: httpx.Headers) -> float | None:
    """Seconds that the service asks to wait: Retry-After as a number or as an HTTP date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            seconds = (moment - datetime.now(UTC)).total_seconds()
        except Exception:  # noqa: BLE001  the parser fails in several ways, and no date is no reason to fail
            return None
    return None if math.isnan(seconds) else min(max(0.0, seconds), _LONGEST_RETRY_AFTER_SECONDS)


def should_retry(headers: httpx.Headers) -> bool | None:
    """What the service says about another try, as its own clients understand it; None where it says nothing."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def _is_refused_on_the_way(status: int, content: bytes) -> bool:
    """True for a refusal in a page or a plain text: those of the service itself, and of most gateways, are JSON.

    That of a token is definite, whoever refuses it, and a transient one is none. An empty body tells nothing.
    """
    if not 400 <= status < 500 or status == 401 or status in _TRANSIENT:
        return False
    if content.lstrip()[:1] in (b"", b"{"):  # the end of a long one is cut off
        return False
    try:
        return not isinstance(parse_answer(content), dict)
    except ValueError:
        return True


def is_unreachable(error: ServiceError, base_url: str) -> bool:
    """True if no connection to the address itself could be made; one to where it redirects to is another matter."""
    fault = error.__cause__
    if not isinstance(fault, httpx.ConnectError | httpx.ConnectTimeout) or is_total_over(fault):
        return False
    try:
        tried, address = fault.request.url, httpx.URL(base_url)
    except RuntimeError:  # it was not said which request it was
        return True
    return (tried.host, tried.port) == (address.host, address.port)


def is_unknown_path(error: ServiceError) -> bool:
    """True if the service does not know the path itself; what it does not find there is a ``NotFound``."""
    return isinstance(error, ProtocolError) and error.status_code == 404


def _kind_and_advice(
    request: Request, status: int, headers: httpx.Headers, generation: Generation
) -> tuple[type[ServiceError], str]:
    if status in _TRANSIENT:
        return ServiceUnavailable, "The service is busy or restarting; it is worth another try later."
    if status == 401:
        return Unauthorized, (
            "Set a valid API token as the connection's password, or none where the service asks for none."
        )
    if status == 403:
        return Unauthorized, (
            "The token has no role or scope for this in the workspace, or there is no such workspace: check the "
            f"workspace's spelling and the token's rights. The scopes are {generation.scopes}."
        )
    if status == 409 and request.method == "DELETE":
        return Conflict, "Cancel the job and wait until it has ended; then delete it."
    if status == 409:
        return Conflict, "Choose another job name, or mend what the message names."
    if 300 <= status < 400:
        place = indented(shortened(headers.get("location", "another address")))
        return InvalidRequest, f"The service sends requests on to {place}: set that as the connection's host."
    if status >= 500:
        other = f" It also fails so where {generation.fails_where}." if request.job else ""
        return ProtocolError, f"The service failed inside; its own log has the reason.{other}"
    return InvalidRequest, "Change what the message names in the task's arguments or the connection."


def _missing(request: Request, content: bytes, detail: str, generation: Generation) -> tuple[type[ServiceError], str]:
    if generation.is_unknown_path(content):
        return ProtocolError, (
            "This address knows no benchmark jobs: check the connection's host (with the prefix of a gateway, without "
            f'"/apis"), and that the service is {generation.description}.'
        )
    is_job = bool(request.job) and generation.is_missing_job(detail, job=request.job, workspace=request.workspace)
    kind = JobNotFound if is_job else NotFound
    if request.result and not is_job and not generation.is_missing_workspace(detail):
        return kind, "A job has results only when it has evaluated something: look at its status and log."
    return kind, "Check the name and the workspace; the service says the same for a workspace that does not exist."
