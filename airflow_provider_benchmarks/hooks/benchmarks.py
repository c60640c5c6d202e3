"""The hook: benchmark jobs and their scores through an Airflow connection."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_benchmarks.exceptions import (
    BenchmarkError,
    JobError,
    JobTimeout,
    NotFound,
    ServiceError,
)
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobResult, JobStatus, LogSummary, finish, progress_line
from airflow_provider_benchmarks.jobs.outcome import status_of_event
from airflow_provider_benchmarks.retry_policy import is_recoverable

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig, Submission
    from airflow_provider_benchmarks.scores import AggregateScores, RowScore
    from airflow_provider_benchmarks.store import ScoreStore, StoredFile, StoredJob

#: For the log of a failed job, seconds; it is for people, and is told as far as it was read.
_LOG_SECONDS = 300.0


class BenchmarkHook(BaseHook):
    """Submit and watch benchmark jobs of a NeMo Evaluator service and fetch their scores.

    Every method raises a :class:`~airflow_provider_benchmarks.exceptions.ServiceError` when the service refuses or
    can't be reached; transient faults are tried again first.

    :param conn_id: connection of type ``nemo_evaluator``
    :param workspace: workspace of the jobs; defaults to the connection's
    """

    conn_name_attr = "conn_id"
    default_conn_name = "nemo_evaluator_default"
    conn_type = "nemo_evaluator"
    hook_name = "NeMo Evaluator"

    def __init__(self, conn_id: str = default_conn_name, *, workspace: str | None = None) -> None:
        super().__init__()
        self.conn_id = conn_id
        self._workspace = workspace

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        from airflow_provider_benchmarks.provider_info import UI_FIELD_BEHAVIOUR

        # The hook's form of the same thing is written with underscores.
        return {key.replace("-", "_"): value for key, value in UI_FIELD_BEHAVIOUR.items()}

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The extra fields of the connection form up to Airflow 3.1, from the same list as that of later ones."""
        from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
        from wtforms import PasswordField, StringField

        from airflow_provider_benchmarks.provider_info import CONN_FIELDS

        def made(field: dict[str, Any]) -> Any:
            secret = field["schema"].get("format") == "password"
            kind, widget = (PasswordField, BS3PasswordFieldWidget) if secret else (StringField, BS3TextFieldWidget)
            return kind(field["label"], widget=widget(), description=field["description"])

        return {name: made(field) for name, field in CONN_FIELDS.items()}

    @cached_property
    def config(self) -> ClientConfig:
        from airflow_provider_benchmarks.hooks.connection import config_of

        return config_of(self.get_connection(self.conn_id), self._workspace)

    @cached_property
    def client(self) -> BenchmarkClient:
        from airflow_provider_benchmarks.client import BenchmarkClient

        return BenchmarkClient(self.config)

    def get_conn(self) -> BenchmarkClient:
        return self.client

    @property
    def workspace(self) -> str:
        return self.config.workspace

    def job_url(self, name: str) -> str:
        """Address of the job on the service, for people."""
        return self.config.url(self.config.generation.job_path(self.workspace, name))

    def submit_job(
        self,
        spec: Mapping[str, Any],
        *,
        name: str | None = None,
        description: str | None = None,
        custom_fields: Mapping[str, Any] | None = None,
    ) -> BenchmarkJob:
        """Submit a job at most once: the same name and spec again give the job that is there.

        :param spec: the service's job spec, ``{"benchmark": "workspace/name", "params": {…}}``
        :param name: name of the job; made up when None
        :raises Conflict: another job has the name
        :raises InvalidRequest: the service does not take the spec
        """
        return self.submit(spec, name=name, description=description, custom_fields=custom_fields).job

    def submit(
        self,
        spec: Mapping[str, Any],
        *,
        name: str | None = None,
        description: str | None = None,
        custom_fields: Mapping[str, Any] | None = None,
    ) -> Submission:
        """As :meth:`submit_job`, and tells whether the job was created or there already."""
        return self.client.submit_job(spec, name=name, description=description, custom_fields=custom_fields)

    def get_job(self, name: str) -> BenchmarkJob:
        return self.client.get_job(name)

    def get_status(self, name: str) -> BenchmarkJob:
        """The job's status with its steps, without its spec; what waiting looks at."""
        return self.client.get_status(name)

    def list_jobs(self, *, status: str | Sequence[str] | None = None) -> Iterator[BenchmarkJob]:
        """All jobs of the workspace, newest first.

        :param status: only jobs with this status, or one of these
        """
        return self.client.list_jobs(status=[status] if isinstance(status, str) else list(status or ()))

    def wait_for_job(
        self,
        name: str,
        *,
        poll_interval: float = 30,
        timeout: float | None = None,
        cancel_on_timeout: bool = False,
    ) -> BenchmarkJob:
        """Wait until the job has completed, logging its progress whenever it changes.

        :param poll_interval: seconds between two looks
        :param timeout: seconds to wait at most, None for no limit
        :param cancel_on_timeout: cancel the job when it has not ended by then
        :raises JobFailed: the job ended in error
        :raises JobCancelled: the job was cancelled
        :raises JobTimeout: it did not end in time
        """
        from airflow_provider_benchmarks.hooks.waiting import wait_until_finished

        try:
            job = wait_until_finished(self.config, name, poll_interval=poll_interval, timeout=timeout, log=self.log)
        except JobTimeout as error:
            job = self._after_timeout(error, cancel=cancel_on_timeout)
        self.finish(job)
        return job

    def finish(self, job: BenchmarkJob) -> bool:
        """End a wait: True when the job completed, False while it runs.

        :raises JobFailed: it ended in error; the message has the service's reason and the last log lines
        :raises JobCancelled: it was cancelled
        """
        if job.status != JobStatus.ERROR:
            return finish(job)
        from airflow_provider_benchmarks.hooks.waiting import show_failure

        job = job if job.steps else self._with_steps(job)
        log = self._log_of(job)
        show_failure(job, log, self.log)
        return finish(job, log=log)

    def finish_event(self, event: Mapping[str, Any] | None, *, job_name: str, cancel_on_timeout: bool = False) -> None:
        """End a deferred wait: returns when the trigger's event says that the job completed, or it has completed since.

        :param cancel_on_timeout: cancel a job that had not ended by its deadline, and has not by now
        :raises BenchmarkError: in every other case, as the right subclass
        """
        try:
            status = status_of_event(event, job_name=job_name)
        except JobTimeout as error:
            job = self._after_timeout(error, cancel=cancel_on_timeout)
            status = job.status
        else:
            if status == JobStatus.COMPLETED:
                return
            known = BenchmarkJob(name=job_name, workspace=self.workspace, status=status)
            try:
                job = self.get_job(job_name).with_status(self.get_status(job_name))
            except NotFound:  # deleted since
                job = known
        if not self.finish(job):
            raise JobError(
                f'{job} was reported as "{status}" and is "{job.status}" now. Clear this task: it attaches to the job.',
                job=job_name,
                workspace=self.workspace,
                status=job.status,
            )

    def _after_timeout(self, error: JobTimeout, *, cancel: bool) -> BenchmarkJob:
        """Look once more at a job whose deadline has passed; gives it if it has ended, and cancels it if asked else.

        :raises JobTimeout: it still runs; says what it does now, with the last lines of its log
        """
        from airflow_provider_benchmarks.hooks.waiting import poll_after_deadline, with_last_lines

        with self._hurried_client() as client:
            latest = poll_after_deadline(error, client)
            if isinstance(latest, BenchmarkJob):
                return latest
            if cancel:
                self.cancel_job_quickly(error.job)
            # A service that does not tell how the job stands is not waited for again, for the log.
            raise (error if latest is error else with_last_lines(latest, client)) from None

    def poke(self, name: str) -> bool:
        """Look once: True when the job completed, False while it runs or can't be seen for the moment.

        Only a refusal (401, 403) is looked at again soon, for about a minute, until it is definite.

        :raises JobFailed: the job ended in error
        :raises JobCancelled: it was cancelled
        :raises ServiceError: the service gave a definite answer that is not a job
        """
        from airflow_provider_benchmarks.hooks.waiting import look_through_refusals

        try:
            job = look_through_refusals(self.client, name, self.log)
        except ServiceError as error:
            if not is_recoverable(error):
                raise
            self.log.warning("%s It will be looked at again.", error)
            return False
        self.log.info("%s: %s", name, progress_line(job, time.time()))
        return self.finish(job)

    def cancel_job(self, name: str) -> BenchmarkJob:
        """Ask the service to cancel the job; nothing changes when it has ended."""
        return self.client.cancel_job(name)

    def cancel_job_quickly(self, name: str, *, fingerprint: str | None = None) -> None:
        """Cancel in bounded time, for a process that is being killed; a failure is logged, not raised.

        :param fingerprint: cancel only the job that has it, where it is not known yet whose job has the name; one that
            is not there is waited for some seconds, since its submit may still be under way
        """
        from airflow_provider_benchmarks.hooks.waiting import appearing

        try:
            with self._hurried_client() as client:
                if fingerprint is not None and appearing(client, name).custom_fields.get("fingerprint") != fingerprint:
                    self.log.info('benchmark job "%s" in workspace "%s" is not this task\'s.', name, self.workspace)
                    return
                client.cancel_job(name)
        except BenchmarkError as error:
            self.log.warning("The job may still be running on the service: %s", error)
        else:
            self.log.info('Asked the service to cancel benchmark job "%s" in workspace "%s".', name, self.workspace)

    def _hurried_client(self) -> BenchmarkClient:
        """A client for a caller that can't wait long: some ten seconds for a request, with all its tries."""
        from airflow_provider_benchmarks.client import BenchmarkClient

        return BenchmarkClient(replace(self.config, retry_seconds=3, timeout=min(self.config.timeout, 5)))

    def tail_logs(self, name: str, lines: int = 50) -> list[str]:
        """The last lines of the job's log, oldest first, in bounded memory; repeats are folded into one."""
        return LogSummary(self.client.iter_logs(name), keep=max(lines, 1000)).tail(lines)

    def get_dataset(self, job: BenchmarkJob) -> str:
        """What a job ran on: a dataset's reference; empty where the service does not say."""
        return self.client.get_dataset(job)

    def list_results(self, name: str) -> list[JobResult]:
        return self.client.list_results(name)

    def get_aggregate_scores(self, name: str) -> AggregateScores:
        """The job's scores over all rows.

        :raises NotFound: the job has no results
        :raises IncompleteResults: they can't be read
        """
        return self.client.get_aggregate_scores(name)

    def iter_row_scores(self, name: str, *, limit: int | None = None) -> Iterator[RowScore]:
        """Stream the job's row scores in constant memory.

        :param limit: stop after so many rows
        :raises IncompleteResults: a row can't be read, or the service's stored file is damaged
        """
        return self.client.iter_row_scores(name, limit=limit)

    def download_row_scores(
        self,
        name: str,
        destination: str,
        *,
        format: str = "jsonl",
        compression: str | None = None,
        with_sample: bool = False,
        neutralise_formulas: bool = True,
        if_exists: str = "replace",
        limit: int | None = None,
        partition_by: str | Sequence[str] = (),
        storage_conn_id: str | None = None,
    ) -> StoredFile:
        """Store the job's row scores, which appear complete or not at all.

        The file comes from the Files API where that serves it, else from the documented download; a dropped connection
        goes on where it stopped.

        :param destination: a path or URL for Airflow's ObjectStoragePath
        :param format: ``jsonl`` (byte for byte what the service holds), ``parquet`` or ``csv``
        :param compression: ``gzip`` or ``zstd`` for JSONL; ``zstd`` (when None) or ``snappy`` for Parquet
        :param with_sample: keep the model's outputs in Parquet and CSV too
        :param neutralise_formulas: in CSV, keep a spreadsheet from running texts as formulas
        :param if_exists: ``replace`` what is there, ``skip`` the download, or ``fail`` if it is not the very same
        :param limit: store only so many rows
        :param partition_by: make the destination a folder, with a file of its own for each value of this field or
            fields (Parquet and CSV)
        :param storage_conn_id: Airflow connection of the storage
        :raises IncompleteResults: there are fewer or more rows than the aggregate scores count
        :raises DestinationExists: ``if_exists="fail"`` and there is another file
        """
        from airflow_provider_benchmarks.hooks.downloads import RowDownload
        from airflow_provider_benchmarks.hooks.row_sources import ServiceRows
        from airflow_provider_benchmarks.store import Place, RowFormat, RowOptions

        row_format = RowFormat(
            name=format, compression=compression, with_sample=with_sample, neutralise_formulas=neutralise_formulas
        )
        options = RowOptions(
            place=Place.of(destination, storage_conn_id),
            row_format=row_format,
            if_exists=if_exists,
            limit=limit,
            partition_by=partition_by,
        )
        return RowDownload(ServiceRows(self.client, name), options).finish()

    def download_artifacts(self, name: str, destination: str, *, storage_conn_id: str | None = None) -> StoredFile:
        """Store the job's artifacts as the tar.gz that the service packs.

        What is there is always replaced, as the service packs anew for each request: no archive is the very same.

        :param destination: a path or URL for Airflow's ObjectStoragePath
        :param storage_conn_id: Airflow connection of the storage
        :raises DestinationExists: there is a folder
        """
        from airflow_provider_benchmarks.hooks.downloads import download_artifacts
        from airflow_provider_benchmarks.store import Place

        return download_artifacts(self.client, name, Place.of(destination, storage_conn_id))

    def store_job(self, store: ScoreStore, name: str) -> StoredJob:
        """Put a completed job with all its scores into the score store, unless it is there already.

        One that the service does not have any more is looked for in the store.
        """
        from airflow_provider_benchmarks.hooks.downloads import store_job
        from airflow_provider_benchmarks.hooks.row_sources import ServiceRows

        return store_job(ServiceRows(self.client, name), store)

    def test_connection(self) -> tuple[bool, str]:
        """Look whether the service answers, takes the token, and has the workspace."""
        try:
            config = self.config
            with self._hurried_client() as client:
                client.check_health()
                client.check_workspace()
                version = client.get_platform_version()
        except BenchmarkError as error:
            return False, str(error)
        return True, (
            f"Reached NeMo Evaluator {config.generation.release} ({config.generation.name}, platform version {version}) "
            f'at {config.base_url}, workspace "{config.workspace}".'
        )

    def _with_steps(self, job: BenchmarkJob) -> BenchmarkJob:
        try:
            return job.with_status(self.client.get_status(job.name))
        except ServiceError as error:  # the failure of the job is what matters
            self.log.warning("The job's steps can't be read: %s", error)
            return job

    def _log_of(self, job: BenchmarkJob) -> LogSummary:
        summary = LogSummary()
        try:
            summary.add(self.client.iter_logs(job.name, time_limit=_LOG_SECONDS))
        except ServiceError as error:  # the failure of the job is what matters
            self.log.warning("The job's log can't be read to its end: %s", error)
        return summary
