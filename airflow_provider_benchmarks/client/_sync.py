"""The synchronous client."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, TypeVar

import httpx

from airflow_provider_benchmarks.benchmarks import JobRequest
from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.client._archive import ArchiveCheck, CutArchive, NotAnArchive, refuse_text
from airflow_provider_benchmarks.client._body_encoding import decoded
from airflow_provider_benchmarks.client._choice import choose, naming_api
from airflow_provider_benchmarks.client._download_speed import DownloadSpeed
from airflow_provider_benchmarks.client._errors import (
    error_of_request,
    protocol_error,
)
from airflow_provider_benchmarks.client._operations import Operations, Submission
from airflow_provider_benchmarks.client._paging import Pages
from airflow_provider_benchmarks.client._readable_rows import readable_rows
from airflow_provider_benchmarks.client._requests import Request
from airflow_provider_benchmarks.client._response_body import body_length
from airflow_provider_benchmarks.client._row_download import FileDownload
from airflow_provider_benchmarks.client._row_stream import MAX_RESTARTS, RowStream
from airflow_provider_benchmarks.client._sync_requests import SyncRequests
from airflow_provider_benchmarks.client.generations import Generation
from airflow_provider_benchmarks.exceptions import (
    ConfigurationError,
    IncompleteResults,
    ProtocolError,
    ServiceError,
    ServiceUnavailable,
)
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobResult, LogLine, ResultName, RowCounts
from airflow_provider_benchmarks.jobs.failures import in_time_order
from airflow_provider_benchmarks.safe_causes import safe_cause
from airflow_provider_benchmarks.scores import AggregateScores, RowScore
from airflow_provider_benchmarks.scores.line_ends import with_line_feeds
from airflow_provider_benchmarks.scores.renamed_rows import RenamedRows, renamed_line

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: More pages than any real log has. A service that repeats itself must not keep us for ever.
MAX_LOG_PAGES = 10_000
#: Number of pages in a row without a line, each with the cursor of another: no log has many.
MAX_EMPTY_LOG_PAGES = 100
#: Of a log that is held in memory, with what each line takes besides its text.
MAX_LOG_BYTES, LINE_OVERHEAD_BYTES = 256 * 1024**2, 500


class BenchmarkClient(SyncRequests):
    """Talk to the evaluation service.

    A context manager; :meth:`close` ends its connections. Transient faults (no connection, 408, 421, 423, 425, 429,
    502, 503, 504) are retried for ``config.retry_seconds``; every method raises a
    :class:`~airflow_provider_benchmarks.exceptions.ServiceError` otherwise. ``workspace`` defaults to the
    configuration's.

    :param transport: sends the requests in place of the network, such as ``httpx.MockTransport``; proxies and
        ``config.verify`` have no effect then. The limit for the time of a whole request holds where it is an
        ``httpx.HTTPTransport``
    """

    def submit_job(
        self,
        spec: Mapping[str, Any] | JobRequest,
        *,
        name: str | None = None,
        description: str | None = None,
        custom_fields: Mapping[str, Any] | None = None,
        workspace: str | None = None,
    ) -> Submission:
        """Submit a job at most once.

        :param spec: the service's own job spec, or a benchmark and what it is run with, of which the service's spec is
            made. Where the service runs stored benchmarks only, one as code is stored first
        :param name: name of the job; made up when None
        :param custom_fields: stored with the job; a ``fingerprint`` in it replaces the spec's own
        :raises Conflict: another job has the name
        :raises NameUnusable: no job has the name, and none can get it any more
        :raises InvalidRequest: the service does not take the spec
        :raises ConfigurationError: the service has stored another benchmark or metric of this name, or can't run it
        """
        return self._run(
            lambda service: service.submit(
                spec, workspace=self._in(workspace), name=name, description=description, custom_fields=custom_fields
            )
        )

    def get_job(self, name: str, *, workspace: str | None = None, time_limit: float | None = None) -> BenchmarkJob:
        """The job with its spec.

        :param time_limit: seconds that a request may take, where that is less than the configuration allows
        """
        return self._run(
            lambda service: service.get(name, workspace=self._in(workspace), time_limit=time_limit),
            time_limit=time_limit,
        )

    def get_status(self, name: str, *, workspace: str | None = None, time_limit: float | None = None) -> BenchmarkJob:
        """The job's status with steps and progress; without spec, benchmark and custom fields.

        :param time_limit: as of :meth:`get_job`
        """
        return self._run(
            lambda service: service.get_status(name, workspace=self._in(workspace), time_limit=time_limit),
            time_limit=time_limit,
        )

    def list_jobs(self, *, status: Sequence[str] = (), workspace: str | None = None) -> Iterator[BenchmarkJob]:
        """All jobs of the workspace, newest first, over all pages.

        :param status: only jobs with one of these status words
        """
        pages = Pages()
        while pages.left:
            jobs, total = self._run(
                lambda service: service.list_page(pages.next, workspace=self._in(workspace), status=status)
            )
            yield from pages.has_read(total, jobs)

    def check_workspace(self, workspace: str | None = None) -> None:
        """Read one page of the workspace's jobs.

        :raises ServiceError: it is not there, or can't be read with this token
        """
        self._run(lambda service: service.list_page(1, workspace=self._in(workspace), status=(), page_size=1))

    def cancel_job(self, name: str, *, workspace: str | None = None) -> BenchmarkJob:
        """Request that the service cancels the job; nothing changes if it has finished."""
        return self._run(lambda service: service.cancel(name, workspace=self._in(workspace)))

    def delete_job(self, name: str, *, workspace: str | None = None) -> None:
        """Delete the job's record. A running job is not stopped by it, and the name can't be used again."""
        self._run(lambda service: service.delete(name, workspace=self._in(workspace)))

    def iter_logs(
        self, name: str, *, workspace: str | None = None, time_limit: float | None = None, tail: int | None = None
    ) -> Iterator[LogLine]:
        """The job's log lines as the service sends them, in no fixed order; a page of them is in memory at a time.

        :param time_limit: seconds for all pages
        :param tail: number of last lines that are enough; some services return all lines nevertheless
        :raises ServiceUnavailable: they take longer
        """
        ends = math.inf if time_limit is None else time.monotonic() + time_limit
        cursor: str | None = None
        seen: set[str | None] = set()
        empty = 0
        while cursor not in seen:  # a cursor that comes again leads back to pages that were read
            left = ends - time.monotonic()
            if left <= 0:
                raise ServiceUnavailable(
                    f'The log of benchmark job "{name}" was not there to its end after {time_limit:.0f} s. '
                    f"Read it on the service.",
                    workspace=self._in(workspace),
                    job=name,
                )
            if len(seen) >= MAX_LOG_PAGES:
                logger.warning(
                    'The log of benchmark job "%s" goes on after %d pages, the most that are read.', name, len(seen)
                )
                return
            seen.add(cursor)
            with self.within(left):
                page, cursor = self._log_page(name, cursor, self._in(workspace), tail)
            yield from page
            empty = 0 if page else empty + 1
            if empty >= MAX_EMPTY_LOG_PAGES and cursor is not None:
                logger.warning('The log of benchmark job "%s" ends here: %d pages in a row had no line.', name, empty)
                return
            if cursor is None:
                return

    def get_logs(self, name: str, *, workspace: str | None = None) -> list[LogLine]:
        """All log lines of the job, oldest first; of a long log :meth:`iter_logs` takes less memory.

        :raises ProtocolError: the log is larger than fits in memory, 256 MiB
        """
        lines, size = [], 0
        for line in self.iter_logs(name, workspace=workspace):
            lines.append(line)
            size += LINE_OVERHEAD_BYTES + len(line.message)
            if size > MAX_LOG_BYTES:
                raise ProtocolError(
                    f'The log of benchmark job "{name}" is larger than {MAX_LOG_BYTES // 1024**2} MiB, the most that '
                    f"get_logs() returns: iter_logs() reads it line by line.",
                    workspace=self._in(workspace),
                    job=name,
                )
        return in_time_order(lines)

    def list_results(self, name: str, *, workspace: str | None = None) -> list[JobResult]:
        return self._run(lambda service: service.results(name, workspace=self._in(workspace)))

    def get_aggregate_scores(self, name: str, *, workspace: str | None = None) -> AggregateScores:
        return self._run(lambda service: service.aggregate_scores(name, workspace=self._in(workspace)))

    def get_row_counts(self, name: str, *, workspace: str | None = None) -> RowCounts | None:
        """What the service reports about the rows of a job; None, without a request, where its release does not."""
        return self._run(lambda service: service.row_counts(name, workspace=self._in(workspace)))

    def get_dataset(self, job: BenchmarkJob) -> str:
        """The dataset of a job; empty where the service does not say."""
        return self._run(lambda service: service.dataset(job))

    def iter_row_scores(
        self, name: str, *, limit: int | None = None, workspace: str | None = None
    ) -> Iterator[RowScore]:
        """Stream the rows in constant memory.

        :param limit: number of rows to stop after; the service itself always sends all
        :raises ConfigurationError: the limit is no number of rows
        :raises IncompleteResults: a line is not a row, or the service ended the stream with an error
        """
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
            raise ConfigurationError(f"limit must be None or a number of rows, 0 or more, found {brief(limit)}")
        return self._rows(name, limit, workspace)

    def _rows(self, name: str, limit: int | None, workspace: str | None) -> Iterator[RowScore]:
        lines = self.iter_row_lines(name, workspace=workspace)
        try:
            yield from readable_rows(lines, lambda: self.open_row_scores(name, workspace=workspace)[0], limit)
        except IncompleteResults as error:
            raise IncompleteResults(
                f'row scores of benchmark job "{name}" in workspace "{self._in(workspace)}": {error}'
            ) from error

    def iter_row_lines(self, name: str, *, workspace: str | None = None) -> Generator[bytes, None, None]:
        """Stream the lines of the row scores, without line ends; resumes after a dropped connection.

        They are as they come, but for the names of the metrics: references where the job says which.
        """
        workspace = self._in(workspace)
        references = self._references(name, workspace)
        stream = RowStream()
        subject = f'row scores of benchmark job "{name}" in workspace "{workspace}"'
        speed = self._speed(subject, rows=lambda: stream.delivered)
        for restarts in range(MAX_RESTARTS + 1):
            request, response = self._open_result(name, ResultName.ROW_SCORES, workspace)
            try:
                for chunk in with_line_feeds(speed.of(decoded(response))):
                    yield from _renamed(stream.feed(chunk), references)
            except httpx.RequestError as fault:
                if restarts == MAX_RESTARTS:
                    raise error_of_request(request, fault, self.config.base_url) from safe_cause(fault)
                stream.reconnected()
                continue
            finally:
                response.close()
            yield from _renamed(stream.end(), references)
            return

    def open_row_scores(
        self, name: str, *, results: Sequence[JobResult] | None = None, workspace: str | None = None
    ) -> tuple[Iterable[bytes], int | None]:
        """Open the stored row scores as JSONL bytes, from the fastest route that serves them.

        The files service returns the file as it is stored. Where it refuses, or the result has no file, the documented
        download returns the same rows, written anew by the service.

        Metrics have their references as names, where the job says which.

        :param results: of the job, where they are known already; None requests them
        :return: the pieces, cut anywhere, and their number of bytes; None where the service does not say, or the names
            are changed on the way. Pieces that have a ``close`` and are not read must be closed
        :raises ResultsChanged: while reading: the file is another one after a dropped connection; begin again
        :raises ServiceUnavailable: while reading: the connection keeps dropping
        """
        workspace = self._in(workspace)
        try:
            request = self._run(lambda service: service.row_scores_file(name, results=results, workspace=workspace))
            reason = "the result has no file there"
            if request is not None:
                references = self._references(name, workspace)
                download = FileDownload(request, self._open, self.config)
                logger.info("Reading the row scores of %s from the Files API", request.subject)
                if references:
                    return RenamedRows(download, references), None
                return download, download.length
        except ServiceError as error:
            reason = str(error)
        logger.warning("Reading the row scores of %s from the slow documented download: %s", name, reason)
        return (line + b"\n" for line in self.iter_row_lines(name, workspace=workspace)), None

    def iter_result(self, name: str, result: str, *, workspace: str | None = None) -> Iterator[bytes]:
        """Stream a stored result as it is (``artifacts``: a tar.gz that the service packs anew for each request).

        :raises ProtocolError: something on the way has encoded it in a way that can't be undone
        :raises ServiceUnavailable: the connection dropped; begin again, a part can't be continued
        """
        request, response = self._open_packed(name, result, self._in(workspace))
        yield from self._body(request, response, result)

    def iter_artifacts(self, name: str, *, workspace: str | None = None) -> Generator[bytes, None, None]:
        """Stream the archive of the artifacts, a tar.gz, as :meth:`iter_result` does; it is checked as it passes.

        :raises ProtocolError: something else than an archive comes, such as a login page
        :raises IncompleteResults: the archive is damaged or cut short, or something follows it
        """
        request, response = self._open_packed(name, ResultName.ARTIFACTS, self._in(workspace))
        check = ArchiveCheck()
        try:
            with closing(self._body(request, response, ResultName.ARTIFACTS)) as pieces:
                refuse_text(response.headers.get("content-type", ""))
                for piece in pieces:
                    check.add(piece)
                    yield piece
            check.finish()
        except NotAnArchive as error:
            raise protocol_error(request, response.status_code, str(error)) from error
        except CutArchive as error:
            raise IncompleteResults(f"artifacts of {request.subject}: {error}. Nothing was stored.") from error
        finally:
            response.close()

    def _open_packed(self, name: str, result: str, workspace: str) -> tuple[Request, httpx.Response]:
        # A gateway would pack what is packed already; one that does it all the same is undone.
        return self._open_result(name, result, workspace, headers={"Accept-Encoding": "identity"})

    def _body(self, request: Request, response: httpx.Response, result: str) -> Generator[bytes, None, None]:
        try:
            encoding = response.headers.get("content-encoding", "identity").lower()
            if encoding not in ("identity", "gzip", "deflate"):
                found = f'the body is encoded as "{encoding}", though "identity" was asked for'
                raise protocol_error(request, response.status_code, found)
            subject = f'result "{result}" of {request.subject}'
            yield from self._speed(subject, length=body_length(response)).of(decoded(response))
        except httpx.RequestError as fault:
            raise error_of_request(request, fault, self.config.base_url) from safe_cause(fault)
        finally:
            response.close()

    def check_health(self) -> Any:
        """Request whether the service is ready; needs no token and is not retried."""
        return self._drive(Operations(self.config, self.config.generations[0]).health())

    def get_platform_version(self) -> str:
        """The version that the platform reports; ``unknown`` where it does not (a gateway may hide the route)."""
        return self._drive(Operations(self.config, self.config.generations[0]).platform_version())

    def get_generation(self) -> Generation:
        """The generation of the service; requests nothing where it is known.

        :raises ProtocolError: the address has none of them; says what was tried
        """
        with naming_api(self.config):
            return self._drive(choose(self.config))

    def job_url(self, name: str, *, workspace: str | None = None) -> str:
        """The URL of a job on the service."""
        workspace = self._in(workspace)
        path = self._run_for(name, workspace, lambda generation: generation.job_path(workspace, name))
        return self.config.url(path)

    def _in(self, workspace: str | None) -> str:
        return workspace or self.config.workspace

    def _speed(
        self, subject: str, *, length: int | None = None, rows: Callable[[], int] | None = None
    ) -> DownloadSpeed:
        config = self.config
        return DownloadSpeed(subject, least=config.min_download_speed, timeout=config.timeout, length=length, rows=rows)

    def _log_page(
        self, name: str, cursor: str | None, workspace: str, tail: int | None
    ) -> tuple[list[LogLine], str | None]:
        return self._run(lambda service: service.log_page(name, cursor, workspace=workspace, tail=tail))

    def _references(self, name: str, workspace: str) -> Mapping[str, str]:
        """The reference of each metric that the results of a job call otherwise."""
        names = self._run(lambda service: service.metric_names(name, workspace=workspace))
        return names.with_aliases(self.config.aliases)

    def _open_result(
        self, name: str, result: str, workspace: str, *, headers: Mapping[str, str] | None = None
    ) -> tuple[Request, httpx.Response]:
        """Send the request for a result's content."""

        def opened(generation: Generation) -> tuple[Request, httpx.Response]:
            request = Operations(self.config, generation).download(name, result, workspace=workspace)
            request = replace(request, headers=headers or {})
            return request, self._open(request)

        return self._run_for(name, workspace, opened)


def _renamed(lines: Iterable[bytes], references: Mapping[str, str]) -> Iterable[bytes]:
    return (renamed_line(line, references) for line in lines) if references else lines
