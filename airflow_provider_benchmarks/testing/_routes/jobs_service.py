"""Routes of the underlying jobs service: stored results, and the calls with which workers move their jobs."""

from __future__ import annotations

from typing import Any

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import HttpError, Response, json_response
from airflow_provider_benchmarks.testing._http.router import Route, route
from airflow_provider_benchmarks.testing._http.validation import Fields, validation_error
from airflow_provider_benchmarks.testing._jobs.lifecycle import STATUSES, find_step, transition_step
from airflow_provider_benchmarks.testing._routes.context import Context
from airflow_provider_benchmarks.testing._routes.job_results import find_result, newest_first, send_result, show_result
from airflow_provider_benchmarks.testing._routes.jobs import find_job, get_logs, get_status
from airflow_provider_benchmarks.testing._state.job import Job, JobResult, Step

ROUTES: list[Route] = []
_JOB = "/apis/jobs/v2/workspaces/{workspace}/jobs/{name}"

route(ROUTES, "GET", _JOB + "/status")(get_status)
route(ROUTES, "GET", _JOB + "/logs")(get_logs)


@route(ROUTES, "PATCH", _JOB + "/status-details")
def patch_status_details(context: Context, request: Request, workspace: str, name: str) -> Response:
    body = request.json()
    if not isinstance(body, dict):
        raise HttpError(422, [validation_error("dict_type", ["body"], "Input should be a valid dictionary", body)])
    if context.state.job(workspace, name) is None:
        raise HttpError(404, f"Entity '{name}' not found in workspace '{workspace}'")
    find_job(context, workspace, name).status_details.update(body)
    return json_response(None)


@route(ROUTES, "PATCH", _JOB + "/steps/{step}/status")
def patch_step_status(context: Context, request: Request, workspace: str, name: str, step: str) -> Response:
    fields = Fields(request.json())
    status = fields.choice("status", STATUSES, kind="enum")
    status_details, error_details = fields.mapping("status_details"), fields.mapping("error_details")
    fields.raise_errors()
    assert status is not None
    job = context.state.job(workspace, name)
    found = find_step(job, step) if job is not None else None
    if job is None or found is None:
        raise HttpError(404, "Job step not found")
    context.controllers.refresh(job)
    transition_step(context.state, job, found, status, status_details=status_details, error_details=error_details)
    return json_response(_show_step(job, found))


def _show_step(job: Job, step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "workspace": job.workspace,
        "project": None,
        "attempt_id": job.attempt_id,
        "config": {"_step_spec_name": step.name},
        "status": step.status,
        "status_details": step.status_details,
        "error_details": step.error_details or None,
        "id": step.id,
        "created_at": step.created_at,
        "created_by": "service:platform",
        "updated_at": step.updated_at,
        "updated_by": "service:platform",
        "entity_id": step.id,
        "parent": job.attempt_id,
    }


@route(ROUTES, "POST", _JOB + "/results/{result}")
def post_result(context: Context, request: Request, workspace: str, name: str, result: str) -> Response:
    fields = Fields(request.json())
    artifact_url = fields.text("artifact_url", required=True)
    fields.choice("artifact_storage_type", ("fileset",), kind="enum")
    fields.raise_errors()
    assert artifact_url is not None
    job = find_job(context, workspace, name)
    if result in job.results:
        raise HttpError(409, f"Entity with name '{result}' already exists in workspace '{workspace}'")
    job.results[result] = JobResult(result, artifact_url, context.state.now())
    return json_response(show_result(job, job.results[result], download_url=None), status=201)


@route(ROUTES, "GET", _JOB + "/results")
def list_results(context: Context, request: Request, workspace: str, name: str) -> Response:
    job = find_job(context, workspace, name)
    return json_response({"data": [show_result(job, result, download_url=None) for result in newest_first(job)]})


@route(ROUTES, "GET", _JOB + "/results/{result}")
def get_result(context: Context, request: Request, workspace: str, name: str, result: str) -> Response:
    job, found = find_result(context, workspace, name, result)
    return json_response(show_result(job, found, download_url=None))


@route(ROUTES, "GET", _JOB + "/results/{result}/download")
def download_result(context: Context, request: Request, workspace: str, name: str, result: str) -> Response:
    _, found = find_result(context, workspace, name, result)
    return send_result(context, request, found, filename=found.name)
