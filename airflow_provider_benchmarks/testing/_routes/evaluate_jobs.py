"""Routes of jobs that bring their metrics along, since 0.2."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import UNEXPECTED_ERROR, HttpError, Response, json_response
from airflow_provider_benchmarks.testing._http.router import Route
from airflow_provider_benchmarks.testing._http.validation import (
    FILESET_PATTERN,
    NAME_PATTERN,
    Fields,
    validation_error,
)
from airflow_provider_benchmarks.testing._jobs.bundle_spec import parse_bundle_spec, resolve_metrics
from airflow_provider_benchmarks.testing._jobs.lifecycle import add_step
from airflow_provider_benchmarks.testing._release import Release
from airflow_provider_benchmarks.testing._routes.context import Context
from airflow_provider_benchmarks.testing._routes.filesets import create_fileset
from airflow_provider_benchmarks.testing._routes.job_results import result_routes
from airflow_provider_benchmarks.testing._routes.jobs import job_routes, show_job
from airflow_provider_benchmarks.testing._state.identifiers import short_id
from airflow_provider_benchmarks.testing._state.job import Job, Schedule
from airflow_provider_benchmarks.testing._state.state import State

_MAX_NAME_CHARACTERS = 51
#: What the platform answers to a name that its fileset can't have.
_CONFLICT = (
    "Unable to create job because the request conflicts with existing platform state. Review the job name and "
    "referenced resources, then try again."
)
#: What the platform answers to a name that its fileset can have and the job can't.
_INVALID = (
    "Invalid job request. Check that the name, project, platform_spec, and referenced resources are valid for this "
    "workspace, then try again."
)


def evaluate_routes(release: Release) -> list[Route]:
    jobs = f"/apis/{release.prefix}/v2/workspaces/{{workspace}}/evaluate/jobs"
    return [*result_routes(jobs), *job_routes(jobs, submit)]


def submit(context: Context, request: Request, workspace: str) -> Response:
    state, body = context.state, request.json()
    fields = Fields(body)
    name = fields.text("name", nullable=True, pattern=NAME_PATTERN if state.release.checks_names_first else None)
    description = fields.text("description", nullable=True)
    fields.text("project", nullable=True)
    ownership, custom_fields = fields.mapping("ownership"), fields.mapping("custom_fields")
    spec: dict[str, Any] = {}
    if "spec" in fields.value:
        spec = parse_bundle_spec(state.release, fields.value["spec"], fields.errors)
    elif fields.is_object:
        fields.errors.append(validation_error("missing", ["body", "spec"], "Field required", fields.value))
    fields.raise_errors()
    if state.release.checks_names_first:
        _check_length(name, body)
    spec["metrics"] = resolve_metrics(state, workspace, spec["metrics"])
    name = _claim_name(state, workspace, name)
    job = Job(
        name,
        workspace,
        state.clock(),
        spec,
        Schedule(0.0),
        kind="evaluation",
        description=description,
        ownership=ownership,
        custom_fields=_with_telemetry(state.release, custom_fields),
    )
    job.schedule = context.scenarios.schedule(job.subjects)
    add_step(state, job, job.step_names[0])
    state.add_job(job)
    return json_response(show_job(job), status=201)


def _check_length(name: str | None, body: Any) -> None:
    if name is not None and len(name) > _MAX_NAME_CHARACTERS:
        message = (
            f"Value error, name must be at most {_MAX_NAME_CHARACTERS} characters when output_location is not set, "
            f"because the job's artifact fileset is named 'job-fileset-<name>'"
        )
        raise HttpError(422, [validation_error("value_error", ["body"], message, body, {"error": {}})])


def _claim_name(state: State, workspace: str, name: str | None) -> str:
    """Return the name of a new job and create its fileset, with the checks in the service's order.

    A name that only the last check rejects has its fileset by then, so that it can't be used again.
    """
    if name == "":
        raise HttpError(500, UNEXPECTED_ERROR) if state.release.hides_name_errors else HttpError(409, _CONFLICT)
    name = name or f"nemo-{state.release.prefix}-{short_id()}"
    if state.job(workspace, name) is not None:
        raise HttpError(
            409,
            f"Job '{name}' already exists in workspace '{workspace}'. Choose a different job name or delete the "
            f"existing job before creating a new one.",
        )
    fileset = f"job-fileset-{name}"
    if not re.match(FILESET_PATTERN, fileset):
        raise HttpError(409, _CONFLICT)
    try:
        create_fileset(state, workspace, fileset)
    except HttpError as error:
        if error.status == 409 or workspace not in state.workspaces or not state.release.hides_name_errors:
            raise
        raise HttpError(409, _CONFLICT) from error
    if not re.match(NAME_PATTERN, name):
        raise HttpError(422, _INVALID)
    return name


def _with_telemetry(release: Release, custom_fields: dict[str, Any] | None) -> dict[str, Any] | None:
    if not release.adds_telemetry:
        return custom_fields
    return {**(custom_fields or {}), "_nemo_telemetry": {"plugins": [release.prefix]}}
