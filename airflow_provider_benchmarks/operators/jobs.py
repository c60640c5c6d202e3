"""Run benchmark jobs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_benchmarks.benchmarks import JobRequest
from airflow_provider_benchmarks.deferral import deadline_of_job, deferral_timeout, is_of_earlier_try, seconds_until
from airflow_provider_benchmarks.durations import seconds_of
from airflow_provider_benchmarks.exceptions import Conflict, JobNotFound, NameUnusable, ServiceError, Unauthorized
from airflow_provider_benchmarks.job_xcom import TaskJob, name_map_index, push_job
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStatus, RunIdentity, fingerprint, progress_line
from airflow_provider_benchmarks.jobs.identity import numbered
from airflow_provider_benchmarks.links import BenchmarkJobLink, link_job
from airflow_provider_benchmarks.operators._arguments import FLAG, JOB_NAME, MODEL, Rule
from airflow_provider_benchmarks.operators._base import DEFAULT_CONN_ID, BenchmarkOperator
from airflow_provider_benchmarks.operators._final_errors import fails_for_good
from airflow_provider_benchmarks.operators._job_content import JobContent, own_params, own_templates
from airflow_provider_benchmarks.operators._lineage import Kind
from airflow_provider_benchmarks.operators._metrics import send_scores, submitted_at, timed_job
from airflow_provider_benchmarks.operators._run_log import explained_timeout, log_scores_of
from airflow_provider_benchmarks.operators._task_identity import identity_of
from airflow_provider_benchmarks.operators._task_state import PreviousJob, TaskState
from airflow_provider_benchmarks.retry_policy import is_recoverable
from airflow_provider_benchmarks.storable import storable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_benchmarks.benchmarks import Benchmark

#: Maximum number of jobs of one task run; far more than its retries can need.
MAX_ATTEMPTS = 100
#: Statuses of a job that a retry does not attach to. A job that an earlier try has cancelled may take a while to end.
_FAILED = (JobStatus.ERROR, JobStatus.CANCELLED, JobStatus.CANCELLING)
_ENDED = (JobStatus.COMPLETED, *_FAILED)


class RunBenchmarkJobOperator(BenchmarkOperator):
    """Submit a benchmark job and wait until it has completed.

    A task run submits its job once. The job is named after the run, so that a retry, also after a crash, finds it and
    goes on waiting for it. A retry after a job that ended in error or was cancelled submits the next job, with a number
    behind its name. Clearing the task submits a new one. (Before Airflow 3.1 nothing distinguishes a retry from the
    clear of a running task: the next try attaches to a job that ``cancel_on_kill=False`` has kept.) A job that someone
    deletes uses its name up: from Airflow 3.3 on a retry takes the next name, before it submits a job that the service
    lets fail.

    Airflow's ``execution_timeout`` counts for each try, and its error says nothing about the job. Set ``timeout``
    instead.

    Either ``benchmark`` or ``spec`` says what the job runs. From a benchmark as code each release of the service gets
    the spec that it takes, so that the same task runs on all of them. Release 0.1 runs benchmarks that it has stored:
    one that is missing is stored first, with its metrics, and one that differs is an error. Airflow's own argument
    ``params`` has the service's job parameters for a benchmark, such as ``{"parallelism": 4, "limit_samples": 100}``,
    which may have templates. Whoever triggers a DAG run can set them in its configuration. The DAG's own params are not
    sent.

    :param spec: the service's own job spec, which is sent as it is. For release 0.1: ``{"benchmark": "workspace/name",
        "params": {…}, …}`` (templated, except for its ``prompt_template``, its agent's ``body``, inline
        metrics and inline rows, which have the service's own templates)
    :param benchmark: the path of a benchmark file, in object storage or relative to a folder from the DAG file's up to
        the DAGs folder; a :class:`~airflow_provider_benchmarks.benchmarks.Benchmark`; or, for release 0.1, the
        reference ``workspace/name`` of a stored benchmark (templated)
    :param model: for an online job of a benchmark: the model whose outputs are scored, a reference ``workspace/name``
        or ``{"url": …, "name": …, …}`` (templated)
    :param prompt_template: of the requests to the model, with the service's own templates, such as
        ``{{item.question}}``
    :param job_name: name of the job; None (the default) to derive it from the task run (templated)
    :param conn_id: connection to the evaluation service (templated). Default: ``nemo_evaluator_default``
    :param workspace: workspace of the job; None (the default) for the connection's (templated)
    :param wait_for_completion: False ends the task when the job is submitted. Default: True
    :param deferrable: wait in the triggerer, without a worker slot. Default: ``[operators] default_deferrable``
    :param poll_interval: seconds or timedelta between two polls of the job, more than 0
    :param timeout: maximum duration of the job, seconds or timedelta, more than 0; None for no limit. Default: 24
        hours. It counts from the submit, over all tries that wait for the job
    :param cancel_on_kill: cancel the job when the task is killed, marked, cleared or reaches its ``execution_timeout``.
        While the task is deferred, that needs a triggerer that runs its trigger. Without one the job goes on (after a
        clear, from Airflow 3.3 on, the next try cancels it). Default: True
    :param cancel_on_timeout: cancel the job when it has not finished within ``timeout``; a retry submits the next one.
        False (the default) leaves it running; a retry waits for it as long again
    :param reuse_job: False submits a new job with every try of the task. Default: True
    :return: the job's name, as XCom ``return_value``. The job is in XCom ``benchmark_job``, too, while it is running:
        ``{"name", "workspace"}``
    :raises ConfigurationError: it is not clear what to run, the benchmark file is wrong, the service has stored another
        benchmark of the name, ``poll_interval`` or ``timeout`` is no finite number or not positive, or the service
        would not accept ``job_name``
    :raises InvalidRequest: the service does not accept the spec
    :raises JobFailed: the job ended in error; the message has the service's reason and the last log lines
    :raises JobCancelled: the job was cancelled
    :raises JobTimeout: the job did not finish within ``timeout``
    :raises Conflict: another job, not of this task run, has the name
    """

    template_fields: Sequence[str] = (
        "spec",
        "benchmark",
        "model",
        "job_params",
        "job_name",
        *BenchmarkOperator.template_fields,
    )
    template_fields_renderers = {"spec": "json", "model": "json", "job_params": "json"}  # noqa: RUF012
    argument_rules: Mapping[str, Rule] = {
        **BenchmarkOperator.argument_rules,
        "job_name": JOB_NAME.or_none(),
        "model": MODEL,
        **dict.fromkeys(
            ("wait_for_completion", "deferrable", "cancel_on_kill", "cancel_on_timeout", "reuse_job"), FLAG
        ),
    }
    operator_extra_links = (BenchmarkJobLink(),)

    def __init__(
        self,
        *,
        spec: Mapping[str, Any] | None = None,
        benchmark: Benchmark | str | None = None,
        model: str | Mapping[str, Any] | None = None,
        prompt_template: str | Mapping[str, Any] | None = None,
        job_name: str | None = None,
        conn_id: str = DEFAULT_CONN_ID,
        workspace: str | None = None,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: timedelta | float = 30,
        timeout: timedelta | float | None = timedelta(hours=24),
        cancel_on_kill: bool = True,
        cancel_on_timeout: bool = False,
        reuse_job: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, workspace=workspace, **kwargs)
        poll_interval = seconds_of(poll_interval, f'task "{self.task_id}": poll_interval')
        if timeout is not None:
            seconds_of(timeout, f'task "{self.task_id}": timeout')
        self.spec = spec
        self.benchmark = benchmark
        self.model = model
        self.prompt_template = prompt_template
        self.job_params = own_params(self)
        #: As the DAG file has them: Airflow writes what a run is triggered with into the task's own params.
        self.params_in_file = dict(self.job_params)
        self.job_name = job_name
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_timeout = cancel_on_timeout
        self.reuse_job = reuse_job
        self.check_known_arguments()
        JobContent(self).check()
        self._running_job: str | None = None
        #: Fingerprint that a job with this name must have, until the service has confirmed that it is this task's.
        self._unconfirmed: str | None = None

    def render_template(self, content: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(content, dict):
            return super().render_template(content, *args, **kwargs)
        own = own_templates(content, lambda value: self.render_template(value, *args, **kwargs), spec=self.spec)
        rest = {key: value for key, value in content.items() if key not in own}
        return {**super().render_template(rest, *args, **kwargs), **own}

    @fails_for_good
    def execute(self, context: Context) -> str:
        self.begin_lineage()
        self.check_rendered_arguments()
        job, created = self._submit(context)
        self._note_job(job.name, job.benchmark)
        push_job(context, TaskJob(name=job.name, workspace=self.hook.workspace))
        name_map_index(context, job=job.name, benchmark=job.benchmark)
        link_job(context, self.hook, job.name, benchmark=job.benchmark)
        if not self.wait_for_completion:
            self._running_job = None
            self.lineage.writes(Kind.SCORES, job.name)
            return job.name
        deadline = deadline_of_job(self.timeout, job, is_new=created, is_cancelled=self.cancel_on_timeout)
        known = {"workspace": self.hook.workspace, "benchmark": job.benchmark}
        with timed_job(context, submitted=submitted_at(job.created_at), **known):
            if self.deferrable:
                self._defer_until_finished(job, deadline, context)
            else:
                self._wait(job, deadline)
        return self._end(context, job.name, job.benchmark)

    def _wait(self, job: BenchmarkJob, deadline: float | None) -> None:
        with explained_timeout(self, job.name):
            self.hook.wait_for_job(
                job.name,
                poll_interval=self.poll_interval,
                timeout=seconds_until(deadline),
                cancel_on_timeout=self.cancel_on_timeout,
            )

    def _end(self, context: Context, job_name: str, benchmark: str) -> str:
        self._running_job = None
        scores = log_scores_of(self.hook, job_name, self.log)
        self.lineage.writes(Kind.SCORES, job_name, rows=scores and scores.expected_rows, scores=scores)
        send_scores(context, scores, workspace=self.hook.workspace, benchmark=benchmark)
        return job_name

    def _note_job(self, job_name: str, benchmark: str | None) -> None:
        self.lineage.job = job_name
        self.lineage.reads(Kind.BENCHMARK, benchmark or "")

    def _defer_until_finished(self, job: BenchmarkJob, deadline: float | None, context: Context) -> None:
        """Return if the job has completed already, else defer until it has finished."""
        from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger

        latest = self._poll(job)
        if self.hook.finish(latest):
            return
        self.log.info("%s: %s; waiting in the triggerer", latest.name, progress_line(latest, time.time()))
        trigger = BenchmarkJobTrigger(
            conn_id=self.conn_id,
            workspace=self.hook.workspace,
            job_name=job.name,
            poll_interval=self.poll_interval,
            deadline=deadline,
            cancel_on_kill=self.cancel_on_kill,
        )
        self.defer(
            trigger=trigger,
            method_name="execute_complete",
            timeout=deferral_timeout(context, deadline=deadline, execution_timeout=self.execution_timeout),
            kwargs=storable(
                {
                    "job_name": job.name,
                    "benchmark": job.benchmark,
                    "try_number": context["ti"].try_number,
                    "submitted": submitted_at(job.created_at),
                }
            ),
        )

    def _poll(self, job: BenchmarkJob) -> BenchmarkJob:
        try:
            return job.with_status(self.hook.get_status(job.name))
        except ServiceError as error:
            # One refusal is not definite. The trigger polls again, and counts them.
            if not (is_recoverable(error) or isinstance(error, Unauthorized)):
                raise
            self.log.warning("%s The job will be polled again.", error)
            return job

    @fails_for_good
    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any] | None = None,
        *,
        job_name: str | None = None,
        benchmark: str | None = None,
        try_number: int | None = None,
        submitted: float | None = None,
    ) -> str:
        """Resume after the trigger's event.

        :param event: the event's payload; anything but a completed job raises
        :param job_name: the job that the task deferred for, which the event must be about
        :param benchmark: that this job runs
        :param try_number: the try that deferred; a later one begins anew
        :param submitted: when the job was, in seconds since the epoch
        """
        if is_of_earlier_try(context, try_number):
            return self.execute(context)
        job_name = job_name or (str(event.get("job_name")) if isinstance(event, Mapping) else "")
        self.begin_lineage()
        self._note_job(job_name, benchmark)
        name_map_index(context, job=job_name, benchmark=benchmark)
        workspace = self.hook.workspace
        with timed_job(context, submitted=submitted, workspace=workspace, benchmark=benchmark):
            self.hook.finish_event(
                event, job_name=job_name, cancel_on_timeout=self.cancel_on_timeout, timeout=self.timeout
            )
        self.log.info('benchmark job "%s" in workspace "%s" completed', job_name, workspace)
        return self._end(context, job_name, benchmark or "")

    def on_kill(self) -> None:
        if self.cancel_on_kill and self._running_job:
            self.hook.cancel_job_quickly(self._running_job, fingerprint=self._unconfirmed)

    def _submit(self, context: Context) -> tuple[BenchmarkJob, bool]:
        """Submit the job of this task run, or attach to it.

        :return: the job, and whether this try has submitted it
        """
        identity = identity_of(context, unique=not self.reuse_job)
        content = JobContent(self).resolve(context)
        what = content.identity if isinstance(content, JobRequest) else content
        fields: dict[str, Any] = {"fingerprint": fingerprint(what, identity), "airflow": identity.to_dict()}
        spec = fingerprint(what)
        state = TaskState(context)
        previous = state.load()
        found = self._request_previous(previous) if previous and self.reuse_job else None
        if previous and found and self._continues(found, previous, spec=spec, max_tries=identity.max_tries):
            self._log_attached(found)
            return found, False
        used_up = previous.name if previous and found is None else None
        job, created = self._submit_or_attach(content, self._names(identity, used_up), identity, fields)
        state.save(
            PreviousJob(name=job.name, fingerprint=fields["fingerprint"], spec=spec, max_tries=identity.max_tries)
        )
        return job, created

    def _request_previous(self, previous: PreviousJob) -> BenchmarkJob | None:
        """Request the job of an earlier try; None if it was deleted.

        :raises NotFound: it is not certain that it was: it may be running, and there must be no second one
        """
        # Set before the request: a kill during it must still cancel the job.
        self._running_job, self._unconfirmed = previous.name, previous.fingerprint
        try:
            return self.hook.get_job(previous.name)
        except JobNotFound:
            self._running_job = None
            return None

    def _continues(self, job: BenchmarkJob, previous: PreviousJob, *, spec: str, max_tries: int) -> bool:
        """Return True if the job of an earlier try is running or has completed, and the task was not cleared since."""
        ours = job.custom_fields.get("fingerprint") == previous.fingerprint
        cleared = previous.max_tries != max_tries
        if ours and not cleared and previous.spec == spec and job.status not in _FAILED:
            self._unconfirmed = None
            return True
        # No trigger has noticed the clear if none waited for the job at that time, or none was running.
        if ours and cleared and self.cancel_on_kill and self.wait_for_completion and job.status not in _ENDED:
            self.hook.cancel_job_quickly(job.name)
        self._running_job = None
        return False

    def _names(self, identity: RunIdentity, used_up: str | None) -> list[str]:
        """Return the names for the jobs of this task run, in their order.

        :param used_up: a name whose job was deleted; the service would let the next job of that name fail
        """
        attempts = range(1, MAX_ATTEMPTS + 1)
        names = [numbered(self.job_name, n) if self.job_name else identity.job_name(n) for n in attempts]
        return names[names.index(used_up) + 1 :] if used_up in names else names

    def _submit_or_attach(
        self,
        content: Mapping[str, Any] | JobRequest,
        names: Sequence[str],
        identity: RunIdentity,
        fields: Mapping[str, Any],
    ) -> tuple[BenchmarkJob, bool]:
        unclear = 0
        for name in names:
            # Before the response only the fingerprint shows whether the job with this name is this task's.
            self._running_job, self._unconfirmed = name, fields["fingerprint"]
            try:
                submission = self.hook.client.submit_job(content, name=name, custom_fields=fields)
            except NameUnusable as error:
                unclear += not error.is_about_name
                if unclear > 1:  # the service has said twice that something is in conflict, and not that it is the name
                    self._running_job = None
                    raise
                self.log.warning("%s Taking the next name.", error)
                continue
            except Conflict:
                self._running_job = None  # a job of somebody else must not be cancelled
                if self._was_ours(name, identity):
                    continue
                raise
            self._unconfirmed = None
            job = submission.job
            if submission.created:
                self.log.info("Submitted %s: %s", job, self.hook.job_url(job.name))
                return job, True
            if job.status in _FAILED:
                self.log.info("%s of an earlier try has the status %s, submitting the next", job, job.status)
                continue
            self._log_attached(job)
            return job, False
        raise Conflict(
            f"{MAX_ATTEMPTS} jobs of this task run have failed or left their names unusable "
            f'(last "{names[-1]}"). Clear the task, or give it another job_name.',
            method="POST",
        )

    def _log_attached(self, job: BenchmarkJob) -> None:
        self.log.info("Attached to %s of an earlier try (%s): %s", job, job.status, self.hook.job_url(job.name))

    def _was_ours(self, name: str, identity: RunIdentity) -> bool:
        """Return True if the job is of this task run before a clear, or of a try that had a job of its own.

        A derived name differs in these cases. A given name is the same again.
        """
        try:
            owner = self.hook.get_job(name).custom_fields.get("airflow")
        except ServiceError:
            return False
        return isinstance(owner, Mapping) and identity.continues(owner)
