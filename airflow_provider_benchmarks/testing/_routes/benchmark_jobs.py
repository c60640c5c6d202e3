"""Routes of benchmark jobs: submit, get, list, cancel, delete, logs."""

from __future__ import annotations

import re
import secrets
from typing import Any

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import HttpError, Response, json_response
from airflow_provider_benchmarks.testing._http.router import Route, route
from airflow_provider_benchmarks.testing._http.validation import (
    FILESET_PATTERN,
    Fields,
    check_entity_name,
    pattern_error,
    query_choice,
    query_integer,
    validation_error,
)
from airflow_provider_benchmarks.testing._jobs.lifecycle import STEPS, add_step
from airflow_provider_benchmarks.testing._jobs.spec_validation import check_references, parse_spec, without_nulls
from airflow_provider_benchmarks.testing._routes.context import Context
from airflow_provider_benchmarks.testing._routes.filesets import create_fileset
from airflow_provider_benchmarks.testing._routes.listing import page_response, parse_filter
from airflow_provider_benchmarks.testing._state.identifiers import short_id
from airflow_provider_benchmarks.testing._state.job import Job, Schedule, Step, Task
from airflow_provider_benchmarks.testing._state.state import State

ROUTES: list[Route] = []
_JOBS = "/apis/evaluation/v2/workspaces/{workspace}/benchmark-jobs"
_JOB = _JOBS + "/{name}"
_SORTS = ("created_at", "-created_at", "updated_at", "-updated_at")
_FILTERS = ("created_at", "entity_type", "id", "name", "project", "status", "updated_at", "workspace")
_MAX_LOG_LINES = 1000
_DEFAULT_LOG_LINES = 100


def find_job(context: Context, workspace: str, name: str) -> Job:
    """Find a job and bring it up to date.

    :raises HttpError: 404, also if the workspace does not exist
    """
    job = context.state.job(workspace, name)
    if job is None:
        raise HttpError(404, "Job not found")
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


@route(ROUTES, "POST", _JOBS)
def submit(context: Context, request: Request, workspace: str) -> Response:
    fields = Fields(request.json())
    name = fields.text("name", nullable=True)
    description = fields.text("description", nullable=True)
    project = fields.text("project", nullable=True)
    ownership, custom_fields = fields.mapping("ownership"), fields.mapping("custom_fields")
    spec: dict[str, Any] = {}
    if "spec" in fields.value:
        spec = parse_spec(fields.value["spec"], fields.errors)
    elif fields.is_object:
        fields.errors.append(validation_error("missing", ["body", "spec"], "Field required", fields.value))
    fields.raise_errors()
    check_references(context.state, workspace, spec)
    name = _claim_name(context.state, workspace, name)
    if project:
        # The fileset of the name exists now and stays, so that the name can't be used again.
        detail = f"Project '{project}' does not exist in workspace '{workspace}'. Please create the project first."
        raise HttpError(422, detail)
    benchmark = spec["benchmark"]
    schedule = Schedule(
        context.scenarios.seconds(benchmark), requested=context.scenarios.outcome_by_benchmark.get(benchmark)
    )
    job = Job(
        name,
        workspace,
        context.state.clock(),
        spec,
        schedule,
        description=description,
        ownership=ownership,
        custom_fields=custom_fields,
    )
    add_step(context.state, job, STEPS[0])
    context.state.add_job(job)
    return json_response(show_job(job), status=201)


def _claim_name(state: State, workspace: str, name: str | None) -> str:
    """Return the name of a new job and create its fileset, with the checks in the service's order.

    A name that only the last check rejects has its fileset by then, so that it can't be used again.
    """
    if name == "":
        raise HttpError(409, "Unable to create job: Expected a non-empty value for `name` but received ''")
    name = name or f"evaluator-benchmarks-{short_id()}"
    if state.job(workspace, name) is not None:
        detail = f"Unable to create job: Job with name '{name}' already exists in workspace '{workspace}'."
        raise HttpError(409, detail)
    fileset = f"job-fileset-{name}"
    if not re.match(FILESET_PATTERN, fileset):
        raise HttpError(422, [pattern_error(["body", "name"], fileset, FILESET_PATTERN)])
    create_fileset(state, workspace, fileset)
    check_entity_name(name)
    return name


@route(ROUTES, "GET", _JOBS)
def list_jobs(context: Context, request: Request, workspace: str) -> Response:
    page = query_integer(request, "page", 1)
    page_size = query_integer(request, "page_size", 10, at_most=1000)
    sort = query_choice(request, "sort", _SORTS, default="-created_at", kind="enum")
    conditions = parse_filter(request, _FILTERS)
    if workspace not in context.state.workspaces:
        raise HttpError(404, f"Workspace '{workspace}' not found")
    other_conditions = [condition for condition in conditions if condition.field != "status" or condition.value is None]
    jobs = [
        job
        for job in context.state.jobs.get(workspace, {}).values()
        if job.kind == "benchmark"
        and all(condition.holds(getattr(job, condition.field, None)) for condition in other_conditions)
    ]
    jobs.sort(key=lambda job: job.submitted, reverse=sort.startswith("-"))
    start = (page - 1) * page_size
    entries = []
    for job in jobs[start : start + page_size]:
        context.controllers.refresh(job)
        # The service filters by status only now, after paging.
        if all(condition.holds(status_of(job)) for condition in conditions if condition.field == "status"):
            entries.append(_show_in_list(job))
    return page_response(entries, total=len(jobs), page=page, page_size=page_size, sort=sort, conditions=conditions)


def _show_in_list(job: Job) -> dict[str, Any]:
    fields = {name: value for name, value in show_job(job).items() if value is not None}
    return {**fields, "spec": without_nulls(job.spec)}


@route(ROUTES, "GET", _JOB)
def get_job(context: Context, request: Request, workspace: str, name: str) -> Response:
    job = find_job(context, workspace, name)
    if job.kind != "benchmark":
        detail = (
            "failed to render job config: 1 validation error for tagged-union[BenchmarkOfflineJob,BenchmarkOnlineJob,"
            "BenchmarkOnlineAgentJob,SystemBenchmarkOfflineJob,SystemBenchmarkOnlineJob]\noffline.benchmark\n"
            f"  Field required [type=missing, input_value={job.spec}, input_type=dict]"
        )
        raise HttpError(500, detail)
    return json_response(show_job(job))


@route(ROUTES, "GET", _JOB + "/status")
def get_status(context: Context, request: Request, workspace: str, name: str) -> Response:
    return json_response(show_status(find_job(context, workspace, name)))


@route(ROUTES, "DELETE", _JOB)
def delete_job(context: Context, request: Request, workspace: str, name: str) -> Response:
    job = find_job(context, workspace, name)
    del context.state.jobs[workspace][name]
    context.state.filesets.pop((workspace, job.fileset), None)
    return Response(status=204)


@route(ROUTES, "POST", _JOB + "/cancel")
def cancel_job(context: Context, request: Request, workspace: str, name: str) -> Response:
    job = find_job(context, workspace, name)
    context.controllers.cancel(job)
    return json_response(show_job(job))


@route(ROUTES, "GET", _JOB + "/logs")
def get_logs(context: Context, request: Request, workspace: str, name: str) -> Response:
    limit = query_integer(request, "limit", _DEFAULT_LOG_LINES)
    job = find_job(context, workspace, name)
    cursor = request.query.get("page_cursor", [""])[-1]
    page = _page_of_cursor(cursor) if cursor else 1
    if limit > _MAX_LOG_LINES or page is None:
        raise HttpError(500, "Failed to query job logs")
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
