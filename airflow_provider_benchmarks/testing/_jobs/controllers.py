"""Moves jobs through their life cycle by the clock. The real service's controllers poll.

Nothing runs in the background: each request for a job first brings it up to date.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from airflow_provider_benchmarks.testing._jobs import benchmark_worker, evaluate_worker, logs
from airflow_provider_benchmarks.testing._jobs.lifecycle import (
    TERMINAL,
    cancel_job,
    change_step,
    change_task,
    cleanup_details,
    find_step,
    finish_cancel,
    start_task,
    transition_step,
    update_job,
)
from airflow_provider_benchmarks.testing._jobs.scenarios import Scenarios
from airflow_provider_benchmarks.testing._state.job import Job, Step, Task
from airflow_provider_benchmarks.testing._state.outcome import Failure, Outcome, ResultFiles
from airflow_provider_benchmarks.testing._state.state import State

_SUCCESS_MESSAGE = "Job completed successfully with exit code 0"
#: From ``cancelling`` to ``cancelled``, as a share of the job's seconds.
_CANCEL_SHARE = 0.1
#: Start and end of the evaluation, as shares of the job's seconds.
_EVALUATION_SHARES = (0.4, 0.8)
#: Times are seconds since 1970, which a float holds to less than a microsecond. So a job that is held at its last row
#: may seem to stand just before it.
_TIME_ROUNDING = 1e-3


@dataclass(frozen=True, slots=True)
class Stage:
    """A change of a job.

    :param at: when it happens, as a share of the job's seconds
    :param leaves: status of the job that ends with it; a hold in that status delays the stage
    """

    at: float
    apply: Callable[[Controllers, Job], None]
    leaves: str | None = None


class Worker(Protocol):
    """What the worker of a job does; each is a module."""

    def decide_outcome(self, state: State, job: Job, requested: ResultFiles | Failure | None) -> Outcome:
        """Decide how a job will end: as a test requested, or by evaluating it."""

    def log_start(self, state: State, job: Job, task: Task, rows: int | None) -> None:
        """Write the log lines with which an evaluation starts."""

    def finish_work(self, state: State, job: Job, task: Task | None, outcome: Outcome) -> Outcome:
        """Store results and write log lines; return the outcome, which storing can still change."""


class Controllers:
    """Moves jobs. Hold the state's lock while using it.

    :param enabled: False leaves jobs in ``created``; only requests, or :meth:`finish`, move them
    """

    def __init__(self, state: State, scenarios: Scenarios, *, enabled: bool) -> None:
        self.state = state
        self.scenarios = scenarios
        self.enabled = enabled
        self.worker: Worker = evaluate_worker if state.release.evaluates_bundles else benchmark_worker

    def refresh_all(self, workspace: str) -> None:
        """Bring all jobs of a workspace up to date."""
        for job in self.state.jobs.get(workspace, {}).values():
            self.refresh(job)

    def refresh(self, job: Job) -> None:
        """Bring a job up to date."""
        if not self.enabled or job.status in TERMINAL or job.kind not in STAGES:
            return
        now = self.state.clock()
        if job.schedule.cancel_at is not None:
            if now >= job.schedule.cancel_at:
                finish_cancel(self.state, job)
            return
        holds = self.scenarios.held_statuses(job.subjects)
        stages = STAGES[job.kind]
        while job.schedule.position < len(stages) and job.status not in TERMINAL:
            stage = stages[job.schedule.position]
            due = job.submitted + job.schedule.shift + stage.at * job.schedule.seconds
            if now < due:
                break
            if stage.leaves in holds:
                job.schedule.held_since = job.schedule.held_since or due
                break
            if job.schedule.held_since is not None:
                job.schedule.shift += now - job.schedule.held_since
                job.schedule.held_since = None
                continue
            self._apply_next_stage(job)
        self._report_progress(job, min(now, job.schedule.held_since or now))

    def cancel(self, job: Job) -> None:
        """Cancel a job; a running one is ``cancelling`` for a while."""
        self.refresh(job)
        cancel_job(self.state, job)
        if job.status == "cancelling" and job.schedule.cancel_at is None:
            job.schedule.cancel_at = self.state.clock() + _CANCEL_SHARE * job.schedule.seconds

    def finish(self, job: Job, status: str, *, failure: Failure | None = None) -> None:
        """Move a job to a terminal status now, even if it is held.

        :raises ValueError: the job has ended already, or the status is not a terminal one
        """
        self.refresh(job)
        if job.status in TERMINAL:
            raise ValueError(f'job "{job.name}" has ended already: {job.status}')
        if status == "cancelled":
            cancel_job(self.state, job)
            finish_cancel(self.state, job)
        elif status in TERMINAL:
            if failure is not None:
                job.schedule.outcome = self.worker.decide_outcome(self.state, job, failure)
            while job.status not in TERMINAL:
                self._apply_next_stage(job)
        else:
            raise ValueError(f'"{status}" is not a terminal status: {", ".join(sorted(TERMINAL))}')

    def _apply_next_stage(self, job: Job) -> None:
        stage = STAGES[job.kind][job.schedule.position]
        job.schedule.position += 1
        stage.apply(self, job)

    def _report_progress(self, job: Job, now: float) -> None:
        evaluation = find_step(job, job.step_names[-1])
        running = evaluation is not None and evaluation.status == "active" and "progress" in job.status_details
        ended = job.schedule.position > _END_EVALUATION_POSITION
        if job.kind != "benchmark" or not running or ended or job.schedule.seconds <= 0:
            return
        start, end = _EVALUATION_SHARES
        elapsed = (now - job.submitted - job.schedule.shift) / job.schedule.seconds
        share = min(max((elapsed - start) / (end - start), 0.0), 1.0)
        rows = self.outcome(job).rows
        done = int(share * (rows or 0) + _TIME_ROUNDING)
        job.status_details["progress"] = 100.0 * done / rows if rows else round(share * 100, 1)
        if rows is not None:
            job.status_details["samples_processed"] = done

    def outcome(self, job: Job) -> Outcome:
        """Return how a job will end; it is decided when it is first needed."""
        if job.schedule.outcome is None:
            job.schedule.outcome = self.worker.decide_outcome(self.state, job, job.schedule.requested)
        return job.schedule.outcome


def _step(job: Job, name: str) -> Step:
    step = find_step(job, name)
    assert step is not None, f"{job.name} has no step {name} yet"
    return step


def _task(step: Step) -> Task | None:
    return step.tasks[0] if step.tasks else None


def _start(controllers: Controllers, job: Job, name: str) -> None:
    step, pid = _step(job, name), 20_000 + len(job.logs)
    task = start_task(controllers.state, job, step, f"task-{uuid.uuid4().hex}", pid=pid)
    transition_step(controllers.state, job, step, "pending", status_details=dict(task.status_details))


def _run(controllers: Controllers, job: Job, name: str) -> None:
    step = _step(job, name)
    for task in step.tasks:
        change_task(controllers.state, task, "active", message="Job is running")
    job.status_details["message"] = "Job is running"
    transition_step(controllers.state, job, step, "active", status_details={"message": "Job is running"})


def _start_download(controllers: Controllers, job: Job) -> None:
    _start(controllers, job, job.step_names[0])


def _run_download(controllers: Controllers, job: Job) -> None:
    _run(controllers, job, job.step_names[0])


def _end_download(controllers: Controllers, job: Job) -> None:
    name = job.step_names[0]
    step, details = _step(job, name), {"message": _SUCCESS_MESSAGE, "exit_code": 0}
    for task in step.tasks:
        change_task(controllers.state, task, "completed", **details)
        logs.add_import_warning(job, name, task, "download_fileset")
    job.status_details.update(details)
    transition_step(controllers.state, job, step, "completed", status_details=details)


def _start_evaluation(controllers: Controllers, job: Job) -> None:
    outcome = controllers.outcome(job)
    if outcome.results is not None or outcome.error is not None:  # otherwise it fails before it starts
        _start(controllers, job, job.step_names[-1])


def _run_evaluation(controllers: Controllers, job: Job) -> None:
    step, outcome = _step(job, job.step_names[-1]), controllers.outcome(job)
    task = _task(step)
    if task is None:
        return
    _run(controllers, job, job.step_names[-1])
    controllers.worker.log_start(controllers.state, job, task, outcome.rows)
    if outcome.results is not None and job.kind == "benchmark":  # later releases report none while they evaluate
        job.status_details["progress"] = 0.0


def _end_evaluation(controllers: Controllers, job: Job) -> None:
    task = _task(_step(job, job.step_names[-1]))
    job.schedule.outcome = controllers.worker.finish_work(controllers.state, job, task, controllers.outcome(job))


def _end_step(controllers: Controllers, job: Job) -> None:
    """End the step alone: for a moment all steps have ended and the job is still running."""
    step, outcome = _step(job, job.step_names[-1]), controllers.outcome(job)
    failed = outcome.results is None or outcome.error is not None
    details = {"message": outcome.message if failed else _SUCCESS_MESSAGE}
    error = dict(details) if failed else {}
    for task in step.tasks:
        ended = "error" if failed else "completed"
        change_task(controllers.state, task, ended, **details, exit_code=int(failed))
        task.error_details = error
        task.error_stack = logs.error_stack(job, task) if failed else None
        job.status_details.update(details, exit_code=int(failed))
    if failed and not step.tasks:
        error["error"] = logs.traceback_text("RuntimeError", outcome.message) + "\n"
    exit_code = {"exit_code": int(failed)} if step.tasks else {}
    cleanup = cleanup_details(controllers.state) if failed else {}
    change_step(
        controllers.state,
        step,
        "error" if failed else "completed",
        status_details={**details, **exit_code, **cleanup},
        error_details=error,
    )


def _end_job(controllers: Controllers, job: Job) -> None:
    update_job(controllers.state, job, _step(job, job.step_names[-1]))


_BENCHMARK_STAGES = (
    Stage(0.05, _start_download, leaves="created"),
    Stage(0.10, _run_download, leaves="pending"),
    Stage(0.30, _end_download),
    Stage(0.35, _start_evaluation),
    Stage(_EVALUATION_SHARES[0], _run_evaluation),
    Stage(_EVALUATION_SHARES[1], _end_evaluation, leaves="active"),
    Stage(0.95, _end_step),
    Stage(1.00, _end_job),
)
_END_EVALUATION_POSITION = [stage.apply for stage in _BENCHMARK_STAGES].index(_end_evaluation)
#: By the kind of a job. Jobs of other services stay as they are.
STAGES = {
    "benchmark": _BENCHMARK_STAGES,
    "evaluation": (
        Stage(0.05, _start_evaluation, leaves="created"),
        Stage(0.10, _run_evaluation, leaves="pending"),
        Stage(_EVALUATION_SHARES[1], _end_evaluation, leaves="active"),
        Stage(0.95, _end_step),
        Stage(1.00, _end_job),
    ),
}
