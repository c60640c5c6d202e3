"""Routes of 0.1's benchmark jobs."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_benchmarks.testing._http.request import Request
from airflow_provider_benchmarks.testing._http.response import HttpError, Response, json_response
from airflow_provider_benchmarks.testing._http.validation import (
    FILESET_PATTERN,
    Fields,
    check_entity_name,
    pattern_error,
    validation_error,
)
from airflow_provider_benchmarks.testing._jobs.lifecycle import add_step
from airflow_provider_benchmarks.testing._jobs.spec_validation import check_references, parse_spec
from airflow_provider_benchmarks.testing._routes.context import Context
from airflow_provider_benchmarks.testing._routes.filesets import create_fileset
from airflow_provider_benchmarks.testing._routes.job_results import benchmark_result_routes
from airflow_provider_benchmarks.testing._routes.jobs import job_routes, show_job
from airflow_provider_benchmarks.testing._state.identifiers import short_id
from airflow_provider_benchmarks.testing._state.job import Job, Schedule
from airflow_provider_benchmarks.testing._state.state import State


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
    job = Job(
        name,
        workspace,
        context.state.clock(),
        spec,
        Schedule(0.0),
        description=description,
        ownership=ownership,
        custom_fields=custom_fields,
    )
    job.schedule = context.scenarios.schedule(job.subjects)
    add_step(context.state, job, job.step_names[0])
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


_JOBS = "/apis/evaluation/v2/workspaces/{workspace}/benchmark-jobs"
ROUTES = [*benchmark_result_routes(_JOBS), *job_routes(_JOBS, submit)]
