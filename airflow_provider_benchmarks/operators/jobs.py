"""Run benchmark jobs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_benchmarks.exceptions import (
    ConfigurationError,
    Conflict,
    JobTimeout,
    NameUnusable,
    NotFound,
    ServiceError,
)
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStatus, RunIdentity, fingerprint, progress_line
from airflow_provider_benchmarks.jobs.identity import check_name, numbered
from airflow_provider_benchmarks.jobs.polling import is_transient
from airflow_provider_benchmarks.links import BenchmarkJobLink
from airflow_provider_benchmarks.operators._base import BenchmarkOperator
from airflow_provider_benchmarks.operators._task_state import RememberedJob, TaskMemory
from airflow_provider_benchmarks.waiting import deadline_after, defer_arguments, seconds_of, time_left

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

#: Far more jobs than the retries of one task run can need.
_MAX_ATTEMPTS = 100
#: A retry does not go on with such a job. What the try before has cancelled may take a while to end.
_GIVEN_UP = (JobStatus.ERROR, JobStatus.CANCELLED, JobStatus.CANCELLING)
_OVER = (JobStatus.COMPLETED, *_GIVEN_UP)
#: Fields of a spec that hold Jinja templates of the service, which it fills with each dataset row.
_SERVICE_TEMPLATES = frozenset({"prompt_template"})


class RunBenchmarkJobOperator(BenchmarkOperator):
    """Submit a benchmark job and wait until it has completed.

    A task run submits its job once: the job is named after the run, so that a retry, also after a crash, finds the job
    and goes on waiting for it. A retry after a job that ended in error or was cancelled submits the next one, with a
    number behind its name; clearing the task starts a fresh one. Airflow's ``execution_timeout`` counts for each try, as
    ever, and ends it without a word about the job: give the job its ``timeout`` instead.

    :param spec: the service's job spec, ``{"benchmark": "workspace/name", "params": {…}, …}`` (templated, except for its
        ``prompt_template``, which is the service's own template)
    :param job_name: name of the job; derived from the task run when None (templated)
    :param wait_for_completion: False ends the task when the job is submitted
    :param deferrable: wait in the triggerer, without a worker slot
    :param poll_interval: seconds between two looks at the job
    :param timeout: how long to wait for the job, seconds or timedelta; None for no limit
    :param cancel_on_kill: cancel the job when the task is killed, marked, cleared or runs into its ``execution_timeout``.
        While it is deferred that is noticed by the triggerer: from Airflow 3.3 on always, before unless it is down
    :param cancel_on_timeout: cancel the job when it has not ended within ``timeout``, and a retry submits the next one;
        False leaves it running, and a retry goes on waiting for it
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
            raise ConfigurationError(f'task "{self.task_id}": poll_interval must be more than 0, found {poll_interval}')
        if isinstance(job_name, str) and "{{" not in job_name:
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
        self._submitting: str | None = None

    def render_template(self, content: Any, *args: Any, **kwargs: Any) -> Any:
        # The service's own templates, {{item.question}} and the like, must reach it as they are.
        if isinstance(content, dict) and (own := _SERVICE_TEMPLATES & content.keys()):
            rest = {key: value for key, value in content.items() if key not in own}
            return {**super().render_template(rest, *args, **kwargs), **{key: content[key] for key in own}}
        return super().render_template(content, *args, **kwargs)

    def execute(self, context: Context) -> str:
        job = self._submit(context)
        BenchmarkJobLink().persist(context, self.hook.job_url(job.name))
        if not self.wait_for_completion:
            self._running_job = None
            return job.name
        if self.deferrable:
            self._defer_until_finished(job, context)
        else:
            with self._cancelling_on_timeout(job.name):
                self.hook.wait_for_job(job.name, poll_interval=self.poll_interval, timeout=seconds_of(self.timeout))
        self._running_job = None
        return job.name

    @contextmanager
    def _cancelling_on_timeout(self, job_name: str) -> Iterator[None]:
        try:
            yield
        except JobTimeout:
            if self.cancel_on_timeout:
                self.hook.cancel_job_quickly(job_name)
            raise

    def _defer_until_finished(self, job: BenchmarkJob, context: Context) -> None:
        """Return when the job has completed already; otherwise hand the wait to the triggerer."""
        latest = self._look(job)
        if self.hook.finish(latest):
            return
        self.log.info("%s: %s; waiting in the triggerer", latest.name, progress_line(latest, time.time()))
        self.defer(
            method_name="execute_complete",
            **defer_arguments(
                conn_id=self.conn_id,
                workspace=self.workspace,
                job_name=job.name,
                poll_interval=self.poll_interval,
                deadline=deadline_after(self.timeout),
                time_left=time_left(context, self.execution_timeout),
                cancel_on_kill=self.cancel_on_kill,
            ),
            kwargs={"job_name": job.name},
        )

    def _look(self, job: BenchmarkJob) -> BenchmarkJob:
        try:
            return job.with_status(self.hook.get_status(job.name))
        except ServiceError as error:
            if not is_transient(error):
                raise
            self.log.warning("%s It will be looked at again.", error)
            return job

    def execute_complete(
        self, context: Context, event: dict[str, Any] | None = None, *, job_name: str | None = None
    ) -> str:
        """Resume after the triggerer's event, which must be about the job that was deferred for."""
        if job_name is None:
            job_name = str(event.get("job_name")) if isinstance(event, Mapping) else ""
        with self._cancelling_on_timeout(job_name):
            self.hook.finish_event(event, job_name=job_name)
        self.log.info('benchmark job "%s" in workspace "%s" completed', job_name, self.hook.workspace)
        return job_name

    def on_kill(self) -> None:
        if self.cancel_on_kill and self._running_job:
            self.hook.cancel_job_quickly(self._running_job, fingerprint=self._submitting)

    def _submit(self, context: Context) -> BenchmarkJob:
        identity = identity_of(context, fresh=not self.reuse_job)
        fields: dict[str, Any] = {"fingerprint": fingerprint(self.spec, identity), "airflow": identity.to_dict()}
        memory = TaskMemory(context)
        spec, max_tries = fingerprint(self.spec), getattr(context["ti"], "max_tries", 0)
        job = self._go_on_with(memory.job(), spec=spec, max_tries=max_tries)
        if job is None:
            job = self._submit_or_attach(identity, fields)
            memory.keep(RememberedJob(name=job.name, fingerprint=fields["fingerprint"], spec=spec, max_tries=max_tries))
        return job

    def _go_on_with(self, remembered: RememberedJob | None, *, spec: str, max_tries: int) -> BenchmarkJob | None:
        """The job of an earlier try, if it still runs or has completed, and the task was not cleared since."""
        if remembered is None or not self.reuse_job:
            return None
        try:
            job = self.hook.get_job(remembered.name)
        except NotFound:
            return None
        if job.custom_fields.get("fingerprint") != remembered.fingerprint:
            return None
        if remembered.max_tries != max_tries:
            # No trigger has seen the clear if none waited for the job at that time, or none was running.
            if self.cancel_on_kill and self.wait_for_completion and job.status not in _OVER:
                self.hook.cancel_job_quickly(job.name)
            return None
        if remembered.spec != spec or job.status in _GIVEN_UP:
            return None
        self._running_job = job.name
        self._log_attached(job)
        return job

    def _submit_or_attach(self, identity: RunIdentity, fields: dict[str, Any]) -> BenchmarkJob:
        name = ""
        for attempt in range(1, _MAX_ATTEMPTS + 1):
            name = numbered(self.job_name, attempt) if self.job_name else identity.job_name(attempt)
            # Known before the request is sent: a kill in the middle of it must still reach the job. Until the answer is
            # there only the fingerprint tells whether the job of this name is ours.
            self._running_job, self._submitting = name, fields["fingerprint"]
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
            self._submitting = None
            job = submission.job
            if submission.created:
                self.log.info("Submitted %s: %s", job, self.hook.job_url(job.name))
                return job
            if job.status in _GIVEN_UP:
                self.log.info("%s of an earlier try has the status %s, submitting the next", job, job.status)
                continue
            self._log_attached(job)
            return job
        raise Conflict(f'{_MAX_ATTEMPTS} jobs of this task run have failed or left their names unusable ("{name}")')

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
    # Airflow 3 warns when it is asked for the option's old name.
    deployment = conf.get("api" if AIRFLOW_V_3_0_PLUS else "webserver", "base_url", fallback="") or ""
    return RunIdentity(
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        task_id=ti.task_id,
        map_index=-1 if ti.map_index is None else ti.map_index,
        clear_number=getattr(dag_run, "clear_number", 0) or 0,
        deployment=f"{deployment}#{time.time_ns()}" if fresh else deployment,
    )
