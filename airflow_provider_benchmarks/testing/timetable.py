"""Takes jobs through their life by the clock, as the real service's controllers do by polling.

Nothing runs in the background: whoever looks at a job first brings it up to the present.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_benchmarks.testing import logs, worker
from airflow_provider_benchmarks.testing.lifecycle import (
    DOWNLOAD,
    EVALUATION,
    TERMINAL,
    cancel,
    change_step,
    change_task,
    end_cancelled,
    find_step,
    follow_step,
    move_step,
    start_task,
)
from airflow_provider_benchmarks.testing.scenarios import Failure, Scenarios
from airflow_provider_benchmarks.testing.state import Job, State, Step, Task
from airflow_provider_benchmarks.testing.worker import Outcome

_DONE = "Job completed successfully with exit code 0"
#: Share of a job's time that the service takes from ``cancelling`` to ``cancelled``.
_CANCEL_SHARE = 0.1
_EVALUATION_SHARE = (0.4, 0.8)


@dataclass(frozen=True, slots=True)
class Stage:
    """One thing that happens to a job.

    :param at: when, as a share of the job's seconds
    :param leaves: the job's status that ends with it
    """

    at: float
    apply: Callable[[Controllers, Job], None]
    leaves: str | None = None


class Controllers:
    """Use it under the state's lock.

    :param enabled: False leaves jobs in ``created``; only requests, or :meth:`finish`, move them
    """

    def __init__(self, state: State, scenarios: Scenarios, *, enabled: bool) -> None:
        self.state = state
        self.scenarios = scenarios
        self.enabled = enabled

    def refresh_all(self, workspace: str) -> None:
        for job in self.state.jobs.get(workspace, {}).values():
            self.refresh(job)

    def refresh(self, job: Job) -> None:
        """Bring a job up to the present."""
        if not self.enabled or job.status in TERMINAL or job.kind != "benchmark":
            return
        now = self.state.clock()
        if job.plan.cancel_at is not None:
            if now >= job.plan.cancel_at:
                end_cancelled(self.state, job)
            return
        holds = self.scenarios.held_in(job.benchmark)
        while job.plan.position < len(STAGES) and job.status not in TERMINAL:
            stage = STAGES[job.plan.position]
            due = job.submitted + job.plan.shift + stage.at * job.plan.seconds
            if now < due:
                break
            if stage.leaves in holds:
                job.plan.held_since = job.plan.held_since or due
                break
            if job.plan.held_since is not None:
                job.plan.shift += now - job.plan.held_since
                job.plan.held_since = None
                continue
            self._next_stage(job)
        self._report_progress(job, min(now, job.plan.held_since or now))

    def cancel(self, job: Job) -> None:
        self.refresh(job)
        cancel(self.state, job)
        if job.status == "cancelling" and job.plan.cancel_at is None:
            job.plan.cancel_at = self.state.clock() + _CANCEL_SHARE * job.plan.seconds

    def finish(self, job: Job, status: str, *, failure: Failure | None = None) -> None:
        """Bring a job to a terminal status now, whatever holds it.

        :raises ValueError: the job has ended already, or the status is not a terminal one
        """
        self.refresh(job)
        if job.status in TERMINAL:
            raise ValueError(f'job "{job.name}" has ended already: {job.status}')
        if status == "cancelled":
            cancel(self.state, job)
            end_cancelled(self.state, job)
        elif status in TERMINAL:
            if failure is not None:
                job.plan.outcome = worker.plan_outcome(self.state, job, failure)
            while job.status not in TERMINAL:
                self._next_stage(job)
        else:
            raise ValueError(f'"{status}" is not a terminal status: {", ".join(sorted(TERMINAL))}')

    def _next_stage(self, job: Job) -> None:
        stage = STAGES[job.plan.position]
        job.plan.position += 1
        stage.apply(self, job)

    def _report_progress(self, job: Job, now: float) -> None:
        evaluation = find_step(job, EVALUATION)
        running = evaluation is not None and evaluation.status == "active" and "progress" in job.status_details
        if not running or job.plan.position > _EVALUATED or job.plan.seconds <= 0:
            return
        start, end = _EVALUATION_SHARE
        elapsed = (now - job.submitted - job.plan.shift) / job.plan.seconds
        share = min(max((elapsed - start) / (end - start), 0.0), 1.0)
        rows = self.plan_outcome(job).rows
        job.status_details["progress"] = 100.0 * int(share * rows) / rows if rows else round(share * 100, 1)
        if rows is not None:
            job.status_details["samples_processed"] = int(share * rows)

    def plan_outcome(self, job: Job) -> Outcome:
        if job.plan.outcome is None:
            job.plan.outcome = worker.plan_outcome(self.state, job, job.plan.asked)
        return job.plan.outcome


def _step(job: Job, name: str) -> Step:
    step = find_step(job, name)
    assert step is not None, f"{job.name} has no step {name} yet"
    return step


def _task(step: Step) -> Task | None:
    return step.tasks[0] if step.tasks else None


def _start(controllers: Controllers, job: Job, name: str) -> None:
    step, pid = _step(job, name), 20_000 + len(job.logs)
    task = start_task(controllers.state, job, step, f"task-{uuid.uuid4().hex}", pid=pid)
    move_step(controllers.state, job, step, "pending", status_details=dict(task.status_details))


def _run(controllers: Controllers, job: Job, name: str) -> None:
    step = _step(job, name)
    for task in step.tasks:
        change_task(controllers.state, task, "active", message="Job is running")
    job.status_details["message"] = "Job is running"
    move_step(controllers.state, job, step, "active", status_details={"message": "Job is running"})


def _start_download(controllers: Controllers, job: Job) -> None:
    _start(controllers, job, DOWNLOAD)


def _run_download(controllers: Controllers, job: Job) -> None:
    _run(controllers, job, DOWNLOAD)


def _end_download(controllers: Controllers, job: Job) -> None:
    step, details = _step(job, DOWNLOAD), {"message": _DONE, "exit_code": 0}
    for task in step.tasks:
        change_task(controllers.state, task, "completed", **details)
        logs.add_import_warning(job, DOWNLOAD, task, "download_fileset")
    job.status_details.update(details)
    move_step(controllers.state, job, step, "completed", status_details=details)


def _start_evaluation(controllers: Controllers, job: Job) -> None:
    outcome = controllers.plan_outcome(job)
    if outcome.results is not None or outcome.error is not None:  # else it fails before it starts
        _start(controllers, job, EVALUATION)


def _run_evaluation(controllers: Controllers, job: Job) -> None:
    step, outcome = _step(job, EVALUATION), controllers.plan_outcome(job)
    task = _task(step)
    if task is None:
        return
    _run(controllers, job, EVALUATION)
    worker.log_start(controllers.state, job, task, outcome.rows)
    if outcome.results is not None:
        job.status_details["progress"] = 0.0


def _end_evaluation(controllers: Controllers, job: Job) -> None:
    task = _task(_step(job, EVALUATION))
    job.plan.outcome = worker.finish_work(controllers.state, job, task, controllers.plan_outcome(job))


def _end_step(controllers: Controllers, job: Job) -> None:
    """End the step alone: for a moment all steps have ended while the job still runs."""
    step, outcome = _step(job, EVALUATION), controllers.plan_outcome(job)
    failed = outcome.results is None or outcome.error is not None
    details = {"message": outcome.message if failed else _DONE}
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
    change_step(
        controllers.state,
        step,
        "error" if failed else "completed",
        status_details={**details, **exit_code},
        error_details=error,
    )


def _end_job(controllers: Controllers, job: Job) -> None:
    follow_step(controllers.state, job, _step(job, EVALUATION))


STAGES = (
    Stage(0.05, _start_download, leaves="created"),
    Stage(0.10, _run_download, leaves="pending"),
    Stage(0.30, _end_download),
    Stage(0.35, _start_evaluation),
    Stage(_EVALUATION_SHARE[0], _run_evaluation),
    Stage(_EVALUATION_SHARE[1], _end_evaluation, leaves="active"),
    Stage(0.95, _end_step),
    Stage(1.00, _end_job),
)
_EVALUATED = STAGES.index(next(stage for stage in STAGES if stage.apply is _end_evaluation))
