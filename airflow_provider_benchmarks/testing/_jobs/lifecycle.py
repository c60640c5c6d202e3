"""Statuses of jobs and steps, and the transitions that the jobs service allows."""

from __future__ import annotations

import uuid
from typing import Any

from airflow_provider_benchmarks.testing._http.response import HttpError
from airflow_provider_benchmarks.testing._state.job import Job, Step, Task
from airflow_provider_benchmarks.testing._state.state import State

#: In the order in which the service's errors list them.
STATUSES = (
    "created",
    "pending",
    "active",
    "cancelled",
    "cancelling",
    "error",
    "completed",
    "paused",
    "pausing",
    "resuming",
)
TERMINAL = frozenset({"completed", "error", "cancelled"})

_TRANSITIONS: dict[str, frozenset[str]] = {
    "created": frozenset({"pending", "active", "cancelling", "cancelled", "pausing", "paused", "error"}),
    "pending": frozenset({"active", "cancelling", "cancelled", "error", "pausing", "paused", "completed"}),
    "active": frozenset({"completed", "error", "cancelling", "cancelled", "pausing", "paused"}),
    "paused": frozenset({"resuming", "active", "cancelling"}),
    "pausing": frozenset({"paused", "error"}),
    "resuming": frozenset({"pending", "active", "error", "cancelling"}),
    "cancelling": frozenset({"cancelled", "error"}),
}


def is_allowed(before: str, after: str) -> bool:
    return before == after or after in _TRANSITIONS.get(before, frozenset())


def add_step(state: State, job: Job, name: str) -> Step:
    now = state.now()
    step = Step(name, now, now)
    job.steps.append(step)
    return step


def find_step(job: Job, name: str) -> Step | None:
    return next((step for step in job.steps if step.name == name), None)


def transition_step(
    state: State,
    job: Job,
    step: Step,
    status: str,
    *,
    status_details: dict[str, Any] | None = None,
    error_details: dict[str, Any] | None = None,
) -> None:
    """Change the status of a step, and of the job with it.

    :raises HttpError: 409, the transition is not allowed
    """
    if not is_allowed(step.status, status):
        before, after = (f"PlatformJobStatus.{word.upper()}" for word in (step.status, status))
        raise HttpError(409, f"Invalid status transition from {before} to {after} for step {step.id}")
    change_step(state, step, status, status_details=status_details, error_details=error_details)
    update_job(state, job, step)


def change_step(
    state: State,
    step: Step,
    status: str,
    *,
    status_details: dict[str, Any] | None = None,
    error_details: dict[str, Any] | None = None,
) -> None:
    """Change a step, but not yet the job."""
    step.status = status
    step.status_details.update(status_details or {})
    step.error_details = error_details or step.error_details
    step.updated_at = state.now()


def update_job(state: State, job: Job, step: Step) -> None:
    """Change the status of a job to follow one of its steps."""
    after = job.status
    if step.status == "completed":
        following = job.step_names[job.step_names.index(step.name) + 1 :]
        if not following:
            after = "completed"
        elif find_step(job, following[0]) is None:
            add_step(state, job, following[0])
    elif step.status == "pending":
        after = "pending" if step.name == job.step_names[0] else after
    elif step.status != "created":
        after = step.status
    if after != job.status and is_allowed(job.status, after):
        job.status = after
        if after == "error":
            job.error_details = step.error_details or None


def cancel_job(state: State, job: Job) -> None:
    """Cancel a job as the service does: at once if nothing has started, else through ``cancelling``."""
    if job.steps and all(step.status == "created" for step in job.steps):
        transition_step(state, job, job.steps[0], "cancelled", status_details=cleanup_details(state))
        if state.release.marks_cleanup:
            _add_finalized_task(state, job.steps[0])
        return
    running = next((step for step in job.steps if step.status not in TERMINAL), None)
    if running is not None:
        transition_step(state, job, running, "cancelling")


def finish_cancel(state: State, job: Job) -> None:
    """Move a job from ``cancelling`` to ``cancelled``, as the service's controller does."""
    details = {"message": "Job was cancelled with exit code 0", "exit_code": 0}
    for step in job.steps:
        if step.status == "cancelling":
            for task in step.tasks:
                change_task(state, task, "cancelled", **details)
            job.status_details.update(details)
            transition_step(state, job, step, "cancelled", status_details={**details, **cleanup_details(state)})


def cleanup_details(state: State) -> dict[str, Any]:
    """Return what a step that ended early says of its tasks."""
    return {"task_cleanup_pending": False} if state.release.marks_cleanup else {}


def _add_finalized_task(state: State, step: Step) -> None:
    """Add the task that stands for none, as the service does when a step is cancelled before it started."""
    now, details = state.now(), {"message": "Task finalized because job step is cancelled"}
    step.tasks.append(Task(f"task-{uuid.uuid4().hex}", "cancelled", details, now, now))


def start_task(state: State, job: Job, step: Step, name: str, *, pid: int) -> Task:
    """Add the subprocess of a step."""
    details = {
        "message": "Subprocess scheduled",
        "subprocess_work_dir": f"{job.folder}/{step.name}/{name}",
        "subprocess_persistent_storage_path": job.storage,
        "pid": pid,
        "pgid": pid,
    }
    now = state.now()
    task = Task(name, "pending", dict(details), now, now)
    step.tasks.append(task)
    job.status_details.update(details)
    return task


def change_task(state: State, task: Task, status: str, **details: Any) -> None:
    task.status = status
    task.status_details.update(details)
    task.updated_at = state.now()
