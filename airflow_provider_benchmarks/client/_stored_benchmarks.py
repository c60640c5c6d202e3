"""Store a benchmark with its metrics in the service, where they are missing, and compare what is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_benchmarks.benchmarks import Benchmark
from airflow_provider_benchmarks.client._errors import protocol_error
from airflow_provider_benchmarks.client._requests import Operation, Request
from airflow_provider_benchmarks.client._response_body import parse_answer
from airflow_provider_benchmarks.client.generations.stored_benchmarks import StoredBenchmarks
from airflow_provider_benchmarks.exceptions import ConfigurationError, Conflict, NotFound, Unauthorized

MakeRequest = Callable[..., Request]


def store_benchmark(benchmark: Benchmark, stored: StoredBenchmarks, request: MakeRequest) -> Operation[None]:
    """Make sure that the service has a benchmark as it is here.

    Nothing that is there is ever changed: jobs of others may refer to it.

    :param stored: how the service stores it
    :param request: makes a request
    :raises ConfigurationError: the service has another benchmark or metric of the name; says what differs
    :raises Unauthorized: it is missing, and the token may not store it
    """
    for reference, metric in benchmark.bodies.items():
        path = stored.metric_path(reference)
        post = request(method="POST", path=path, json=stored.metric_body(metric), workspace=reference.partition("/")[0])
        own = yield from _find_or_make(f"metric {reference}", path, post, request)
        _require_same(f"metric {reference}", stored.metric_differences(metric, own))
    what, path = f"benchmark {benchmark.name}", stored.benchmark_path(benchmark.name)
    found = yield from _find(path, benchmark.workspace, request)
    if found is None:
        if benchmark.rows is not None:
            yield from _store_rows(benchmark, stored, request)
        post = request(
            method="POST",
            path=stored.benchmarks_path(benchmark.workspace),
            json=stored.benchmark_body(benchmark),
            workspace=benchmark.workspace,
        )
        found = yield from _make(what, path, post, request)
    _require_same(what, stored.benchmark_differences(benchmark, found))


def _store_rows(benchmark: Benchmark, stored: StoredBenchmarks, request: MakeRequest) -> Operation[None]:
    """Store the rows as a fileset. It is named after them, so that storing it again changes nothing."""
    workspace = benchmark.workspace
    fileset = {"name": stored.rows_fileset(benchmark)}
    try:
        yield request(method="POST", path=stored.filesets_path(workspace), json=fileset, workspace=workspace)
    except Conflict:  # it is there; its file may not be, if the try that has made it was interrupted
        pass
    except Unauthorized as error:
        raise _not_allowed(f"dataset of benchmark {benchmark.name}", error) from error
    yield request(
        method="PUT",
        path=stored.rows_path(benchmark),
        content=stored.rows_content(benchmark),
        headers={"Content-Type": "application/octet-stream"},
        workspace=workspace,
    )


def _find_or_make(what: str, path: str, post: Request, request: MakeRequest) -> Operation[Mapping[str, Any]]:
    found = yield from _find(path, post.workspace, request)
    return found if found is not None else (yield from _make(what, path, post, request))


def _make(what: str, path: str, post: Request, request: MakeRequest) -> Operation[Mapping[str, Any]]:
    """Store it, unless another task has done so since."""
    try:
        answer = yield post
    except Conflict:
        found = yield from _find(path, post.workspace, request)
        if found is None:
            raise
        return found
    except Unauthorized as error:
        raise _not_allowed(what, error) from error
    return _read(post, answer.status, answer.content)


def _find(path: str, workspace: str, request: MakeRequest) -> Operation[Mapping[str, Any] | None]:
    get = request(method="GET", path=path, workspace=workspace)
    try:
        answer = yield get
    except NotFound:
        return None
    return _read(get, answer.status, answer.content)


def _read(request: Request, status: int, content: bytes) -> Mapping[str, Any]:
    try:
        found = parse_answer(content)
    except ValueError as error:
        raise protocol_error(request, status, str(error)) from error
    if not isinstance(found, dict):
        raise protocol_error(request, status, "expected an object")
    return found


def _require_same(what: str, differing: str) -> None:
    if differing:
        raise ConfigurationError(
            f"{what} is stored in the service as something else: {differing}. Nothing that is stored is changed, since "
            f"other jobs refer to it: write it as it is stored, or give it another name"
        )


def _not_allowed(what: str, error: Unauthorized) -> Unauthorized:
    return error.reworded(
        f"the service does not have the {what} yet, and the token may not store it: store it with one that may, once. "
        f"{error}"
    )
