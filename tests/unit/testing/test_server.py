"""Connections, and what the service remembers of requests."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.testing import EvaluationService, Fault
from tests.unit.testing.conftest import JOBS, PATIENCE


def talk(service, *requests: bytes) -> socket.socket:
    url = urlsplit(service.url)
    connection = socket.create_connection((url.hostname, url.port), timeout=PATIENCE)
    for request in requests:
        connection.sendall(request)
    return connection


def until_closed(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(65_536):
        received += piece
    return received


def test_requests_are_remembered(service, connect):
    service.clear_requests()
    http = connect(service, limits=httpx.Limits())
    http.get(JOBS, params={"filter[status]": "active", "page": 2}, headers={"X-Trace": "t1"})
    http.submit("job")
    listed, submitted = service.requests
    assert (listed.method, listed.path) == ("GET", JOBS)
    assert listed.query == {"filter[status]": ["active"], "page": ["2"]}
    assert listed.headers["x-trace"] == "t1"
    assert listed.connection == submitted.connection
    assert submitted.at >= listed.at
    assert b'"job"' in submitted.body
    service.clear_requests()
    assert service.requests == []


def test_connections_are_counted(service, connect):
    before = service.connections
    with_keep_alive, other = connect(service, limits=httpx.Limits()), connect(service)
    for _ in range(3):
        with_keep_alive.get("/status")
    other.get("/status")
    assert service.connections == before + 2


def test_idle_connections_are_closed(connect):
    with EvaluationService(idle_timeout=5.0) as service:
        connection = talk(service, b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert until_closed(connection).endswith(b'{"status":"live"}')
        connection.close()


def test_after_an_error_inside_the_service_the_connection_is_closed_unannounced(service):
    path = f'{JOBS}?filter={{"$or":[]}}'.replace('"', "%22")
    connection = talk(service, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = until_closed(connection)
    connection.close()
    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error")
    assert b"connection:" not in answer.lower()


def test_a_client_can_ask_to_close(service):
    connection = talk(service, b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"connection: close" in until_closed(connection)
    connection.close()


def test_requests_that_are_no_http_do_no_harm(service, http):
    connection = talk(service, b"\x00\x01 nonsense\r\n\r\n")
    assert b"400" in until_closed(connection)
    connection.close()
    halfway = talk(service, b"POST / HTTP/1.1\r\nContent-Length: 5000000\r\n\r\nabc")
    halfway.close()
    assert http.get("/health/live").status_code == 200


def test_many_at_once(service):
    def one(number: int) -> int:
        with httpx.Client(base_url=service.url, trust_env=False, verify=False, timeout=PATIENCE) as client:
            body = {"name": f"job-{number % 20}", "spec": {"benchmark": "my-workspace/qa-bench"}}
            return client.post(JOBS, json=body).status_code

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(one, range(60)))
    assert sorted(answers) == [201] * 20 + [409] * 40


def test_a_service_starts_and_stops_once():
    service = EvaluationService()
    with pytest.raises(RuntimeError, match="has not been started"):
        service.url  # noqa: B018
    with service:
        url = service.url
        assert httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200
        with pytest.raises(RuntimeError, match="started already"):
            service.start()
        with pytest.raises(OSError, match="in use"):
            EvaluationService(port=urlsplit(url).port or 0).start()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health/ready", trust_env=False)
    service.stop()


def test_stopping_closes_connections_and_deletes_what_was_uploaded(service, http):
    http.put("/apis/files/v2/workspaces/my-workspace/filesets/qa/-/large", content=b"x" * 2_000_000)
    folder = service._state.folder
    assert list(folder.iterdir())
    service.stop()
    assert not folder.exists()
    with pytest.raises(httpx.TransportError):
        http.get("/health/ready")


def test_stopping_leaves_no_thread(connect):
    before = set(threading.enumerate())
    with EvaluationService() as service:
        connect(service, limits=httpx.Limits()).get("/health/ready")  # its connection stays open
        open_connection = talk(service)
        service.inject(Fault.delay(PATIENCE * 10))
        slow = talk(service, b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
    assert set(threading.enumerate()) <= before
    open_connection.close()
    slow.close()


def test_without_jinja2_the_message_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ConfigurationError, match=re.escape("install airflow-provider-benchmarks[testing]")):
        EvaluationService()


def test_it_needs_no_airflow_and_no_numpy():
    code = (
        "import sys\nsys.modules['airflow'] = sys.modules['numpy'] = sys.modules['pytest'] = None\n"
        "from airflow_provider_benchmarks.testing import EvaluationService\n"
        "with EvaluationService() as service: print(service.seed_question_answer_example())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "my-workspace/qa-bench"
