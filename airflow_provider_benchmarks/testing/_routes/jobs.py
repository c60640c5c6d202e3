"""Routes of evaluation jobs that are the same in all releases: get, list, cancel, delete, logs."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Any

import msgspec

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import UNEXPECTED_ERROR, HttpError, Response, json_response
from airflow_provider_benchmarks.testing._http.router import Handler, Route
from airflow_provider_benchmarks.testing._http.validation import query_choice, query_integer
from airflow_provider_benchmarks.testing._jobs.lifecycle import TERMINAL
from airflow_provider_benchmarks.testing._jobs.spec_validation import without_nulls
from airflow_provider_benchmarks.testing._routes.context import Context
from airflow_provider_benchmarks.testing._routes.listing import Combination, Condition, page_response, parse_filter
from airflow_provider_benchmarks.testing._state.job import Job, Step, Task

_SORTS = ("created_at", "-created_at", "updated_at", "-updated_at")
_FILTERS = ("created_at", "entity_type", "id", "name", "project", "status", "updated_at", "workspace")
#: The largest page of a log that 0.1 returns. Later releases return larger ones.
_MAX_LOG_LINES = 1000
_DEFAULT_LOG_LINES = 100


def job_routes(base: str, submit: Handler) -> list[Route]:
    """Return the routes of the jobs at a path.

    :param base: path of the list of jobs
    :param submit: handler of a new job, which is what releases differ in
    """
    job = base + "/{name}"
    return [
        Route.at("POST", base, submit),
        Route.at("GET", base, list_jobs),
        Route.at("GET", job, get_job),
        Route.at("GET", job + "/status", get_status),
        Route.at("DELETE", job, delete_job),
        Route.at("POST", job + "/cancel", cancel_job),
        Route.at("GET", job + "/logs", get_logs),
    ]


def find_job(context: Context, workspace: str, name: str) -> Job:
    """Find a job and bring it up to date.

    :raises HttpError: 404, also if the workspace does not exist
    """
    job = context.state.job(workspace, name)
    if job is None:
        named = f"Job '{name}' not found in workspace '{workspace}'."
        raise HttpError(404, named if context.state.release.evaluates_bundles else "Job not found")
    context.controllers.refresh(job)
    return job


def status_of(job: Job) -> str:
    return job.pinned_status or job.status


def show_job(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "description": job.description,
        "project": None,
        "workspace": job.workspace,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "spec": job.spec,
        "status": status_of(job),
        "status_details": job.status_details,
        "error_details": job.error_details,
        "ownership": job.ownership,
        "custom_fields": job.custom_fields,
    }


def show_status(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "status": status_of(job),
        "status_details": job.status_details,
        "error_details": job.error_details,
        "steps": [_show_step(step) for step in job.steps],
        "created_at": job.created_at,
        "updated_at": job.updated_at,
    }


def _show_step(step: Step) -> dict[str, Any]:
    return {
        "id": step.id,
        "name": step.name,
        "status": step.status,
        "status_details": step.status_details,
        "error_details": step.error_details,
        "tasks": [_show_task(task) for task in step.tasks],
        "created_at": step.created_at,
        "updated_at": step.updated_at,
    }


def _show_task(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "name": task.name,
        "status": task.status,
        "status_details": task.status_details,
        "error_details": task.error_details,
        "error_stack": task.error_stack,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
    }


def list_jobs(context: Context, request: Request, workspace: str) -> Response:
    page, page_size, sort = _parse_page(context, request)
    release = context.state.release
    fields = sorted([*_FILTERS, "spec"]) if release.filters_by_spec else _FILTERS
    conditions = parse_filter(request, fields, release)
    if workspace not in context.state.workspaces:
        raise HttpError(404, f"Workspace '{workspace}' not found")
    by_status = [condition for condition in conditions if "status" in condition.fields and not _is_null(condition)]
    others = [condition for condition in conditions if condition not in by_status]
    jobs = [
        job
        for job in context.state.jobs.get(workspace, {}).values()
        if job.kind != "metric" and all(condition.holds(partial(_read, job)) for condition in others)
    ]
    jobs.sort(key=lambda job: job.submitted, reverse=sort.startswith("-"))
    start = (page - 1) * page_size
    entries = []
    for job in jobs[start : start + page_size]:
        context.controllers.refresh(job)
        # The service filters by status only now, after paging.
        if all(condition.holds(partial(_read, job)) for condition in by_status):
            entries.append(_show_in_list(job))
    return page_response(entries, total=len(jobs), page=page, page_size=page_size, sort=sort, conditions=conditions)


def _is_null(condition: Condition | Combination) -> bool:
    return isinstance(condition, Condition) and condition.value is None


def _read(job: Job, field: str) -> Any:
    return status_of(job) if field == "status" else getattr(job, field, None)


def _parse_page(context: Context, request: Request) -> tuple[int, int, str]:
    """Return number and size of the page, and the order.

    :raises HttpError: 422; since 0.2 its detail is the text of an error of the jobs service, which checks them
    """
    try:
        return (
            query_integer(request, "page", 1),
            query_integer(request, "page_size", 10, at_most=1000),
            query_choice(request, "sort", _SORTS, default="-created_at", kind="enum"),
        )
    except HttpError as error:
        if not context.state.release.evaluates_bundles:
            raise
        raise HttpError(422, msgspec.json.encode({"detail": error.detail}).decode()) from None


def _show_in_list(job: Job) -> dict[str, Any]:
    fields = {name: value for name, value in show_job(job).items() if value is not None}
    return {**fields, "spec": without_nulls(job.spec)}


def get_job(context: Context, request: Request, workspace: str, name: str) -> Response:
    job = find_job(context, workspace, name)
    if job.kind == "metric":
        detail = (
            "failed to render job config: 1 validation error for tagged-union[BenchmarkOfflineJob,BenchmarkOnlineJob,"
            "BenchmarkOnlineAgentJob,SystemBenchmarkOfflineJob,SystemBenchmarkOnlineJob]\noffline.benchmark\n"
            f"  Field required [type=missing, input_value={job.spec}, input_type=dict]"
        )
        raise HttpError(500, UNEXPECTED_ERROR if context.state.release.evaluates_bundles else detail)
    return json_response(show_job(job))


def get_status(context: Context, request: Request, workspace: str, name: str) -> Response:
    return json_response(show_status(find_job(context, workspace, name)))


def delete_job(context: Context, request: Request, workspace: str, name: str) -> Response:
    job = find_job(context, workspace, name)
    if context.state.release.keeps_running_jobs and job.status not in TERMINAL:
        raise HttpError(
            409,
            f"Cannot delete job '{name}' while it is '{job.status}'. Cancel the job and wait for it to reach a "
            f"terminal state before deleting.",
        )
    del context.state.jobs[workspace][name]
    context.state.filesets.pop((workspace, job.fileset), None)
    return Response(status=204)


def cancel_job(context: Context, request: Request, workspace: str, name: str) -> Response:
    job = find_job(context, workspace, name)
    context.controllers.cancel(job)
    return json_response(show_job(job))


def get_logs(context: Context, request: Request, workspace: str, name: str) -> Response:
    limit = query_integer(request, "limit", _DEFAULT_LOG_LINES)
    job = find_job(context, workspace, name)
    cursor = request.query.get("page_cursor", [""])[-1]
    page = _page_of_cursor(cursor) if cursor else 1
    if page is None or (limit > _MAX_LOG_LINES and not context.state.release.evaluates_bundles):
        raise HttpError(500, "Failed to query job logs")
    if "tail" in request.query and context.state.release.tails_logs:
        return _tail_of_logs(job, query_integer(request, "tail", _DEFAULT_LOG_LINES))
    start = (page - 1) * limit
    next_page = _cursor(page + 1) if start + limit < len(job.logs) else None
    return json_response(
        {
            "data": job.logs[start : start + limit],
            "total": len(job.logs) if start < len(job.logs) else 0,
            "next_page": next_page,
            "prev_page": _cursor(page - 1) if page > 1 else None,
        }
    )


def _tail_of_logs(job: Job, count: int) -> Response:
    """Return the last lines. The cursor, if there are lines before them, is that of the first page."""
    total = len(job.logs)
    before = _cursor(1) if total > count else None
    return json_response({"data": job.logs[-count:], "total": total, "next_page": None, "prev_page": before})


#: Prefix of cursors, so that clients can't make them up: they are to be returned as they are.
_CURSOR_KEY = secrets.token_hex(2)


def _cursor(page: int) -> str:
    return f"{_CURSOR_KEY}{page:x}"


def _page_of_cursor(cursor: str) -> int | None:
    try:
        page = int(cursor.removeprefix(_CURSOR_KEY), 16) if cursor.startswith(_CURSOR_KEY) else 0
    except ValueError:
        return None
    return page if page > 0 else None
