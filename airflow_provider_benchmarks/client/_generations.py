"""Generations of the service: where its paths are and how its answers read. The rest of the code never sees either."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobResult, LogLine
from airflow_provider_benchmarks.scores import AggregateScores

logger = logging.getLogger(__name__)

#: More than any real list has: one that claims more must not keep us for ever.
_MAX_PAGES = 100_000


def quoted(name: str, what: str) -> str:
    """Quote a name into one path segment.

    :raises ConfigurationError: it is empty, or a dot segment that would lead to another path
    """
    if not name or name in (".", ".."):
        raise ConfigurationError(f'"{name}" is not the name of a {what}')
    return quote(name, safe="")


class Generation:
    """NeMo Evaluator 0.1.x: the ``evaluation`` service, version 2. A later generation overrides what differs."""

    name = "evaluation-v2"
    release = "0.1"
    health_path = "/health/ready"
    version_path = "/cluster-info"

    def jobs_path(self, workspace: str) -> str:
        return f"{self._home(workspace)}/benchmark-jobs"

    def job_path(self, workspace: str, job: str, *more: str) -> str:
        return "/".join((self.jobs_path(workspace), quoted(job, "benchmark job"), *more))

    def result_path(self, workspace: str, job: str, result: str) -> str:
        return self.job_path(workspace, job, "results", quoted(result, "result"), "download")

    def stored_scores_path(self, workspace: str, job: str) -> str:
        """Path of the entity that the platform makes of a job's scores."""
        return f"{self._home(workspace)}/benchmark-job-results/{quoted(job, 'benchmark job')}"

    def file_path(self, artifact_url: str) -> str | None:
        """Path of a stored file, from the address ``workspace/fileset#path`` of a result; None where it is none."""
        place, _, path = artifact_url.partition("#")
        workspace, _, fileset = place.partition("/")
        parts = path.split("/")
        if not workspace or not fileset or any(part in ("", ".", "..") for part in (fileset, *parts)):
            return None
        return (
            f"/apis/files/v2/workspaces/{quote(workspace, safe='')}/filesets/{quote(fileset, safe='')}/-/{quote(path)}"
        )

    def submit_body(
        self, *, name: str, spec: Mapping[str, Any], description: str | None, custom_fields: Mapping[str, Any]
    ) -> dict[str, Any]:
        body = {"name": name, "spec": dict(spec), "custom_fields": dict(custom_fields)}
        return body if description is None else {**body, "description": description}

    def list_params(
        self, *, page: int, page_size: int, status: tuple[str, ...], created_since: datetime | None
    ) -> dict[str, str | int]:
        params: dict[str, str | int] = {"page": page, "page_size": page_size, "sort": "-created_at"}
        if len(status) == 1:
            params["filter[status]"] = status[0]
        elif status:
            params["filter[status][$in]"] = ",".join(status)
        if created_since is not None:  # the service writes and reads UTC without a zone
            params["filter[created_at][$gte]"] = created_since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return params

    def _home(self, workspace: str) -> str:
        return f"/apis/evaluation/v2/workspaces/{quoted(workspace, 'workspace')}"

    def read_job(self, payload: Any, *, workspace: str) -> BenchmarkJob:
        return BenchmarkJob.from_json(payload, workspace=workspace)

    def read_job_page(self, payload: Any, *, workspace: str) -> tuple[list[BenchmarkJob], int]:
        """Jobs of one page, and how many pages there are. An entry that can't be read is left out, and logged."""
        jobs, odd = [], []
        for entry in _entries(payload):
            try:
                jobs.append(self.read_job(entry, workspace=workspace))
            except Exception as error:  # noqa: BLE001  what is wrong with one job must not hide the others
                odd.append(error)
        if odd:
            _tell_once(f"Entries of the list of jobs in workspace {workspace} that are left out: {len(odd)}. {odd[0]}")
        return jobs, _pages(payload.get("pagination"))

    def read_results(self, payload: Any) -> list[JobResult]:
        return [JobResult.from_json(entry) for entry in _entries(payload)]

    def read_log_page(self, payload: Any) -> tuple[list[LogLine], str | None]:
        """Lines of one page, and the cursor of the next."""
        following = payload.get("next_page") if isinstance(payload, dict) else None
        if following is not None and not isinstance(following, str):
            raise ValueError(f'expected a text as "next_page", found {shortened(following, 80)}')
        return [LogLine.from_json(entry) for entry in _entries(payload)], following

    def read_aggregate_scores(self, payload: Any) -> AggregateScores:
        return AggregateScores.from_json(payload)


@lru_cache(maxsize=256)
def _tell_once(text: str) -> None:
    """Warn; lists are read again and again, and what is odd in them stays so."""
    logger.warning("%s", text)


def _entries(payload: Any) -> list[Any]:
    if not isinstance(payload, dict) or not isinstance(payload.get("data"), list):
        raise ValueError(f'expected an object with a list "data", found {shortened(payload)}')
    return list(payload["data"])


def _pages(pagination: Any) -> int:
    """How many pages a list has; one where the service does not say."""
    pages = pagination.get("total_pages", 1) if isinstance(pagination, dict) else pagination
    if pages is None:
        return 1
    if not isinstance(pages, int) or not 0 <= pages <= _MAX_PAGES:
        raise ValueError(f'expected a number of pages as "total_pages" of "pagination", found {shortened(pages, 80)}')
    return pages


GENERATIONS: dict[str, Generation] = {generation.name: generation for generation in (Generation(),)}
