"""What the service reports about a job: one model for every generation of the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.inert import one_line

#: Fields of a job's custom fields for results that do not name the benchmark and its metrics by their references:
#: the benchmark's reference, and a map from the service's key of a metric to its reference, each ``workspace/name``.
BENCHMARK, METRIC_NAMES = "benchmark", "metric_names"


class JobStatus(StrEnum):
    """The status words of the service. A job may also show a word that is not here: it counts as not finished."""

    CREATED = "created"
    PENDING = "pending"
    ACTIVE = "active"
    PAUSING = "pausing"
    PAUSED = "paused"
    RESUMING = "resuming"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    ERROR = "error"
    CANCELLED = "cancelled"


TERMINAL_STATUSES = frozenset({JobStatus.COMPLETED, JobStatus.ERROR, JobStatus.CANCELLED})


class ResultName(StrEnum):
    """The results of a job that this package reads. A job may have further ones, under names of their own."""

    AGGREGATE_SCORES = "aggregate-scores"
    ROW_SCORES = "row-scores"
    ARTIFACTS = "artifacts"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStep:
    """One step of a job, for people.

    :param error: the step's own reason for a failure, or that of its tasks
    """

    name: str
    status: str
    error: str | None = None


#: No job has more rows: a larger count, or an infinite one, is no count.
_MOST_ROWS = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """How many rows of its dataset a job has evaluated, as newer services report it.

    :param errored: rows whose evaluation reported an error
    :param is_failure: True if the service takes the counts for the reason of a failure
    :param message: the service's own words
    """

    total: int | None = None
    scored: int | None = None
    errored: int | None = None
    is_failure: bool = False
    message: str = ""

    @classmethod
    def from_json(cls, payload: Any) -> Self | None:
        """Read the service's object; None where there is none, or it counts something else than rows.

        What has another type counts as missing: no wait should end for it. A failure is what is not said to be none.
        """
        if not isinstance(payload, Mapping) or str(payload.get("unit") or "rows").lower() not in ("rows", "row"):
            return None
        message = payload.get("message")
        return cls(
            **{name: row_count(payload.get(name)) for name in ("total", "scored", "errored")},
            is_failure=payload.get("failed") not in (None, False),
            message=message if isinstance(message, str) else "",
        )

    def to_json(self) -> dict[str, Any]:
        """As the service writes it."""
        counts = {"total": self.total, "scored": self.scored, "errored": self.errored}
        return {"unit": "rows", **counts, "failed": self.is_failure, "message": self.message}


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkJob:
    """A benchmark job.

    :param benchmark: reference ``workspace/name``; empty where the service was asked for the status only. Where the
        service stores no benchmarks and the submitter has not named one, it is derived from the spec's dataset and
        metrics, ``workspace/dataset~metric~…~hash``: the same for jobs of the same spec
    :param dataset: the dataset that the spec names; empty where it is the benchmark's own
    :param status: a :class:`JobStatus`, or a word that this package does not know (never finished then)
    :param id: the service's own, which no other job ever has; a name may be used again
    :param progress: percent, 0 to 100, None when the service does not say
    :param samples_processed: rows evaluated so far, None when the service does not say
    :param row_counts: of rows that were evaluated; None when the service does not say
    :param error: the service's short reason for a failure
    :param created_at: UTC
    :param updated_at: UTC; the service does not move it when a job completes
    :param custom_fields: what the submitter stored with the job
    :param steps: filled by a status request
    :param extra: fields of the answer that this package does not know
    """

    name: str
    workspace: str
    status: str
    benchmark: str = ""
    dataset: str = ""
    id: str = ""
    description: str | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)
    progress: float | None = None
    samples_processed: int | None = None
    row_counts: RowCounts | None = None
    error: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    custom_fields: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[JobStep, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        return self.status in TERMINAL_STATUSES

    @property
    def current_step(self) -> str | None:
        """Name of the first step that has not completed."""
        return next((step.name for step in self.steps if step.status != JobStatus.COMPLETED), None)

    def with_status(self, latest: BenchmarkJob) -> BenchmarkJob:
        """Take over from a later status answer what it knows, and keep the spec that it does not carry."""
        return replace(
            self,
            id=latest.id or self.id,
            status=latest.status,
            progress=latest.progress,
            samples_processed=latest.samples_processed,
            row_counts=latest.row_counts or self.row_counts,
            error=latest.error,
            updated_at=latest.updated_at or self.updated_at,
            steps=latest.steps or self.steps,
        )

    def __str__(self) -> str:
        of = f" of benchmark {shortened(self.benchmark)}" if self.benchmark else ""
        return one_line(f'benchmark job "{self.name}"{of} in workspace "{self.workspace}"')


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """One stored result of a job.

    :param name: a :class:`ResultName`, or a name that this package does not know
    :param download_url: as the service says it; can name a wrong host behind a gateway, so it is for people to read
    :param artifact_url: ``workspace/fileset#path`` of the stored file, empty when the result has no fileset
    """

    name: str
    download_url: str = ""
    artifact_url: str = ""
    created_at: datetime | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a job's log, taken apart.

    :param level: ``error`` and ``critical`` mark what may be the reason of a failure
    :param step: name of the step that has written it
    :param at: the time of the line, as a text that sorts; empty where it has none
    :param root_error: the innermost reason of a failure, where the line reports one; empty otherwise
    :param error: a reason of a failure, as ``root_error``
    :param details: what a person who looks for a reason needs besides, such as the row
    :param fields: all that the line says besides its message
    """

    message: str
    level: str = ""
    step: str = ""
    at: str = ""
    root_error: str = ""
    error: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)


def row_count(value: Any) -> int | None:
    """A number of rows; None for what can be none: a fraction, a number below 0, or another type."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 0 <= value <= _MOST_ROWS and value == int(value) else None
