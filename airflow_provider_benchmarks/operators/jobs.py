"""Run benchmark jobs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import (
    ConfigurationError,
    Conflict,
    NameUnusable,
    NotFound,
    ServiceError,
    Unauthorized,
)
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStatus, RunIdentity, fingerprint, progress_line
from airflow_provider_benchmarks.jobs.identity import check_name, numbered
from airflow_provider_benchmarks.links import BenchmarkJobLink
from airflow_provider_benchmarks.operators._base import BenchmarkOperator, has_template
from airflow_provider_benchmarks.operators._task_state import RememberedJob, TaskMemory
from airflow_provider_benchmarks.retry_policy import is_recoverable
from airflow_provider_benchmarks.waiting import deadline_after, defer_arguments, seconds_until, time_left

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

#: Far more jobs than the retries of one task run can need.
_MAX_ATTEMPTS = 100
#: A retry does not go on with such a job. What the try before has cancelled may take a while to end.
_GIVEN_UP = (JobStatus.ERROR, JobStatus.CANCELLED, JobStatus.CANCELLING)
_OVER = (JobStatus.COMPLETED, *_GIVEN_UP)
#: Fields that hold Jinja templates of the service, which it fills with each dataset row: of a spec, and of its agent.
_SPEC_TEMPLATE, _AGENT_TEMPLATE = "prompt_template", "body"


class RunBenchmarkJobOperator(BenchmarkOperator):
    """Submit a benchmark job and wait until it has completed.

    A task run submits its job once: the job is named after the run, so that a retry, also after a crash, finds the job
    and goes on waiting for it. A retry after a job that ended in error or was cancelled submits the next one, with a
    number behind its name; clearing the task starts a fresh one. (Where Airflow does not tell a retry from a clear, the
    clear of a task that is running before 3.1, the next try goes on with a job that ``cancel_on_kill=False`` has kept.)
    A job that someone deletes uses its name up: from 3.3 on a retry takes the next name, before it submits one that the
    service lets fail.

    Airflow's ``execution_timeout`` counts for each try, as ever, and ends it without a word about the job: give the job
    its ``timeout`` instead.

    :param spec: the service's job spec, ``{"benchmark": "workspace/name", "params": {…}, …}`` (templated, except for its
        ``prompt_template`` and its agent's ``body``, which are the service's own templates)
    :param job_name: name of the job; derived from the task run when None (templated)
    :param wait_for_completion: False ends the task when the job is submitted
    :param deferrable: wait in the triggerer, without a worker slot
    :param poll_interval: seconds between two looks at the job
    :param timeout: how long the job may take, seconds or timedelta; None for no limit. It counts from the submit, over
        all tries that wait for the job
    :param cancel_on_kill: cancel the job when the task is killed, marked, cleared or runs into its ``execution_timeout``.
        While it is deferred that takes a triggerer that runs its trigger: where none does, the job goes on (after a
        clear, from Airflow 3.3 on, the next try cancels it)
    :param cancel_on_timeout: cancel the job when it has not ended within ``timeout``, and a retry submits the next one;
        False leaves it running, and a retry waits for it as long again
    :param reuse_job: False submits a fresh job with every try of the task
    :return: the job's name
    :raises JobFailed: the job ended in error; the message has the service's reason and the last log lines
    :raises JobCancelled: someone cancelled the job
    :raises JobTimeout: the job did not end in time
    :raises Conflict: the name is taken by a job that is not this run's
    """

    template_fields: Sequence[str] = ("spec", "job_name", *BenchmarkOperator.template_fields)
    template_fields_renderers = {"spec": "json"}  # noqa: RUF012
    operator_extra_links = (BenchmarkJobLink(),)

    def __init__(
        self,
        *,
        spec: Mapping[str, Any],
        job_name: str | None = None,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float = 30,
        timeout: timedelta | float | None = timedelta(hours=24),
        cancel_on_kill: bool = True,
        cancel_on_timeout: bool = False,
        reuse_job: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(spec, Mapping) and not spec.get("benchmark"):
            raise ConfigurationError(
                f'task "{self.task_id}": spec needs a "benchmark", such as "my-workspace/qa-bench"'
            )
        if not poll_interval > 0:
            raise ConfigurationError(
                f'task "{self.task_id}": poll_interval must be more than 0, found {brief(poll_interval)}'
            )
        if isinstance(job_name, str) and not has_template(job_name):
            check_name(job_name)
        self.spec = spec
        self.job_name = job_name
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_timeout = cancel_on_timeout
        self.reuse_job = reuse_job
        self._running_job: str | None = None
        self._unconfirmed: str | None = None

    def render_template(self, content: Any, *args: Any, **kwargs: Any) -> Any:
        # The service's own templates, {{item.question}} and the like, must reach it as they are.
        if not isinstance(content, dict):
            return super().render_template(content, *args, **kwargs)
        own = {_SPEC_TEMPLATE: content[_SPEC_TEMPLATE]} if _SPEC_TEMPLATE in content else {}
        agent = content.get("agent")
        if isinstance(agent, dict) and _AGENT_TEMPLATE in agent:
            rest = {key: value for key, value in agent.items() if key != _AGENT_TEMPLATE}
            own["agent"] = {**self.render_template(rest, *args, **kwargs), _AGENT_TEMPLATE: agent[_AGENT_TEMPLATE]}
        rest = {key: value for key, value in content.items() if key not in own}
        return {**super().render_template(rest, *args, **kwargs), **own}

    def execute(self, context: Context) -> str:
        job, created = self._submit(context)
        BenchmarkJobLink().persist(context, self.hook.job_url(job.name))
        if not self.wait_for_completion:
            self._running_job = None
            return job.name
        deadline = self._deadline(job, created=created)
        if self.deferrable:
            self._defer_until_finished(job, deadline, context)
        else:
            self.hook.wait_for_job(
                job.name,
                poll_interval=self.poll_interval,
                timeout=seconds_until(deadline),
                cancel_on_timeout=self.cancel_on_timeout,
            )
        self._running_job = None
        return job.name

    def _deadline(self, job: BenchmarkJob, *, created: bool) -> float | None:
        """When the job's time is over, seconds since the epoch; None for never.

        :param created: whether this try has submitted it
        """
        anew = deadline_after(self.timeout)
        if created or anew is None:
            return anew
        deadline = deadline_after(self.timeout, began=job.created_at)
        # A timeout that leaves the job running is no end: a retry is there to go on.
        return anew if deadline is not None and deadline <= time.time() and not self.cancel_on_timeout else deadline

    def _defer_until_finished(self, job: BenchmarkJob, deadline: float | None, context: Context) -> None:
        """Return when the job has completed already; otherwise hand the wait to the triggerer."""
        latest = self._look(job)
        if self.hook.finish(latest):
            return
        self.log.info("%s: %s; waiting in the triggerer", latest.name, progress_line(latest, time.time()))
        self.defer(
            method_name="execute_complete",
            **defer_arguments(
                conn_id=self.conn_id,
                workspace=self.hook.workspace,
                job_name=job.name,
                poll_interval=self.poll_interval,
                deadline=deadline,
                time_left=time_left(context, self.execution_timeout),
                cancel_on_kill=self.cancel_on_kill,
            ),
            kwargs={"job_name": job.name},
        )

    def _look(self, job: BenchmarkJob) -> BenchmarkJob:
        try:
            return job.with_status(self.hook.get_status(job.name))
        except ServiceError as error:
            # One refusal is not definite; the trigger looks again, and counts them.
            if not (is_recoverable(error) or isinstance(error, Unauthorized)):
                raise
            self.log.warning("%s It will be looked at again.", error)
            return job

    def execute_complete(
        self, context: Context, event: dict[str, Any] | None = None, *, job_name: str | None = None
    ) -> str:
        """Resume after the triggerer's event, which must be about the job that was deferred for."""
        if job_name is None:
            job_name = str(event.get("job_name")) if isinstance(event, Mapping) else ""
        self.hook.finish_event(event, job_name=job_name, cancel_on_timeout=self.cancel_on_timeout)
        self.log.info('benchmark job "%s" in workspace "%s" completed', job_name, self.hook.workspace)
        return job_name

    def on_kill(self) -> None:
        if self.cancel_on_kill and self._running_job:
            self.hook.cancel_job_quickly(self._running_job, fingerprint=self._unconfirmed)

    def _submit(self, context: Context) -> tuple[BenchmarkJob, bool]:
        """The job of this task run, and whether this try has submitted it."""
        identity = identity_of(context, fresh=not self.reuse_job)
        fields: dict[str, Any] = {"fingerprint": fingerprint(self.spec, identity), "airflow": identity.to_dict()}
        spec = fingerprint(self.spec)
        memory = TaskMemory(context)
        remembered = memory.job()
        known = self._look_up(remembered) if remembered and self.reuse_job else None
        if remembered and known and self._goes_on(known, remembered, spec=spec, max_tries=identity.max_tries):
            self._log_attached(known)
            return known, False
        used_up = remembered.name if remembered and known is None else None
        job, created = self._submit_or_attach(self._names(identity, used_up), identity, fields)
        memory.keep(
            RememberedJob(name=job.name, fingerprint=fields["fingerprint"], spec=spec, max_tries=identity.max_tries)
        )
        return job, created

    def _look_up(self, remembered: RememberedJob) -> BenchmarkJob | None:
        """The job of an earlier try; None if it was deleted."""
        # Known before the request is sent: a kill in the middle of it must still reach the job.
        self._running_job, self._unconfirmed = remembered.name, remembered.fingerprint
        try:
            return self.hook.get_job(remembered.name)
        except NotFound:
            self._running_job = None
            return None

    def _goes_on(self, job: BenchmarkJob, remembered: RememberedJob, *, spec: str, max_tries: int) -> bool:
        """Whether a remembered job still runs or has completed, and the task was not cleared since."""
        ours = job.custom_fields.get("fingerprint") == remembered.fingerprint
        cleared = remembered.max_tries != max_tries
        if ours and not cleared and remembered.spec == spec and job.status not in _GIVEN_UP:
            self._unconfirmed = None
            return True
        # No trigger has seen the clear if none waited for the job at that time, or none was running.
        if ours and cleared and self.cancel_on_kill and self.wait_for_completion and job.status not in _OVER:
            self.hook.cancel_job_quickly(job.name)
        self._running_job = None
        return False

    def _names(self, identity: RunIdentity, used_up: str | None) -> list[str]:
        """Names for the jobs of this task run, in their order.

        :param used_up: a name whose job was deleted, which the service would let fail
        """
        attempts = range(1, _MAX_ATTEMPTS + 1)
        names = [numbered(self.job_name, n) if self.job_name else identity.job_name(n) for n in attempts]
        return names[names.index(used_up) + 1 :] if used_up in names else names

    def _submit_or_attach(
        self, names: Sequence[str], identity: RunIdentity, fields: Mapping[str, Any]
    ) -> tuple[BenchmarkJob, bool]:
        for name in names:
            # Until the answer is there only the fingerprint tells whether the job of this name is ours.
            self._running_job, self._unconfirmed = name, fields["fingerprint"]
            try:
                submission = self.hook.submit(self.spec, name=name, custom_fields=fields)
            except NameUnusable as error:
                self.log.warning("%s Taking the next name.", error)
                continue
            except Conflict:
                self._running_job = None  # somebody else's job is not ours to cancel
                if self._was_ours(name, identity):
                    continue
                raise
            self._unconfirmed = None
            job = submission.job
            if submission.created:
                self.log.info("Submitted %s: %s", job, self.hook.job_url(job.name))
                return job, True
            if job.status in _GIVEN_UP:
                self.log.info("%s of an earlier try has the status %s, submitting the next", job, job.status)
                continue
            self._log_attached(job)
            return job, False
        raise Conflict(
            f"{_MAX_ATTEMPTS} jobs of this task run have failed or left their names unusable "
            f'(last "{names[-1]}"). Clear the task, or give it another job_name.'
        )

    def _log_attached(self, job: BenchmarkJob) -> None:
        self.log.info("Attached to %s of an earlier try (%s): %s", job, job.status, self.hook.job_url(job.name))

    def _was_ours(self, name: str, identity: RunIdentity) -> bool:
        """Whether the job is of this task run from before a clear, or of a try with a job of its own.

        A derived name differs then; a given one is the same again.
        """
        try:
            owner = self.hook.get_job(name).custom_fields.get("airflow")
        except ServiceError:
            return False
        return isinstance(owner, Mapping) and identity.continues(owner)


def identity_of(context: Context, *, fresh: bool = False) -> RunIdentity:
    """The identity of a task run, the same over its retries.

    :param fresh: make one that no other try shares
    """
    ti = context["ti"]
    dag_run = context["dag_run"]
    deployment = conf.get("benchmarks", "deployment", fallback="")
    if not deployment:  # Airflow 3 warns when it is asked for the option's old name
        deployment = conf.get("api" if AIRFLOW_V_3_0_PLUS else "webserver", "base_url", fallback="") or ""
    return RunIdentity(
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        task_id=ti.task_id,
        map_index=-1 if ti.map_index is None else ti.map_index,
        clear_number=getattr(dag_run, "clear_number", 0) or 0,
        max_tries=getattr(ti, "max_tries", 0) or 0,
        deployment=f"{deployment}#{time.time_ns()}" if fresh else deployment,
    )
