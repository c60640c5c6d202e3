"""How the synchronous client sends the requests of a conversation."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Self, TypeVar

import httpx
from tenacity import Retrying

from airflow_provider_benchmarks.client._choice import Conversation, choose, choose_again, converse, naming_api
from airflow_provider_benchmarks.client._config import ClientConfig
from airflow_provider_benchmarks.client._errors import (
    FAULTS,
    client_closed,
    error_of_answer,
    error_of_request,
    too_large,
)
from airflow_provider_benchmarks.client._headers import strip_secrets
from airflow_provider_benchmarks.client._questions import ask_once
from airflow_provider_benchmarks.client._redirects import send
from airflow_provider_benchmarks.client._reentrant_pool import allow_reentry
from airflow_provider_benchmarks.client._requests import SETTLED, Answer, Operation, Question, Request
from airflow_provider_benchmarks.client._response_body import (
    MAX_ANSWER_BYTES,
    closed_on_error,
    read_whole,
)
from airflow_provider_benchmarks.client._retry import retry_arguments
from airflow_provider_benchmarks.client._targets import require_possible
from airflow_provider_benchmarks.client._time_limits import keep_time_limits, time_left, time_limit
from airflow_provider_benchmarks.client.generations import Generation
from airflow_provider_benchmarks.exceptions import BenchmarkError, ServiceError
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.safe_causes import safe_cause

T = TypeVar("T")


class SyncRequests:
    """Send requests with retries and time limits; a context manager that ends its connections.

    :param transport: sends the requests in place of the network
    """

    def __init__(self, config: ClientConfig, transport: httpx.BaseTransport | None = None) -> None:
        self.config = config
        hooks = {"request": [self._guard_secrets]}
        self._http = httpx.Client(**config.transport_options(), transport=transport, event_hooks=hooks)
        keep_time_limits(self._http)
        allow_reentry(self._http)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def within(self, seconds: float | None) -> AbstractContextManager[None]:
        """Limit the time of all requests in a block, with their retries; those of downloads until they begin.

        :param seconds: in all; None for no limit
        """
        return nullcontext() if seconds is None else time_limit(seconds, is_total=True)

    def _guard_secrets(self, request: httpx.Request) -> None:
        require_possible(request)
        strip_secrets(self.config, request)

    def _run(self, conversation: Conversation[T], *, time_limit: float | None = None) -> T:
        return self._drive(converse(self.config, conversation, time_limit=time_limit))

    def _run_for(self, name: str, workspace: str, opened: Callable[[Generation], T]) -> T:
        """Do something for a job with the service's own generation; once more where it has another one meanwhile."""
        conversation: Conversation[BenchmarkJob] = lambda service: service.get(name, workspace=workspace)
        with naming_api(self.config):
            generation = self._drive(choose(self.config, conversation))
            try:
                return opened(generation)
            except ServiceError as error:
                generation = self._drive(choose_again(self.config, error, generation, conversation))
            return opened(generation)

    def _drive(self, operation: Operation[T]) -> T:
        try:
            request = next(operation)
            while True:
                try:
                    answer = self._settle(request) if isinstance(request, Question) else self._complete(request)
                except ServiceError as error:
                    request = operation.throw(error)
                else:
                    request = operation.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result

    def _settle(self, question: Question) -> Answer:
        ask_once(question, self._drive)
        return SETTLED

    def _complete(self, request: Request) -> Answer:
        if request.delay:
            time.sleep(request.delay)
        if not request.retry:
            return self._complete_once(request)
        answer: Answer = Retrying(**retry_arguments(self._retry_seconds()))(self._complete_once, request)
        return answer

    def _retry_seconds(self) -> float:
        return min(self.config.retry_seconds, time_left())

    def _complete_once(self, request: Request) -> Answer:
        with time_limit(self.config.time_limit(request)):
            response = self._send(request)
            try:
                body = read_whole(response)
            except FAULTS as fault:
                raise error_of_request(request, fault, self.config.base_url) from safe_cause(fault)
        if body.is_cut:
            raise too_large(request, response.status_code, MAX_ANSWER_BYTES)
        return Answer(response.status_code, response.headers, body.content())

    def _open(self, request: Request) -> httpx.Response:
        """Send a request for a download, whose answer may take any time once it has begun."""

        def send() -> httpx.Response:
            with time_limit(self.config.time_limit(request)):
                return self._send(request)

        opened: httpx.Response = Retrying(**retry_arguments(self._retry_seconds()))(send)
        return opened

    def _send(self, request: Request) -> httpx.Response:
        """Send, and return the response with its body unread; an error status raises."""
        if self._http.is_closed:
            raise client_closed(request)
        try:
            built = self._http.build_request(**self.config.request_arguments(request))
            response = send(self._http, built, follows=request.method == "GET")
            with closed_on_error(response):
                if response.status_code >= 300:
                    content = read_whole(response).content()
                    raise error_of_answer(request, response.status_code, response.headers, content, request.generation)
        except BenchmarkError:
            raise
        except FAULTS as fault:
            raise error_of_request(request, fault, self.config.base_url) from safe_cause(fault)
        return response
