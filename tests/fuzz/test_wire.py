"""Answers whose very bytes are odd, over real sockets, to both clients."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given

from airflow_provider_benchmarks.client import AsyncBenchmarkClient, BenchmarkClient
from airflow_provider_benchmarks.client._choice import forget_choices
from airflow_provider_benchmarks.exceptions import BenchmarkError
from tests.fuzz.budget import examples
from tests.fuzz.pauses import no_pauses
from tests.fuzz.right_service import right_answer
from tests.fuzz.right_values import check_error
from tests.fuzz.test_client_verbs import APIS, ASYNCHRONOUS, FIRST, TIMES, VERBS, config_of
from tests.fuzz.wire import ODD_BYTES, OddBytes, OddServer

#: Seconds for a piece of an answer. What never comes is another test's.
TIMEOUT = 5.0


class Answers:
    """Right answers but for some requests."""

    def __init__(self, api: str, odd: OddBytes, first: int, times: int) -> None:
        self._api, self._odd = api, odd
        self._odd_requests = range(first, first + times)
        self._requests = 0

    def __call__(self, method: str, target: str, content: bytes) -> bytes:
        path, _, _ = target.partition("?")
        number, self._requests = self._requests, self._requests + 1
        odd = self._odd if number in self._odd_requests else OddBytes()
        return odd.of(right_answer(self._api, method, path, content))


@pytest.fixture(scope="module")
def server() -> Iterator[OddServer]:
    with OddServer(lambda *_: b"") as server:
        yield server


@pytest.mark.parametrize("verb", VERBS)
@examples(6)
@given(odd=ODD_BYTES, api=APIS, first=FIRST, times=TIMES)
def test_a_verb(server, verb, odd, api, first, times):
    forget_choices()
    server.answer = Answers(api, odd, first, times)
    config = config_of(api, base_url=server.url, timeout=TIMEOUT)
    with BenchmarkClient(config) as client, no_pauses():
        try:
            VERBS[verb](client)
        except BenchmarkError as error:
            check_error(error)


@pytest.mark.parametrize("verb", ASYNCHRONOUS)
@examples(15)
@given(odd=ODD_BYTES, api=APIS, first=FIRST, times=TIMES)
def test_an_asynchronous_verb(server, verb, odd, api, first, times):
    async def call() -> None:
        async with AsyncBenchmarkClient(config_of(api, base_url=server.url, timeout=TIMEOUT)) as client:
            try:
                await ASYNCHRONOUS[verb](client)
            except BenchmarkError as error:
                check_error(error)

    forget_choices()
    server.answer = Answers(api, odd, first, times)
    asyncio.run(call())
