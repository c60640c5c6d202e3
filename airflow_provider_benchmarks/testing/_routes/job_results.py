"""Routes of the results of jobs: the list, each result, and the downloads."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from email.utils import formatdate
from typing import Any

from airflow_provider_benchmarks.testing._http.bodies import batched
from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import UNEXPECTED_ERROR, HttpError, Response, json_response
from airflow_provider_benchmarks.testing._http.router import Route
from airflow_provider_benchmarks.testing._jobs.result_files import pack_folder
from airflow_provider_benchmarks.testing._jobs.result_schemas import serialize_aggregate, serialize_rows
from airflow_provider_benchmarks.testing._routes.context import Context
from airflow_provider_benchmarks.testing._routes.filesets import file_slice
from airflow_provider_benchmarks.testing._routes.jobs import find_job
from airflow_provider_benchmarks.testing._state.fileset import StoredFile
from airflow_provider_benchmarks.testing._state.job import Job, JobResult

#: Larger row scores are sent as stored: serializing gigabytes again, as the real service does, takes minutes.
_MAX_SERIALIZED_BYTES = 64 * 1024 * 1024


def show_result(job: Job, result: JobResult, *, download_url: str | None) -> dict[str, Any]:
    return {
        "name": result.name,
        "job": job.id,
        "workspace": job.workspace,
        "project": None,
        "created_at": result.created_at,
        "updated_at": result.created_at,
        "artifact_url": result.artifact_url,
        "artifact_storage_type": "fileset",
        "download_url": download_url,
    }


def find_result(context: Context, workspace: str, name: str, result: str) -> tuple[Job, JobResult]:
    """Find a job and its result.

    :raises HttpError: 404, with the same message if the job does not exist
    """
    job = context.state.job(workspace, name)
    if job is not None:
        context.controllers.refresh(job)
    if job is None or result not in job.results:
        named = f"Result '{result}' for job '{name}' not found in workspace '{workspace}'."
        raise HttpError(404, named if context.state.release.evaluates_bundles else "Job result not found")
    return job, job.results[result]


def newest_first(job: Job) -> Iterable[JobResult]:
    return reversed(job.results.values())


def list_results(context: Context, request: Request, workspace: str, name: str) -> Response:
    job = find_job(context, workspace, name)
    url = request.url
    results = [show_result(job, result, download_url=f"{url}/{result.name}/download") for result in newest_first(job)]
    return json_response({"data": results})


def get_result(context: Context, request: Request, workspace: str, name: str, result: str) -> Response:
    job, found = find_result(context, workspace, name, result)
    return json_response(show_result(job, found, download_url=f"{request.url}/download"))


def stored_result(context: Context, result: JobResult) -> StoredFile:
    stored = context.state.stored_file(result.artifact_url)
    if stored is None:
        raise HttpError(500, UNEXPECTED_ERROR)  # the result is listed, its file is deleted
    return stored


def download_aggregate_scores(context: Context, request: Request, workspace: str, name: str) -> Response:
    _, result = find_result(context, workspace, name, "aggregate-scores")
    try:
        payload = serialize_aggregate(stored_result(context, result).read())
    except ValueError:
        raise HttpError(500, UNEXPECTED_ERROR) from None
    return json_response(payload)


def download_row_scores(context: Context, request: Request, workspace: str, name: str) -> Response:
    _, result = find_result(context, workspace, name, "row-scores")
    stored = stored_result(context, result)
    body = file_slice(stored) if stored.size > _MAX_SERIALIZED_BYTES else batched(serialize_rows(stored))
    return Response(body=body, content_type="application/jsonl", chunked=True)


def download_result(context: Context, request: Request, workspace: str, name: str, result: str) -> Response:
    _, found = find_result(context, workspace, name, result)
    return send_result(context, request, found, filename=found.artifact_url.rpartition("/")[2])


def result_routes(jobs: str) -> list[Route]:
    """Return the routes of results that are the same in all releases.

    :param jobs: path of the list of jobs
    """
    results = jobs + "/{name}/results"
    return [
        Route.at("GET", results, list_results),
        Route.at("GET", results + "/{result}", get_result),
        Route.at("GET", results + "/{result}/download", download_result),
    ]


def benchmark_result_routes(jobs: str) -> list[Route]:
    """Return the routes of 0.1, which validates scores before it returns them.

    :param jobs: path of the list of jobs
    """
    return [
        Route.at("GET", jobs + "/{name}/results/aggregate-scores/download", download_aggregate_scores),
        Route.at("GET", jobs + "/{name}/results/row-scores/download", download_row_scores),
        *result_routes(jobs),
    ]


def send_result(context: Context, request: Request, result: JobResult, *, filename: str) -> Response:
    """Return a result's file as stored; a folder is packed as a tarball at each request."""
    if context.state.stored_file(result.artifact_url) is None:
        packed = pack_folder(context.state, result.artifact_url)
        if packed is not None:
            return _as_attachment(request, StoredFile(packed), f"{filename}.tar.gz", "application/x-tar")
    stored = stored_result(context, result)
    bundles = context.state.release.evaluates_bundles
    return _as_attachment(
        request, stored, filename, "application/octet-stream" if bundles else "text/plain; charset=utf-8"
    )


def _as_attachment(request: Request, stored: StoredFile, filename: str, content_type: str) -> Response:
    headers = {
        "accept-ranges": "bytes",
        "content-disposition": f'attachment; filename="{filename}"',
        "last-modified": formatdate(usegmt=True),
        # The service copies the file at each request: the tag changes, the content does not.
        "etag": f'"{uuid.uuid4().hex}"',
    }
    requested = request.headers.get("range")
    if not requested:
        return Response(body=file_slice(stored), content_type=content_type, headers=headers)
    bounds = _parse_range(requested, stored.size)
    if isinstance(bounds, Response):
        return bounds
    first, last = bounds
    headers["content-range"] = f"bytes {first}-{last}/{stored.size}"
    return Response(status=206, body=file_slice(stored, first, last), content_type=content_type, headers=headers)


def _parse_range(requested: str, size: int) -> tuple[int, int] | Response:
    """Parse a range as this route does. Unlike the files service, it cuts an end behind the last byte."""
    unit, _, bounds = requested.partition("=")
    start, dash, end = bounds.partition(",")[0].strip().partition("-")
    if unit.strip() != "bytes" or not dash or not (start + end).isdigit():
        return _text_error(400, "Malformed range header.")
    if not start:
        return max(0, size - int(end)), size - 1
    first, last = int(start), min(int(end), size - 1) if end else size - 1
    if first >= size:
        return Response(416, content_type="text/plain; charset=utf-8", headers={"content-range": f"*/{size}"})
    if first > last:
        return _text_error(400, "Range header: start must be less than end")
    return first, last


def _text_error(status: int, text: str) -> Response:
    return Response(status, body=text.encode(), content_type="text/plain; charset=utf-8")
