"""Look-ups of names and attempts to connect, of hosts whose name or first address does not answer."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack

import httpx
import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.client._addresses import addresses_of
from airflow_provider_benchmarks.exceptions import ServiceUnavailable
from tests.support.raw_server import RawServer, send_json


def config(host: str, port: int, **fields) -> ClientConfig:
    return ClientConfig(
        base_url=f"http://{host}:{port}", trust_env=False, api="benchmark-jobs", retry_seconds=0, timeout=20, **fields
    )


def test_addresses_are_looked_up_once_and_in_order(monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("10.0.0.2", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [*found, found[0]])
    assert addresses_of("host.invalid", 80, 1.0) == ["10.0.0.2", "10.0.0.1"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "fe80::1%1"])
def test_an_address_is_not_looked_up(monkeypatch, address):
    monkeypatch.delattr(socket, "getaddrinfo")
    assert addresses_of(address, 80, 1.0) == [address]


@pytest.mark.parametrize("limit", [None, 0.3])
def test_a_look_up_that_does_not_end_is_left(monkeypatch, limit):
    """No look-up can be made to hang on every machine."""
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: ended.wait(60) and [])
    try:
        with BenchmarkClient(ClientConfig(base_url="http://host.invalid", timeout=0.5, retry_seconds=0)) as client:
            expected = "the whole answer was not there after 0.3 s" if limit else "host.invalid was not looked up after"
            with pytest.raises(ServiceUnavailable, match=expected):
                client.get_status("job-1", time_limit=limit)
        assert not ended.is_set()
    finally:
        ended.set()


def test_a_name_that_is_not_there_is_said_to_be_so(monkeypatch):
    def missing(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", missing)
    with BenchmarkClient(config("host.invalid", 80)) as client:
        with pytest.raises(ServiceUnavailable, match="ConnectError: .*Name or service not known") as caught:
            client.get_status("job-1")
    assert isinstance(caught.value.__cause__, httpx.ConnectError)


def test_an_address_that_does_not_answer_leaves_time_for_the_next(monkeypatch):
    with (
        RawServer(lambda _, send: send_json(send, {"name": "job-1", "status": "active"})) as server,
        ExitStack() as stack,
    ):
        port = int(server.url.rpartition(":")[2])
        silent = stack.enter_context(socket.socket())
        silent.bind(("127.0.0.2", port))
        silent.listen(0)
        for _ in range(3):  # its queue is full: whoever else connects gets no answer
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.2", port))
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.0.0.2", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with BenchmarkClient(config("host.invalid", port)) as client:
            assert client.get_status("job-1", time_limit=6).status == "active"
