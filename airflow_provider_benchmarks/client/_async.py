"""The asynchronous client: those of the conversations that triggers have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Generic, Self, TypeVar

import httpx
from tenacity import AsyncRetrying

from airflow_provider_benchmarks.client._choice import Conversation, converse
from airflow_provider_benchmarks.client._config import MAX_CONNECTIONS, ClientConfig
from airflow_provider_benchmarks.client._errors import (
    FAULTS,
    client_closed,
    error_of_answer,
    error_of_request,
    too_large,
)
from airflow_provider_benchmarks.client._headers import strip_secrets
from airflow_provider_benchmarks.client._operations import Operations
from airflow_provider_benchmarks.client._paging import Pages
from airflow_provider_benchmarks.client._questions import Questions
from airflow_provider_benchmarks.client._redirects import send_async
from airflow_provider_benchmarks.client._requests import SETTLED, Answer, Operation, Question, Request
from airflow_provider_benchmarks.client._response_body import (
    MAX_ANSWER_BYTES,
    WholeBody,
    read_whole_async,
)
from airflow_provider_benchmarks.client._retry import retry_arguments
from airflow_provider_benchmarks.client._targets import require_possible
from airflow_provider_benchmarks.client._time_limits import overtime
from airflow_provider_benchmarks.exceptions import ServiceError
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.safe_causes import safe_cause
from airflow_provider_benchmarks.scores import AggregateScores

T = TypeVar("T")

#: The JSON of a larger answer is read in a thread: 100 kB and more take milliseconds.
_MAX_BYTES_READ_ON_THE_LOOP = 32 * 1024


@dataclass(frozen=True, slots=True)
class _Done(Generic[T]):
    """The result of an operation, in a form that can leave a thread, as StopIteration can't."""

    result: T


def _send(operation: Operation[T], answer: Answer) -> Request | Question | _Done[T]:
    try:
        return operation.send(answer)
    except StopIteration as done:
        return _Done(done.value)


class AsyncBenchmarkClient:
    """Poll jobs and cancel them without blocking the event loop.

    An asynchronous context manager. Methods mean what they mean in
    :class:`~airflow_provider_benchmarks.client.BenchmarkClient`, which has more.

    :param transport: sends the requests in place of the network, such as ``httpx.MockTransport`` or
        ``httpx.ASGITransport``; proxies and ``config.verify`` have no effect then
    """

    def __init__(self, config: ClientConfig, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.config = config
        hooks = {"request": [self._guard_secrets]}
        # A request that is cancelled while it waits for the pool takes one of the pool's connections with it for good,
        # so none waits there.
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._http = httpx.AsyncClient(**config.transport_options(), transport=transport, event_hooks=hooks)
        self._questions = Questions(self._drive)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._questions.close()
        await self._http.aclose()

    async def get_job(
        self, name: str, *, workspace: str | None = None, time_limit: float | None = None
    ) -> BenchmarkJob:
        return await self._run(
            lambda service: service.get(name, workspace=self._in(workspace), time_limit=time_limit),
            time_limit=time_limit,
        )

    async def get_status(
        self, name: str, *, workspace: str | None = None, time_limit: float | None = None
    ) -> BenchmarkJob:
        return await self._run(
            lambda service: service.get_status(name, workspace=self._in(workspace), time_limit=time_limit),
            time_limit=time_limit,
        )

    async def iter_pages(
        self,
        *,
        status: Sequence[str] = (),
        created_since: datetime | None = None,
        page_size: int | None = None,
        workspace: str | None = None,
        time_limit: float | None = None,
    ) -> AsyncGenerator[tuple[list[BenchmarkJob], int]]:
        """Pages of jobs that were on no page before, newest first, each with the number of pages that are left.

        :param status: status words to choose by; they don't make the pages fewer, ``created_since`` does
        :param time_limit: seconds for each page
        """
        pages = Pages()
        while pages.left:
            jobs, total = await self._run(
                lambda service: service.list_page(
                    pages.next,
                    workspace=self._in(workspace),
                    status=status,
                    created_since=created_since,
                    page_size=page_size,
                    time_limit=time_limit,
                ),
                time_limit=time_limit,
            )
            new = pages.has_read(total, jobs)
            yield new, pages.left

    async def cancel_job(self, name: str, *, workspace: str | None = None) -> BenchmarkJob:
        return await self._run(lambda service: service.cancel(name, workspace=self._in(workspace)))

    async def get_aggregate_scores(self, name: str, *, workspace: str | None = None) -> AggregateScores:
        return await self._run(lambda service: service.aggregate_scores(name, workspace=self._in(workspace)))

    async def check_responds(self, *, time_limit: float) -> None:
        """Request what costs the service next to nothing, the platform's release.

        :param time_limit: seconds for it
        :raises ServiceError: there was no response, or none that says the release
        """
        await self._drive(
            Operations(self.config, self.config.generations[0]).release(retry=False, time_limit=time_limit)
        )

    def _in(self, workspace: str | None) -> str:
        return workspace or self.config.workspace

    async def _guard_secrets(self, request: httpx.Request) -> None:
        require_possible(request)
        strip_secrets(self.config, request)

    async def _run(self, conversation: Conversation[T], *, time_limit: float | None = None) -> T:
        return await self._drive(converse(self.config, conversation, time_limit=time_limit))

    async def _drive(self, operation: Operation[T]) -> T:
        try:
            request = next(operation)
            while True:
                try:
                    coming = self._settle(request) if isinstance(request, Question) else self._complete(request)
                    answer = await coming
                except ServiceError as error:
                    request = operation.throw(error)
                    continue
                if len(answer.content) <= _MAX_BYTES_READ_ON_THE_LOOP:
                    request = operation.send(answer)
                    continue
                following = await asyncio.to_thread(_send, operation, answer)
                if isinstance(following, _Done):
                    return following.result
                request = following
        except StopIteration as done:
            result: T = done.value
            return result

    async def _settle(self, question: Question) -> Answer:
        await self._questions.ask(question)
        return SETTLED

    async def _complete(self, request: Request) -> Answer:
        if request.delay:
            await asyncio.sleep(request.delay)
        if not request.retry:
            return await self._complete_once(request)
        answer: Answer = await AsyncRetrying(sleep=asyncio.sleep, **retry_arguments(self.config.retry_seconds))(
            self._complete_once, request
        )
        return answer

    async def _complete_once(self, request: Request) -> Answer:
        if self._http.is_closed:
            raise client_closed(request)
        limit = self.config.time_limit(request)
        await self._take_slot(request, limit)
        try:
            async with asyncio.timeout(limit):
                response, body = await self._send(request)
        except TimeoutError:
            late = httpx.ReadTimeout(overtime(limit))
            raise error_of_request(request, late, self.config.base_url) from None
        except FAULTS as fault:
            raise error_of_request(request, fault, self.config.base_url) from safe_cause(fault)
        finally:
            self._slots.release()
        if response.status_code >= 300:
            arguments = request, response.status_code, response.headers, body.content(), request.generation
            if len(arguments[3]) <= _MAX_BYTES_READ_ON_THE_LOOP:
                raise error_of_answer(*arguments)
            raise await asyncio.to_thread(error_of_answer, *arguments)
        if body.is_cut:
            raise too_large(request, response.status_code, MAX_ANSWER_BYTES)
        return Answer(response.status_code, response.headers, body.content())

    async def _take_slot(self, request: Request, limit: float) -> None:
        try:
            async with asyncio.timeout(limit):
                await self._slots.acquire()
        except TimeoutError:
            raise error_of_request(request, httpx.PoolTimeout(""), self.config.base_url) from None

    async def _send(self, request: Request) -> tuple[httpx.Response, WholeBody]:
        built = self._http.build_request(**self.config.request_arguments(request))
        response = await send_async(self._http, built, follows=request.method == "GET")
        return response, await read_whole_async(response)
