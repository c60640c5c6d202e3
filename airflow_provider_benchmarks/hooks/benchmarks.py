"""The hook: benchmark jobs and their scores through an Airflow connection."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Unpack

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_benchmarks.exceptions import BenchmarkError, JobTimeout, ServiceError
from airflow_provider_benchmarks.given_values import require_count, texts_of
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobResult, JobStatus, LogSummary, WaitLog, finish
from airflow_provider_benchmarks.retry_policy import is_recoverable
from airflow_provider_benchmarks.scores.metric_names import checked_references

if TYPE_CHECKING:
    from airflow_provider_benchmarks.benchmarks import Benchmark
    from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
    from airflow_provider_benchmarks.scores import AggregateScores, RowScore
    from airflow_provider_benchmarks.store import RowArguments, ScoreStore, StoredFile, StoredJob

#: Minimum number of log lines that are kept in memory, for repeats among them to be folded.
MIN_LOG_LINES_KEPT = 1000
#: Seconds for the pages of a log.
MAX_LOG_SECONDS = 300.0


class BenchmarkHook(BaseHook):
    """Submit, poll and cancel benchmark jobs of a NeMo Evaluator service, and fetch their scores.

    Every method that makes a request raises a :class:`~airflow_provider_benchmarks.exceptions.ServiceError` when the
    service refuses or can't be reached. Transient faults are retried first, for as long as ``[benchmarks]
    retry_seconds`` says. A connection that can't be used raises a
    :class:`~airflow_provider_benchmarks.exceptions.ConfigurationError`.

    :param conn_id: connection of type ``nemo_evaluator``
    :param workspace: workspace of the jobs; None (the default) for the connection's
    :param aliases: other names of metrics, by those that results have for them, for jobs whose submitter has not kept
        the names: ``{"exact-match": "workspace/exact-match"}``
    """

    conn_name_attr = "conn_id"
    default_conn_name = "nemo_evaluator_default"
    conn_type = "nemo_evaluator"
    hook_name = "NeMo Evaluator"

    def __init__(
        self,
        conn_id: str = default_conn_name,
        *,
        workspace: str | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.conn_id = conn_id
        self._workspace = workspace
        self._aliases = aliases

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the connection form shows Airflow's own fields."""
        from airflow_provider_benchmarks.provider_info import UI_FIELD_BEHAVIOUR

        # The same as in the provider info, but with underscores in the keys.
        return {key.replace("-", "_"): value for key, value in UI_FIELD_BEHAVIOUR.items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the extra fields of the connection form, for Airflow up to 3.1."""
        from airflow_provider_benchmarks.hooks.connection_form import connection_form_widgets

        return connection_form_widgets()

    @cached_property
    def config(self) -> ClientConfig:
        """Configuration of the client, from the connection.

        :raises ConfigurationError: a field of the connection can't be used
        """
        from airflow_provider_benchmarks.hooks.connection import config_of

        return config_of(self.get_connection(self.conn_id), self._workspace, self._aliases)

    @cached_property
    def client(self) -> BenchmarkClient:
        """HTTP client of the connection."""
        from airflow_provider_benchmarks.client import BenchmarkClient

        return BenchmarkClient(self.config)

    def get_conn(self) -> BenchmarkClient:
        """Return the HTTP client of the connection."""
        return self.client

    @property
    def workspace(self) -> str:
        """Workspace of the jobs."""
        return self.config.workspace

    @property
    def aliases(self) -> dict[str, str]:
        """Other names of metrics, by those that results have for them.

        :raises ConfigurationError: they are not names, or two metrics would have the same one
        """
        return checked_references(self._aliases or {})

    def job_url(self, name: str) -> str:
        """Return the URL of a job on the service, for people.

        :param name: name of the job
        """
        return self.client.job_url(name)

    def submit_job(
        self,
        spec: Mapping[str, Any] | None = None,
        *,
        benchmark: Benchmark | str | None = None,
        model: str | Mapping[str, Any] | None = None,
        prompt_template: str | Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        name: str | None = None,
        description: str | None = None,
        custom_fields: Mapping[str, Any] | None = None,
    ) -> BenchmarkJob:
        """Submit a job at most once: with the same name and spec again, the existing job is returned.

        Either ``spec`` or ``benchmark`` says what it runs. Of a benchmark the spec of the service's release is made.

        :param spec: the service's own job spec, which is sent as it is. For release 0.1: ``{"benchmark":
            "workspace/name", "params": {…}}``
        :param benchmark: a :class:`~airflow_provider_benchmarks.benchmarks.Benchmark`, the path of a benchmark file, or
            the reference ``workspace/name`` of one that the service has stored, where one as code is stored first
        :param model: for an online job of a benchmark: a reference ``workspace/name``, or ``{"url": …, "name": …, …}``
        :param prompt_template: of the requests to the model
        :param params: the service's job parameters, such as ``parallelism`` and ``limit_samples``
        :param name: name of the job; None (the default) for a generated one
        :param description: free text that the service stores with the job
        :param custom_fields: JSON values that the service stores with the job
        :raises ConfigurationError: it is not clear what to run, or the service has stored another benchmark of the name
        :raises OSError: the benchmark file can't be read
        :raises Conflict: another job has the name
        :raises InvalidRequest: the service does not accept the spec
        """
        from airflow_provider_benchmarks.benchmarks import requested, unread_model

        runs = requested(spec, benchmark, model=model, prompt_template=prompt_template, params=params)
        if (problem := unread_model(runs)) is not None:
            self.log.warning("%s", problem)
        return self.client.submit_job(runs, name=name, description=description, custom_fields=custom_fields).job

    def get_job(self, name: str) -> BenchmarkJob:
        """Request a job with its spec and custom fields.

        :param name: name of the job
        :raises NotFound: there is no such job
        """
        return self.client.get_job(name)

    def get_status(self, name: str) -> BenchmarkJob:
        """Request a job's status with its steps, without its spec: what a wait polls.

        :param name: name of the job
        :raises NotFound: there is no such job
        """
        return self.client.get_status(name)

    def list_jobs(self, *, status: str | Sequence[str] | None = None) -> Iterator[BenchmarkJob]:
        """Iterate over all jobs of the workspace, newest first.

        :param status: only jobs with this status, or with one of these; None (the default) for all
        """
        return self.client.list_jobs(status=[] if status is None else texts_of(status, "status"))

    def wait_for_job(
        self,
        name: str,
        *,
        poll_interval: timedelta | float = 30,
        timeout: timedelta | float | None = None,
        cancel_on_timeout: bool = False,
    ) -> BenchmarkJob:
        """Wait until a job has completed. Logs its progress, outages, and every few minutes that it waits.

        :param name: name of the job
        :param poll_interval: seconds or timedelta between two polls
        :param timeout: maximum time to wait, seconds or timedelta; None (the default) for no limit
        :param cancel_on_timeout: cancel the job when it has not finished by then
        :raises JobFailed: the job ended in error
        :raises JobCancelled: the job was cancelled
        :raises JobTimeout: it did not finish in time
        """
        from airflow_provider_benchmarks.hooks.inline_wait import wait_until_finished
        from airflow_provider_benchmarks.hooks.quick_requests import after_deadline

        try:
            job = wait_until_finished(self.config, name, poll_interval=poll_interval, timeout=timeout, log=self.log)
        except JobTimeout as error:
            job = after_deadline(self, error, cancel=cancel_on_timeout, timeout=timeout)
        self.finish(job)
        return job

    def finish(self, job: BenchmarkJob) -> bool:
        """Decide whether a job completed. Every wait ends here.

        :param job: a job as :meth:`get_job` or :meth:`get_status` returns it
        :return: True when the job completed, False while it is running
        :raises JobFailed: it ended in error; the message has the service's reason and the last log lines
        :raises JobCancelled: it was cancelled
        """
        if job.status != JobStatus.ERROR:
            return finish(job)
        from airflow_provider_benchmarks.hooks.failure_log import log_failure, read_failure

        job, log = read_failure(self.client, job, self.log)
        log_failure(job, log, self.log)
        return finish(job, log=log)

    def finish_event(
        self, event: Mapping[str, Any] | None, *, job_name: str, cancel_on_timeout: bool = False, timeout: Any = None
    ) -> None:
        """End a deferred wait. Returns if the event says that the job completed, or if it has completed since.

        :param event: the payload of the trigger's event
        :param job_name: the job that the task waits for
        :param cancel_on_timeout: cancel a job that had not finished by its deadline, and has not by now
        :param timeout: how long it was waited for, seconds or timedelta; None (the default) where that is not known
        :raises BenchmarkError: in every other case, as the right subclass
        """
        from airflow_provider_benchmarks.hooks.deferred_wait import end_wait

        end_wait(self, event, job_name=job_name, cancel_on_timeout=cancel_on_timeout, timeout=timeout)

    def poke(self, name: str, *, lines: WaitLog | None = None) -> bool:
        """Poll a job once.

        Only a refusal (401, 403) is polled again soon, for about a minute, until it is definite.

        :param name: name of the job
        :param lines: makes what is logged, of this poll and of those before; None (the default) for a single poll
        :return: True when the job completed; False while it is running, or its status can't be read for now
        :raises JobFailed: the job ended in error
        :raises JobCancelled: it was cancelled
        :raises ServiceError: the service gave a definite response that is not a job
        """
        from airflow_provider_benchmarks.hooks.inline_wait import poll_despite_refusals, write

        lines = lines or WaitLog(name)
        try:
            job = poll_despite_refusals(self.client, name, lines, self.log)
        except ServiceError as error:
            if not is_recoverable(error):
                raise
            write(lines.on_error(error, time.time()), self.log)
            return False
        write(lines.on_job(job, time.time()), self.log)
        return self.finish(job)

    def cancel_job(self, name: str) -> BenchmarkJob:
        """Ask the service to cancel a job. Nothing changes if it has finished.

        :param name: name of the job
        :raises NotFound: there is no such job
        """
        return self.client.cancel_job(name)

    def cancel_job_quickly(self, name: str, *, fingerprint: str | None = None) -> bool:
        """Cancel a job in bounded time, for a process that is being killed. An error is logged, not raised.

        :param name: name of the job
        :param fingerprint: cancel only a job with this fingerprint, where it is not known yet whose job has the name. A
            job that does not exist is waited for, for some seconds, since its submit may still be in progress
        :return: True if the service was asked to cancel it
        """
        from airflow_provider_benchmarks.hooks.quick_requests import cancel_quickly

        return cancel_quickly(self, name, fingerprint=fingerprint)

    def tail_logs(self, name: str, lines: int = 50) -> list[str]:
        """Return the last lines of a job's log, oldest first, in bounded memory. Repeated lines are folded into one.

        :param name: name of the job
        :param lines: maximum number of lines
        :raises NotFound: there is no such job
        :raises ServiceUnavailable: it takes more than five minutes to read the log
        """
        require_count(lines, "lines")
        keep = max(lines, MIN_LOG_LINES_KEPT)
        log = self.client.iter_logs(name, time_limit=MAX_LOG_SECONDS, tail=keep)
        return LogSummary(log, keep=keep).tail(lines)

    def get_dataset(self, job: BenchmarkJob) -> str:
        """Return the reference of the dataset that a job ran on; empty where the service does not say.

        :param job: a job as :meth:`get_job` returns it
        """
        return self.client.get_dataset(job)

    def list_results(self, name: str) -> list[JobResult]:
        """Return the results of a job, with their download URLs.

        :param name: name of the job
        """
        return self.client.list_results(name)

    def get_aggregate_scores(self, name: str) -> AggregateScores:
        """Return a job's scores over all rows.

        :param name: name of the job
        :raises NotFound: the job has no results
        :raises IncompleteResults: they can't be read
        """
        return self.client.get_aggregate_scores(name)

    def iter_row_scores(self, name: str, *, limit: int | None = None) -> Iterator[RowScore]:
        """Stream a job's row scores in constant memory.

        :param name: name of the job
        :param limit: maximum number of rows, None (the default) for all
        :raises IncompleteResults: a row can't be read, or the service's stored file is damaged
        """
        if limit is not None:
            require_count(limit, "limit")
        return self.client.iter_row_scores(name, limit=limit)

    def download_row_scores(
        self,
        name: str,
        destination: str,
        *,
        storage_conn_id: str | None = None,
        **arguments: Unpack[RowArguments],
    ) -> StoredFile:
        """Store a job's row scores. The file appears complete or not at all.

        The rows come from the Files API where that has them, else from the documented download. After a dropped
        connection the download goes on where it stopped.

        :param name: name of the job
        :param destination: a path or URL for Airflow's ObjectStoragePath
        :param storage_conn_id: Airflow connection of the storage
        :param arguments: format, compression, number of rows and the like, as in
            :class:`~airflow_provider_benchmarks.store.RowArguments`
        :raises ConfigurationError: it can't be done so; names the argument
        :raises IncompleteResults: there are fewer or more rows than the aggregate scores count
        :raises DestinationExists: ``if_exists="fail"`` and there is another file
        """
        from airflow_provider_benchmarks.hooks.downloads import RowDownload
        from airflow_provider_benchmarks.hooks.row_sources import ServiceRows
        from airflow_provider_benchmarks.store import Place, RowOptions

        options = RowOptions.of(Place.of(destination, storage_conn_id), **arguments)
        return RowDownload(ServiceRows(self.client, name), options).finish()

    def download_artifacts(self, name: str, destination: str, *, storage_conn_id: str | None = None) -> StoredFile:
        """Store a job's artifacts as the tar.gz that the service packs.

        An existing file is always replaced: the service packs anew for each request, so no two archives are the same.

        :param name: name of the job
        :param destination: a path or URL for Airflow's ObjectStoragePath
        :param storage_conn_id: Airflow connection of the storage
        :raises DestinationExists: there is a folder
        """
        from airflow_provider_benchmarks.hooks.downloads import download_artifacts
        from airflow_provider_benchmarks.store import Place

        return download_artifacts(self.client, name, Place.of(destination, storage_conn_id))

    def store_job(self, store: ScoreStore, name: str) -> StoredJob:
        """Put a completed job with all its scores into the score store, unless the store has it.

        A job that the service does not have any more is taken from the store.

        :param store: the score store
        :param name: name of the job
        :raises NotFound: neither the service nor the store has the job
        :raises JobError: the job has not completed
        :raises IncompleteResults: there are fewer or more rows than the aggregate scores count
        """
        from airflow_provider_benchmarks.hooks.downloads import store_job
        from airflow_provider_benchmarks.hooks.row_sources import ServiceRows

        return store_job(ServiceRows(self.client, name), store)

    def test_connection(self) -> tuple[bool, str]:
        """Check that the service responds, accepts the token, and has the workspace.

        :return: True and what was reached, or False and what to mend
        """
        from airflow_provider_benchmarks.hooks.connection_test import reached

        try:
            return True, reached(self.config)
        except BenchmarkError as error:
            return False, str(error)
