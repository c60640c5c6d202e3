"""What an adapter of a generation has to say, and what is the same in all generations."""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar
from urllib.parse import quote

from airflow_provider_benchmarks.benchmarks import JobRequest, JobSpec
from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.client._response_body import parse_answer
from airflow_provider_benchmarks.client._whose import require_job, stored_file_path
from airflow_provider_benchmarks.client.generations._job_json import (
    dataset_of,
    inert_line,
    read_job,
    read_log_line,
    read_result,
)
from airflow_provider_benchmarks.client.generations.stored_benchmarks import StoredBenchmarks
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.inert import one_line
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobResult, LogLine
from airflow_provider_benchmarks.scores import AggregateScores
from airflow_provider_benchmarks.scores.json_values import fits_utf8
from airflow_provider_benchmarks.scores.metric_names import MetricNames

logger = logging.getLogger(__name__)

#: More than any real list has. One that reports more must not keep us for ever.
_MAX_PAGES = 100_000
#: Maximum number of characters of an error's detail, and of field errors in it.
_DETAIL_LIMIT, _MOST_FIELD_ERRORS = 1000, 100

#: Fields of RFC 9457's problem details, which gateways answer with and the service does not.
_PROBLEM = frozenset({"title", "type", "status"})

Params = dict[str, str | int]
#: The first two numbers of a release.
Release = tuple[int, int]
#: Of every generation.
HEALTH_PATH = "/health/ready"
VERSION_PATH = "/cluster-info"


class Generation(ABC):
    """One generation of the service.

    The routes below a job, the lists, the logs, the files service, the statuses and the errors are one family in all
    releases; a subclass overrides what its release does in another way.

    :cvar name: what a connection's ``api`` calls it
    :cvar results_have_references: False where results name a metric by a key of the service's own, so that its job is
        needed to read them
    :cvar reports_rows: True if the service reports how many rows of a job it has scored, in some of its releases
    :cvar fails_where: where the service answers a request about a job with 500 for what is no fault of its own
    :cvar can_tail_logs: True where the service returns the last lines of a log
    :ivar prefix: what the paths of its own begin with
    :ivar releases: first two numbers of the oldest and of the newest release that is known to speak it
    :ivar is_newest: True if later releases are expected to speak it, too
    :ivar description: names those releases in an error, for a service that does not know its paths
    :ivar scopes: what a token needs, in words
    """

    name: ClassVar[str]
    results_have_references: ClassVar[bool] = True
    reports_rows: ClassVar[bool] = False
    fails_where: ClassVar[str] = "a job of another kind has the name"
    can_tail_logs: ClassVar[bool] = False
    prefix: str
    releases: tuple[Release, Release]
    is_newest: bool = False
    description: str
    scopes: str

    def speaks(self, release: Release) -> bool:
        """True if a release of the platform is known to speak it, or is expected to.

        :param release: its first two numbers
        """
        oldest, newest = self.releases
        return oldest <= release and (release <= newest or self.is_newest)

    def title_of(self, version: str) -> str:
        """Which release a service is, in two numbers; of a version that does not say, which ones it may be."""
        oldest, newest = self.releases
        only = oldest if oldest == newest and not self.is_newest else None
        release = release_of(version) or only
        return self.description if release is None else f"NeMo Evaluator {'.'.join(map(str, release))}"

    # Paths, quoted, from the base URL on. Each raises ConfigurationError for a name that would lead to another path.

    @abstractmethod
    def jobs_path(self, workspace: str) -> str:
        """Path of the list of jobs, and of submits."""

    @abstractmethod
    def job_spec(self, request: JobRequest) -> JobSpec:
        """The service's job spec for a benchmark, with the names that the results have for its metrics.

        :raises ConfigurationError: the service can't run it; says what it needs
        """

    def stored_benchmarks(self) -> StoredBenchmarks | None:
        """How the service stores the benchmarks that its jobs refer to; None where it stores none."""
        return None

    @abstractmethod
    def stored_scores_path(self, workspace: str, job: str) -> str:
        """Path of the entity that the platform makes of a job's scores."""

    def job_path(self, workspace: str, job: str) -> str:
        return f"{self.jobs_path(workspace)}/{quoted(job, 'benchmark job')}"

    def status_path(self, workspace: str, job: str) -> str:
        return f"{self.job_path(workspace, job)}/status"

    def cancel_path(self, workspace: str, job: str) -> str:
        return f"{self.job_path(workspace, job)}/cancel"

    def logs_path(self, workspace: str, job: str) -> str:
        return f"{self.job_path(workspace, job)}/logs"

    def results_path(self, workspace: str, job: str) -> str:
        return f"{self.job_path(workspace, job)}/results"

    def result_path(self, workspace: str, job: str, result: str) -> str:
        """Path of a result's content.

        :param result: a :class:`~airflow_provider_benchmarks.jobs.ResultName`, or another name of the list of results
        """
        return f"{self.results_path(workspace, job)}/{quoted(result, 'result')}/download"

    def file_path(self, result: JobResult, *, job: str, workspace: str) -> str | None:
        """Path of a result's file in the files service; None where it has none.

        :param job: the job whose result it is
        """
        return stored_file_path(result.artifact_url, job=job, workspace=workspace)

    # What requests carry.

    def submit_body(
        self, *, name: str, spec: Mapping[str, Any], description: str | None, custom_fields: Mapping[str, Any]
    ) -> dict[str, Any]:
        body = {"name": name, "spec": dict(spec), "custom_fields": dict(custom_fields)}
        return body if description is None else {**body, "description": description}

    def list_params(
        self, *, page: int, page_size: int, status: tuple[str, ...], created_since: datetime | None
    ) -> Params:
        """Query for one page of the list of jobs, newest first."""
        params: Params = {"page": page, "page_size": page_size, "sort": "-created_at"}
        if len(status) == 1:
            params["filter[status]"] = status[0]
        elif status:
            params["filter[status][$in]"] = ",".join(status)
        if created_since is not None:  # the service writes and reads UTC without a zone
            params["filter[created_at][$gte]"] = created_since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return params

    def log_params(self, *, limit: int, cursor: str | None, tail: int | None = None) -> Params:
        """Query for one page of a log.

        :param cursor: what :meth:`read_log_page` returned with the page before; None for the first page
        :param tail: number of last lines that are enough; where the service can't choose them, it returns all
        """
        if tail is not None and cursor is None and tail <= limit and self.can_tail_logs:
            return {"tail": tail}
        params: Params = {"limit": limit}
        return params if cursor is None else {**params, "page_cursor": cursor}

    def stored_dataset_params(self) -> Params:
        """Query for the entity of a job's scores without the scores themselves."""
        return {"aggregate_fields": "nan_count"}

    # Reading what the service answers. What can't be read raises ValueError, or another error that says what is wrong.

    def read_job(self, payload: Any, *, workspace: str) -> BenchmarkJob:
        """Read a job or a status.

        :param workspace: that of the request, for an answer that names none
        """
        return read_job(payload, workspace=workspace)

    def read_job_page(self, payload: Any, *, workspace: str) -> tuple[list[BenchmarkJob], int]:
        """Jobs of one page, and the number of pages. An entry that can't be read is left out, and logged."""
        jobs, errors = [], []
        for entry in _entries(payload):
            try:
                job = self.read_job(entry, workspace=workspace)
                jobs.append(require_job(job, name=job.name, workspace=workspace))
            except Exception as error:  # noqa: BLE001  what is wrong with one job must not hide the others
                errors.append(error)
        if errors:
            _warn_once(
                f"Entries of the list of jobs in workspace {workspace} that are left out: {len(errors)}. {errors[0]}"
            )
        return jobs, _number_of_pages(payload.get("pagination"))

    def require_job_page(self, payload: Any) -> None:
        """Refuse what is no page of the list of jobs: gateways answer an empty list for paths that they do not know.

        :raises ValueError: it has no list, or does not say of how many pages, as those of all releases do
        """
        _entries(payload)
        pagination = payload.get("pagination")
        if not isinstance(pagination, dict) or "total_pages" not in pagination:
            raise ValueError(
                f'expected the "total_pages" of a list of jobs in "pagination", found {shortened(payload)}'
            )

    def read_results(self, payload: Any) -> list[JobResult]:
        return [read_result(entry) for entry in _entries(payload)]

    def read_log_page(self, payload: Any) -> tuple[list[LogLine], str | None]:
        """Lines of one page, and the cursor of the next; None or empty after the last one."""
        cursor = payload.get("next_page") if isinstance(payload, dict) else None
        if cursor is not None and not isinstance(cursor, str):
            raise ValueError(f'expected a text as "next_page", found {shortened(cursor, 80)}')
        return [inert_line(line) for entry in _entries(payload) for line in self.read_log_lines(entry)], cursor

    def read_log_lines(self, payload: Any) -> list[LogLine]:
        """Read an entry of a log; more than one line where the service has squeezed them together."""
        return [read_log_line(payload)]

    def metric_names(self, job: BenchmarkJob) -> MetricNames:
        """What a job says of the names of the metrics in its results.

        :param job: with its spec and its custom fields
        """
        return MetricNames()

    def read_aggregate_scores(self, payload: Any, names: MetricNames) -> AggregateScores:
        return AggregateScores.from_json(payload, names)

    def read_stored_dataset(self, payload: Any) -> str:
        """The dataset that the entity of a job's scores names; empty where it names none."""
        return dataset_of(payload.get("dataset"))

    # Errors.

    def detail_of(self, content: bytes) -> str:
        """The service's own message in an error's body.

        ``{"detail": text}``, FastAPI's list of field errors, or the start of a body that is neither.
        """
        try:
            payload: Any = parse_answer(content)
        except ValueError:
            payload = content.decode("utf-8", "replace").strip()
        detail = payload.get("detail", payload) if isinstance(payload, dict) else payload
        if isinstance(detail, list):
            detail = "; ".join(_field_error(entry) for entry in detail[:_MOST_FIELD_ERRORS])
        text = detail if isinstance(detail, str) else brief(detail)
        return text if len(text) <= _DETAIL_LIMIT else f"{text[:_DETAIL_LIMIT]}…"

    def is_unknown_path(self, content: bytes) -> bool:
        """True if the body of a 404 is about the path itself, and not about a job, a result or a benchmark.

        Those are named in a ``detail``, all that the service writes. The bare words are its web framework's own. All
        else is of another service, or of a gateway that has lost this one: a page, a text, or JSON in other words.
        """
        try:
            payload: Any = parse_answer(content)
        except ValueError:
            return True
        detail = payload.get("detail") if isinstance(payload, dict) and payload.keys().isdisjoint(_PROBLEM) else None
        return not isinstance(detail, str) or detail.strip().rstrip(".").casefold() in ("", "not found")

    def is_missing_workspace(self, detail: str) -> bool:
        """True if a 404 is about the workspace, which the service quotes, so that it knows the path."""
        return re.fullmatch(r"Workspace '[^']*' not found\.?", detail) is not None

    def is_missing_job(self, detail: str, *, job: str, workspace: str) -> bool:
        """True if a 404 says of the job itself that it is not there: it was deleted, or never made.

        One in other words is about something else, or not the service's: the job may be running.
        """
        named = f"Job '{job}' not found in workspace '{workspace}'"  # from 0.2 on
        return detail.rstrip(".") in ("Job not found", named)

    def is_name_taken(self, detail: str) -> bool:
        """True if a 409 is about the name of the job, and not about something that its spec names."""
        return re.search(r"already exists", detail) is not None


def read_version(payload: Any) -> str:
    """Read the platform's version, which all generations report alike.

    :raises ValueError: there is none
    """
    version = payload.get("platform_version") if isinstance(payload, dict) else None
    if not isinstance(version, str):
        raise ValueError(f'expected a text as "platform_version", found {shortened(payload)}')
    return one_line(shortened(version, 80))


def release_of(version: str) -> Release | None:
    """The first two numbers of a version; None where it does not begin with such."""
    numbers = re.match(r"v?(\d{1,6})\.(\d{1,6})(?!\d)", version)
    return (int(numbers[1]), int(numbers[2])) if numbers else None


def quoted(name: str, what: str) -> str:
    """Quote a name into one path segment.

    :param what: what has the name, for the error
    :raises ConfigurationError: it is empty, no text, a text that no path can have, or a dot segment that would lead to
        another path
    """
    if not isinstance(name, str) or not name or name in (".", "..") or "\0" in name or not fits_utf8(name):
        found = f'"{shortened(name)}"' if isinstance(name, str) else shortened(name)
        raise ConfigurationError(f"{found} is not the name of a {what}")
    return quote(name, safe="")


@lru_cache(maxsize=256)
def _warn_once(text: str) -> None:
    """Warn; lists are read again and again, and what is wrong in them stays so."""
    logger.warning("%s", text)


def _entries(payload: Any) -> list[Any]:
    if not isinstance(payload, dict) or not isinstance(payload.get("data"), list):
        raise ValueError(f'expected an object with a list "data", found {shortened(payload)}')
    return list(payload["data"])


def _number_of_pages(pagination: Any) -> int:
    """The number of pages of a list; 1 where the service does not say."""
    pages = pagination.get("total_pages", 1) if isinstance(pagination, dict) else pagination
    if pages is None:
        return 1
    if not isinstance(pages, int) or not 0 <= pages <= _MAX_PAGES:
        raise ValueError(f'expected a number of pages as "total_pages" of "pagination", found {shortened(pages, 80)}')
    return pages


def _field_error(entry: Any) -> str:
    message = entry.get("msg") if isinstance(entry, dict) else entry
    if not isinstance(entry, dict) or not isinstance(message, str):
        return message if isinstance(message, str) else brief(entry)
    place = entry.get("loc")
    where = ".".join(shortened(part) for part in place if part != "body") if isinstance(place, list) else ""
    return f"{where}: {message}" if where else message
