"""Every conversation with the service, written once for the synchronous and the asynchronous client.

An operation yields requests and is sent their answers; an error answer is thrown into it. It never does I/O itself.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from airflow_provider_benchmarks.benchmarks import Benchmark, JobRequest, JobSpec, plain_mapping, plain_text
from airflow_provider_benchmarks.client._config import ClientConfig
from airflow_provider_benchmarks.client._errors import protocol_error
from airflow_provider_benchmarks.client._name_conflicts import name_unusable, taken_by_another, taken_by_another_kind
from airflow_provider_benchmarks.client._requests import Answer, Operation, Request
from airflow_provider_benchmarks.client._response_body import parsed
from airflow_provider_benchmarks.client._stored_benchmarks import store_benchmark
from airflow_provider_benchmarks.client._whose import require_entries_of, require_job, require_owner
from airflow_provider_benchmarks.client.generations import HEALTH_PATH, VERSION_PATH, Generation, read_version
from airflow_provider_benchmarks.exceptions import (
    BenchmarkError,
    Conflict,
    IncompleteResults,
    JobNotFound,
    ProtocolError,
    ServiceError,
    ServiceUnavailable,
)
from airflow_provider_benchmarks.jobs import (
    METRIC_NAMES,
    BenchmarkJob,
    JobResult,
    LogLine,
    ResultName,
    RowCounts,
    fingerprint,
)
from airflow_provider_benchmarks.jobs.identity import check_name
from airflow_provider_benchmarks.masking import masked
from airflow_provider_benchmarks.retry_policy import SUBMITS, is_transient
from airflow_provider_benchmarks.safe_causes import safe_cause
from airflow_provider_benchmarks.scores import AggregateScores
from airflow_provider_benchmarks.scores.metric_names import MetricNames

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: An online submit checks the model before it answers: 4 tries of 10 seconds (measured: up to 45 s).
_SUBMIT_TIMEOUT_SECONDS = 90.0
_SUBMIT_TRIES = 5
#: After a conflict the other submit of the same name may still be under way, and its job not there yet.
_LOOKUPS_AFTER_CONFLICT = 6
_LIST_PAGE = 200
_TO_FIND_THE_RELEASE = "to find out which release it has"
_LOG_PAGE = 1000
#: Of the beginning of an answer that can't be read: no secret at its end is cut in two where it is shown.
_SEARCHED_BYTES = 16_384
FINGERPRINT = "fingerprint"
#: Distinguishes the job of this very submit from that of an earlier one with the same name and fingerprint.
_SUBMIT_ID = "submit_id"


@dataclass(frozen=True, slots=True)
class Submission:
    """The job of a submit.

    :param created: False if the job existed already, from an earlier submit with the same fingerprint; True also if the
        answer was lost and the job was found by its name
    """

    job: BenchmarkJob
    created: bool


class Operations:
    """The conversations with a service of one generation."""

    def __init__(self, config: ClientConfig, generation: Generation) -> None:
        self.config = config
        self.generation = generation
        self._request = partial(Request, generation=generation)

    def submit(
        self,
        spec: Mapping[str, Any] | JobRequest,
        *,
        workspace: str,
        name: str | None,
        description: str | None,
        custom_fields: Mapping[str, Any] | None,
    ) -> Operation[Submission]:
        """Submit a job at most once: after a lost answer or a conflict, compare the fingerprint of the name's job.

        :raises ConfigurationError: the spec or the custom fields are no JSON, or the description is no text; names it
        """
        if not isinstance(spec, JobRequest):
            spec = plain_mapping(spec, "spec")
        custom_fields = plain_mapping(custom_fields or {}, "custom_fields")
        description = plain_text(description, "description")
        name = check_name(name) if name is not None else f"benchmark-{secrets.token_hex(6)}"
        submit_id = secrets.token_hex(8)
        custom_fields = {FINGERPRINT: fingerprint_of(spec), **custom_fields, _SUBMIT_ID: submit_id}
        if isinstance(spec, JobRequest):
            made = yield from self._prepare(spec)
            custom_fields = {**spec.custom_fields, **custom_fields}
            if made.metric_names:
                custom_fields[METRIC_NAMES] = dict(made.metric_names)
            spec = made.spec
        post = self._request(
            method="POST",
            path=self.generation.jobs_path(workspace),
            json=self.generation.submit_body(
                name=name, spec=spec, description=description, custom_fields=custom_fields
            ),
            min_timeout=_SUBMIT_TIMEOUT_SECONDS,
            retry=False,
            workspace=workspace,
            job=name,
        )
        began = time.monotonic()
        for attempt in range(1, _SUBMIT_TRIES + 1):
            try:
                answer = yield post
                return Submission(self._read_job(post, answer), created=True)
            except Conflict as conflict:
                found: BenchmarkJob | None = yield from self._taken_by(post, conflict)
            except ServiceError as fault:
                if not (is_transient(fault) or isinstance(fault, ServiceUnavailable)):
                    raise
                pause = SUBMITS.pause(attempt, retry_after=fault.retry_after)
                if attempt == _SUBMIT_TRIES or pause > self.config.retry_seconds:
                    raise
                found = yield from self._find(post, delay=pause)
                is_last = not is_transient(fault) or time.monotonic() - began > self.config.retry_seconds
                if found is None and is_last:
                    raise
            if found is not None:
                if found.custom_fields.get(FINGERPRINT) != custom_fields[FINGERPRINT]:
                    raise taken_by_another(post, found)
                return Submission(found, created=found.custom_fields.get(_SUBMIT_ID) == submit_id)
        raise AssertionError("unreachable: the last try returns or raises")

    def _prepare(self, request: JobRequest) -> Operation[JobSpec]:
        """Make the service's spec for a benchmark, and store that first where jobs refer to a stored one."""
        stored = self.generation.stored_benchmarks()
        if stored is not None and isinstance(request.benchmark, Benchmark):
            yield from store_benchmark(request.benchmark, stored, self._request)
        return self.generation.job_spec(request)

    def _find(self, post: Request, *, delay: float) -> Operation[BenchmarkJob | None]:
        try:
            return (yield from self.get(post.job, workspace=post.workspace, delay=delay))
        except JobNotFound:
            return None
        except ProtocolError as error:
            if (error.status_code or 0) < 500:
                raise
            yield from self._refuse_other_kind(post, error)
            raise

    def _refuse_other_kind(self, post: Request, error: ProtocolError) -> Operation[None]:
        """Find out whether a job of another kind has the name: the service fails to show it, but has its status.

        :raises Conflict: it has
        """
        try:
            found = yield from self.get_status(post.job, workspace=post.workspace)
        except ServiceError:
            return
        raise taken_by_another_kind(post, found) from error

    def _taken_by(self, post: Request, conflict: Conflict) -> Operation[BenchmarkJob]:
        """Find out what a 409 means: a job, which may be ours, or a name that an earlier failed submit has burnt."""
        if not self.generation.is_name_taken(conflict.detail):
            raise conflict
        for attempt in range(_LOOKUPS_AFTER_CONFLICT):
            found = yield from self._find(post, delay=SUBMITS.pause(attempt) if attempt else 0.0)
            if found is not None:
                return found
        raise name_unusable(post, conflict)

    def get(
        self, name: str, *, workspace: str, delay: float = 0.0, time_limit: float | None = None
    ) -> Operation[BenchmarkJob]:
        path = self.generation.job_path(workspace, name)
        request = self._request(
            method="GET", path=path, workspace=workspace, job=name, delay=delay, time_limit=time_limit
        )
        return self._read_job(request, (yield request))

    def get_status(
        self, name: str, *, workspace: str, time_limit: float | None = None, retry: bool = True
    ) -> Operation[BenchmarkJob]:
        path = self.generation.status_path(workspace, name)
        request = self._request(
            method="GET", path=path, workspace=workspace, job=name, time_limit=time_limit, retry=retry
        )
        return self._read_job(request, (yield request))

    def list_page(
        self,
        page: int,
        *,
        workspace: str,
        status: Sequence[str],
        created_since: datetime | None = None,
        page_size: int | None = None,
        time_limit: float | None = None,
    ) -> Operation[tuple[list[BenchmarkJob], int]]:
        """One page of jobs, newest first, and the number of pages.

        :param status: filters the jobs of each page, so that a page can be short or empty
        :param created_since: filters the list before it is cut into pages
        """
        params = self.generation.list_params(
            page=page, page_size=page_size or _LIST_PAGE, status=tuple(status), created_since=created_since
        )
        path = self.generation.jobs_path(workspace)
        request = self._request(method="GET", path=path, params=params, workspace=workspace, time_limit=time_limit)
        read = lambda payload: self.generation.read_job_page(payload, workspace=workspace)
        return self._read(request, (yield request), read)

    def require_list(self, *, workspace: str, retry: bool, time_limit: float | None) -> Operation[None]:
        """Find out whether the list of jobs is there.

        :raises ServiceError: it is not, or can't be read
        """
        params = self.generation.list_params(page=1, page_size=1, status=(), created_since=None)
        path = self.generation.jobs_path(workspace)
        request = self._request(
            method="GET",
            path=path,
            params=params,
            workspace=workspace,
            retry=retry,
            time_limit=time_limit,
            purpose=_TO_FIND_THE_RELEASE,
        )
        self._read(request, (yield request), self.generation.require_job_page)

    def cancel(self, name: str, *, workspace: str) -> Operation[BenchmarkJob]:
        """Ask the service to cancel a job; on a finished one nothing changes."""
        path = self.generation.cancel_path(workspace, name)
        request = self._request(method="POST", path=path, workspace=workspace, job=name)
        return self._read_job(request, (yield request))

    def delete(self, name: str, *, workspace: str) -> Operation[None]:
        """Delete a job. It does not stop a running one; the name can't be used again."""
        path = self.generation.job_path(workspace, name)
        yield self._request(method="DELETE", path=path, workspace=workspace, job=name)

    def log_page(
        self, name: str, cursor: str | None, *, workspace: str, tail: int | None = None
    ) -> Operation[tuple[list[LogLine], str | None]]:
        """One page of log lines, in no fixed order, and the cursor of the next; None after the last.

        :param cursor: of the page; None for the first
        :param tail: number of last lines that are enough; some services return all lines nevertheless
        """
        path = self.generation.logs_path(workspace, name)
        params = self.generation.log_params(limit=_LOG_PAGE, cursor=cursor, tail=tail)
        request = self._request(method="GET", path=path, params=params, workspace=workspace, job=name)
        lines, next_cursor = self._read(request, (yield request), self._of_job(name, self.generation.read_log_page))
        return lines, next_cursor or None

    def results(self, name: str, *, workspace: str) -> Operation[list[JobResult]]:
        path = self.generation.results_path(workspace, name)
        request = self._request(method="GET", path=path, workspace=workspace, job=name)
        return self._read(request, (yield request), self._of_job(name, self.generation.read_results))

    def metric_names(self, name: str, *, workspace: str) -> Operation[MetricNames]:
        """What is known of the names of the metrics in a job's results; requests the job only where they need it."""
        if self.generation.results_have_references:
            return MetricNames()
        return self.generation.metric_names((yield from self.get(name, workspace=workspace)))

    def aggregate_scores(self, name: str, *, workspace: str) -> Operation[AggregateScores]:
        request = self.download(name, ResultName.AGGREGATE_SCORES, workspace=workspace)
        names = yield from self.metric_names(name, workspace=workspace)
        answer = yield request
        try:
            read = lambda payload: self.generation.read_aggregate_scores(payload, names)
            scores = self._read(request, answer, read).renamed(names.references).with_aliases(self.config.aliases)
        except IncompleteResults as error:
            raise IncompleteResults(f"aggregate scores of {request.subject}: {error}") from error
        if not scores.has_values:
            logger.warning(
                "Nothing of %s could be scored: no score has a value of any row, so that no check passes. Its rows and "
                "its log have the reasons.",
                request.subject,
            )
        return scores

    def row_counts(self, name: str, *, workspace: str) -> Operation[RowCounts | None]:
        """What the service reports about the rows of a job; requests nothing where its generation never does."""
        if not self.generation.reports_rows:
            return None
        return (yield from self.get(name, workspace=workspace)).row_counts

    def dataset(self, job: BenchmarkJob) -> Operation[str]:
        """The dataset that a job's spec names, else that of its stored scores; empty where none does."""
        if job.dataset:
            return job.dataset
        path = self.generation.stored_scores_path(job.workspace, job.name)
        params = self.generation.stored_dataset_params()
        request = self._request(method="GET", path=path, params=params, workspace=job.workspace, job=job.name)

        def read(payload: Any) -> str:
            require_owner(job.name, payload.get("name"))
            return self.generation.read_stored_dataset(payload)

        try:
            return self._read(request, (yield request), read)
        except ServiceUnavailable:
            raise
        except ServiceError:  # not every service stores them, nor lets everybody read them
            return ""

    def download(self, name: str, result: str, *, workspace: str) -> Request:
        """The request for a stored result's content."""
        path = self.generation.result_path(workspace, name, result)
        return self._request(method="GET", path=path, workspace=workspace, job=name, result=result)

    def row_scores_file(
        self, name: str, *, workspace: str, results: Sequence[JobResult] | None = None
    ) -> Operation[Request | None]:
        """The request for the row scores' file in the files service; None where the result has no file there."""
        if results is None:
            results = yield from self.results(name, workspace=workspace)
        own = [result for result in results if result.name == ResultName.ROW_SCORES]
        path = self.generation.file_path(own[0], job=name, workspace=workspace) if own else None
        return self._request(method="GET", path=path, workspace=workspace, job=name) if path else None

    def health(self) -> Operation[Any]:
        request = self._request(method="GET", path=HEALTH_PATH, retry=False)
        return self._read(request, (yield request), lambda payload: payload)

    def platform_version(self) -> Operation[str]:
        """The version that the platform reports; ``unknown`` where it does not."""
        try:
            return (yield from self.release(retry=False))
        except ServiceError:
            return "unknown"

    def release(self, *, retry: bool = True, time_limit: float | None = None) -> Operation[str]:
        """The version that the platform reports, which needs no token.

        :raises ServiceError: it does not, or a gateway hides it
        """
        request = self._request(
            method="GET", path=VERSION_PATH, retry=retry, time_limit=time_limit, purpose=_TO_FIND_THE_RELEASE
        )
        return self._read(request, (yield request), read_version)

    def _read_job(self, request: Request, answer: Answer) -> BenchmarkJob:
        """Read the job that was requested: another one, from a mixed-up cache or gateway, must not pass for it."""

        def read(payload: Any) -> BenchmarkJob:
            job = self.generation.read_job(payload, workspace=request.workspace)
            return require_job(job, name=request.job, workspace=request.workspace)

        return self._read(request, answer, read)

    @staticmethod
    def _of_job(name: str, read: Callable[[Any], T]) -> Callable[[Any], T]:
        """Read a list of what belongs to a job, and refuse one of another job."""

        def checked(payload: Any) -> T:
            require_entries_of(name, payload)
            return read(payload)

        return checked

    @staticmethod
    def _read(request: Request, answer: Answer, read: Callable[[Any], T]) -> T:
        try:
            return read(parsed(answer.content))
        except BenchmarkError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever makes a reader fail is in the answer
            found = masked(answer.content[:_SEARCHED_BYTES].decode("utf-8", "replace"))[:120]
            raise protocol_error(request, answer.status, f'{error}; it begins "{found}"') from safe_cause(error)


def fingerprint_of(spec: Mapping[str, Any] | JobRequest) -> str:
    """The fingerprint of a spec, or of a job that runs a benchmark: then the same for all generations."""
    return fingerprint(spec.identity if isinstance(spec, JobRequest) else spec)
