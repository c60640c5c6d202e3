"""Routes of benchmark job results: the list, each result, and the downloads."""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.testing.messages import (
    UNEXPECTED,
    HttpError,
    Request,
    Response,
    json_response,
)
from airflow_provider_benchmarks.testing.routes_files import part
from airflow_provider_benchmarks.testing.routes_jobs import find_job
from airflow_provider_benchmarks.testing.routing import Route, route
from airflow_provider_benchmarks.testing.shapes import present_aggregate, present_rows
from airflow_provider_benchmarks.testing.state import Job, JobResult, StoredFile, new_id
from airflow_provider_benchmarks.testing.wire import batched
from airflow_provider_benchmarks.testing.worker import pack_folder

if TYPE_CHECKING:
    from airflow_provider_benchmarks.testing.app import Application

ROUTES: list[Route] = []
_RESULTS = "/apis/evaluation/v2/workspaces/{workspace}/benchmark-jobs/{name}/results"
#: Above this, row scores go out as they are stored: writing gigabytes anew, as the real service does, takes minutes.
_RAW_ABOVE = 64 * 1024 * 1024


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


def find_result(app: Application, workspace: str, name: str, result: str) -> tuple[Job, JobResult]:
    """Find a job's result.

    :raises HttpError: 404, in the same words where the job is missing
    """
    job = app.state.job(workspace, name)
    if job is not None:
        app.controllers.refresh(job)
    if job is None or result not in job.results:
        raise HttpError(404, "Job result not found")
    return job, job.results[result]


def newest_first(job: Job) -> Iterable[JobResult]:
    return reversed(job.results.values())


@route(ROUTES, "GET", _RESULTS)
def list_results(app: Application, request: Request, workspace: str, name: str) -> Response:
    job = find_job(app, workspace, name)
    url = request.url
    shown = [show_result(job, result, download_url=f"{url}/{result.name}/download") for result in newest_first(job)]
    return json_response({"data": shown})


@route(ROUTES, "GET", _RESULTS + "/{result}")
def get_result(app: Application, request: Request, workspace: str, name: str, result: str) -> Response:
    job, found = find_result(app, workspace, name, result)
    return json_response(show_result(job, found, download_url=f"{request.url}/download"))


def stored_result(app: Application, result: JobResult) -> StoredFile:
    stored = app.state.stored_file(result.artifact_url)
    if stored is None:
        raise HttpError(500, UNEXPECTED)  # the record is there, its file is gone
    return stored


@route(ROUTES, "GET", _RESULTS + "/aggregate-scores/download")
def download_aggregate_scores(app: Application, request: Request, workspace: str, name: str) -> Response:
    _, result = find_result(app, workspace, name, "aggregate-scores")
    try:
        payload = present_aggregate(stored_result(app, result).read())
    except ValueError:
        raise HttpError(500, UNEXPECTED) from None
    return json_response(payload)


@route(ROUTES, "GET", _RESULTS + "/row-scores/download")
def download_row_scores(app: Application, request: Request, workspace: str, name: str) -> Response:
    _, result = find_result(app, workspace, name, "row-scores")
    stored = stored_result(app, result)
    body = part(stored) if stored.size > _RAW_ABOVE else batched(present_rows(stored))
    return Response(body=body, content_type="application/jsonl", chunked=True)


@route(ROUTES, "GET", _RESULTS + "/{result}/download")
def download_result(app: Application, request: Request, workspace: str, name: str, result: str) -> Response:
    _, found = find_result(app, workspace, name, result)
    return send_result(app, request, found, filename=found.artifact_url.rpartition("/")[2])


def send_result(app: Application, request: Request, result: JobResult, *, filename: str) -> Response:
    """Answer with a result's file as it is stored; a folder comes as a tarball, packed anew each time."""
    if app.state.stored_file(result.artifact_url) is None:
        packed = pack_folder(app.state, result.artifact_url)
        if packed is not None:
            return _as_attachment(request, StoredFile(packed), f"{filename}.tar.gz", "application/x-tar")
    stored = stored_result(app, result)
    return _as_attachment(request, stored, filename, "text/plain; charset=utf-8")


def _as_attachment(request: Request, stored: StoredFile, filename: str, content_type: str) -> Response:
    headers = {
        "accept-ranges": "bytes",
        "content-disposition": f'attachment; filename="{filename}"',
        "last-modified": formatdate(usegmt=True),
        # The service copies the file for every request, so that the tag changes though the content does not.
        "etag": f'"{new_id("etag")[5:]}"',
    }
    wanted = request.headers.get("range")
    if not wanted:
        return Response(body=part(stored), content_type=content_type, headers=headers)
    bounds = _parse_range(wanted, stored.size)
    if isinstance(bounds, Response):
        return bounds
    first, last = bounds
    headers["content-range"] = f"bytes {first}-{last}/{stored.size}"
    return Response(status=206, body=part(stored, first, last), content_type=content_type, headers=headers)


def _parse_range(wanted: str, size: int) -> tuple[int, int] | Response:
    """Read a range as this route does, which is not as the files service does: an end too far is cut."""
    unit, _, bounds = wanted.partition("=")
    start, dash, end = bounds.partition(",")[0].strip().partition("-")
    if unit.strip() != "bytes" or not dash or not (start + end).isdigit():
        return _complain(400, "Malformed range header.")
    if not start:
        return max(0, size - int(end)), size - 1
    first, last = int(start), min(int(end), size - 1) if end else size - 1
    if first >= size:
        return Response(416, content_type="text/plain; charset=utf-8", headers={"content-range": f"*/{size}"})
    if first > last:
        return _complain(400, "Range header: start must be less than end")
    return first, last


def _complain(status: int, text: str) -> Response:
    return Response(status, body=text.encode(), content_type="text/plain; charset=utf-8")
