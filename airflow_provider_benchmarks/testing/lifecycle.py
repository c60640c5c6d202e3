"""States of jobs and steps, and the moves between them that the jobs service allows."""

from __future__ import annotations

from typing import Any

from airflow_provider_benchmarks.testing.messages import HttpError
from airflow_provider_benchmarks.testing.state import Job, State, Step, Task

DOWNLOAD, EVALUATION = "dataset-download", "evaluation"
STEPS = (DOWNLOAD, EVALUATION)

#: In the order in which the service names them.
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

_MOVES: dict[str, frozenset[str]] = {
    "created": frozenset({"pending", "active", "cancelling", "cancelled", "pausing", "paused", "error"}),
    "pending": frozenset({"active", "cancelling", "cancelled", "error", "pausing", "paused", "completed"}),
    "active": frozenset({"completed", "error", "cancelling", "cancelled", "pausing", "paused"}),
    "paused": frozenset({"resuming", "active", "cancelling"}),
    "pausing": frozenset({"paused", "error"}),
    "resuming": frozenset({"pending", "active", "error", "cancelling"}),
    "cancelling": frozenset({"cancelled", "error"}),
}


def allowed(before: str, after: str) -> bool:
    return before == after or after in _MOVES.get(before, frozenset())


def add_step(state: State, job: Job, name: str) -> Step:
    now = state.now()
    step = Step(name, now, now)
    job.steps.append(step)
    return step


def find_step(job: Job, name: str) -> Step | None:
    return next((step for step in job.steps if step.name == name), None)


def move_step(
    state: State,
    job: Job,
    step: Step,
    status: str,
    *,
    status_details: dict[str, Any] | None = None,
    error_details: dict[str, Any] | None = None,
) -> None:
    """Move a step, and the job with it.

    :raises HttpError: 409, the move is not allowed
    """
    if not allowed(step.status, status):
        before, after = (f"PlatformJobStatus.{word.upper()}" for word in (step.status, status))
        raise HttpError(409, f"Invalid status transition from {before} to {after} for step {step.id}")
    change_step(state, step, status, status_details=status_details, error_details=error_details)
    follow_step(state, job, step)


def change_step(
    state: State,
    step: Step,
    status: str,
    *,
    status_details: dict[str, Any] | None = None,
    error_details: dict[str, Any] | None = None,
) -> None:
    """Change a step alone; the job has not noticed yet."""
    step.status = status
    step.status_details.update(status_details or {})
    step.error_details = error_details or step.error_details
    step.updated_at = state.now()


def follow_step(state: State, job: Job, step: Step) -> None:
    """Let the job take over what one of its steps has come to."""
    after = job.status
    if step.status == "completed":
        if step.name == STEPS[-1]:
            after = "completed"
        elif find_step(job, EVALUATION) is None:
            add_step(state, job, EVALUATION)
    elif step.status == "pending":
        after = "pending" if step.name == STEPS[0] else after
    elif step.status != "created":
        after = step.status
    if after != job.status and allowed(job.status, after):
        job.status = after
        if after == "error":
            job.error_details = step.error_details or None


def cancel(state: State, job: Job) -> None:
    """Cancel a job as the service does: at once where nothing has started, else by way of ``cancelling``."""
    if job.steps and all(step.status == "created" for step in job.steps):
        move_step(state, job, job.steps[0], "cancelled")
        return
    running = next((step for step in job.steps if step.status not in TERMINAL), None)
    if running is not None:
        move_step(state, job, running, "cancelling")


def end_cancelled(state: State, job: Job) -> None:
    """Finish what :func:`cancel` has begun, as the service's controller does."""
    details = {"message": "Job was cancelled with exit code 0", "exit_code": 0}
    for step in job.steps:
        if step.status == "cancelling":
            for task in step.tasks:
                change_task(state, task, "cancelled", **details)
            job.status_details.update(details)
            move_step(state, job, step, "cancelled", status_details=details)


def start_task(state: State, job: Job, step: Step, name: str, *, pid: int) -> Task:
    """Put a step's subprocess on the books; the folders are those of the real service, not of this machine."""
    folder = f"/var/lib/jobs/{job.workspace}/{job.name}/{job.attempt_id}"
    details = {
        "message": "Subprocess scheduled",
        "subprocess_work_dir": f"{folder}/{step.name}/{name}",
        "subprocess_persistent_storage_path": f"{folder}/job-storage",
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
