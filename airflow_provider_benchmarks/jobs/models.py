"""What the service tells about a job, in one shape for every generation of the service."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from airflow_provider_benchmarks.brief import shortened

T = TypeVar("T")

#: Characters that an error shows of a value that has the wrong type.
_FOUND_LIMIT = 80
_FIRST_YEAR, _LAST_YEAR = 1970, 9990


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


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStep:
    """One step of a job (dataset-download, evaluation).

    :param error: the step's own reason for a failure, or that of its tasks
    """

    name: str
    status: str
    error: str | None = None

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> JobStep:
        """Read a step; what is odd of it counts as not there, since a step is for show."""
        error = _message(payload.get("error_details"))
        if error is None:
            stacks = [_text(task.get("error_stack")).strip() for task in _objects(payload.get("tasks"))]
            error = next((stack.splitlines()[-1] for stack in stacks if stack), None)
        return cls(name=_text(payload.get("name")), status=_text(payload.get("status")), error=error)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkJob:
    """A benchmark job.

    :param benchmark: reference ``workspace/name``; empty where the service was asked for the status only
    :param status: a :class:`JobStatus`, or a word that this package does not know (never finished then)
    :param progress: percent, 0 to 100, None when the service does not say
    :param samples_processed: rows evaluated so far, None when the service does not say
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
    id: str = ""
    description: str | None = None
    spec: Mapping[str, Any] = field(default_factory=dict)
    progress: float | None = None
    samples_processed: int | None = None
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
    def dataset(self) -> str:
        """The dataset that the spec names; empty where it is the benchmark's own."""
        named = self.spec.get("dataset")
        return named if isinstance(named, str) else json.dumps(named, sort_keys=True) if named else ""

    @property
    def current_step(self) -> str | None:
        """Name of the first step that has not completed."""
        return next((step.name for step in self.steps if step.status != JobStatus.COMPLETED), None)

    def with_status(self, latest: BenchmarkJob) -> BenchmarkJob:
        """Take over from a later status answer what it knows, and keep the spec that it does not carry."""
        return replace(
            self,
            status=latest.status,
            progress=latest.progress,
            samples_processed=latest.samples_processed,
            error=latest.error,
            updated_at=latest.updated_at or self.updated_at,
            steps=latest.steps or self.steps,
        )

    def __str__(self) -> str:
        of = f" of benchmark {self.benchmark}" if self.benchmark else ""
        return f'benchmark job "{self.name}"{of} in workspace "{self.workspace}"'

    @classmethod
    def from_json(cls, payload: Any, *, workspace: str) -> BenchmarkJob:
        """Read a job or a status answer.

        What decides anything must be right. What is only for show (times, progress, reasons, steps) counts as not there
        where it is odd, since no wait should end for it.

        :raises ValueError: it is not an object with at least ``name`` and ``status``, or a field has another type
        """
        if not isinstance(payload, dict) or not payload.get("name") or not payload.get("status"):
            raise ValueError(f'expected a job object with "name" and "status", found {shortened(payload)}')
        spec = _of_type(dict, payload, "spec")
        details = payload.get("status_details")
        details = details if isinstance(details, dict) else {}
        return cls(
            name=_of_type(str, payload, "name"),
            workspace=_of_type(str, payload, "workspace") or workspace,
            status=_of_type(str, payload, "status"),
            benchmark=_of_type(str, spec, "benchmark"),
            id=_text(payload.get("id")),
            description=_text(payload.get("description")) or None,
            spec=spec,
            progress=_number(details.get("progress")),
            samples_processed=_whole(details.get("samples_processed")),
            error=_message(payload.get("error_details")),
            created_at=_utc(payload.get("created_at")),
            updated_at=_utc(payload.get("updated_at")),
            custom_fields=_of_type(dict, payload, "custom_fields"),
            steps=tuple(JobStep.from_json(step) for step in _objects(payload.get("steps"))),
            extra={key: value for key, value in payload.items() if key not in _JOB_FIELDS},
        )


_JOB_FIELDS = frozenset(
    {"name", "workspace", "status", "id", "description", "spec", "status_details", "error_details", "created_at"}
    | {"updated_at", "custom_fields", "steps"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """One stored result of a job: aggregate-scores, row-scores or artifacts.

    :param download_url: as the service says it; can name a wrong host behind a gateway, so it is for people to read
    :param artifact_url: ``workspace/fileset#path`` of the stored file, empty when the result has no fileset
    """

    name: str
    download_url: str = ""
    artifact_url: str = ""
    created_at: datetime | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, payload: Any) -> JobResult:
        """Read a result.

        :raises ValueError: it is not an object with ``name``, or a field has another type
        """
        if not isinstance(payload, dict) or not payload.get("name"):
            raise ValueError(f'expected a result object with "name", found {shortened(payload)}')
        known = {"name", "download_url", "artifact_url", "created_at"}
        return cls(
            name=_of_type(str, payload, "name"),
            download_url=_text(payload.get("download_url")),
            artifact_url=_of_type(str, payload, "artifact_url"),
            created_at=_utc(payload.get("created_at")),
            extra={key: value for key, value in payload.items() if key not in known},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of a job's log, taken apart.

    The service wraps most lines as ``[stderr] {json}``; ``message``, ``level`` and ``at`` come from that JSON, the rest
    of it is in ``fields``. The outer timestamp is 1970 with some executors and is not used then.
    """

    message: str
    level: str = ""
    step: str = ""
    at: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, payload: Any) -> LogLine:
        """Read a line; of one that is not an object its text is all that there is."""
        if not isinstance(payload, dict):
            return cls(message=shortened(payload))
        text = str(payload.get("message", "")).removeprefix("[stderr] ").removeprefix("[stdout] ").rstrip()
        step = str(payload.get("job_step") or "")
        at = str(payload.get("timestamp") or "")
        at = "" if at.startswith("1970") else at
        inner: Any = None
        if text.startswith("{"):
            try:
                inner = json.loads(text)
            except (ValueError, RecursionError):
                inner = None
        if not isinstance(inner, dict):
            return cls(message=text, step=step, at=at)
        return cls(
            message=str(inner.pop("message", "")),
            level=str(inner.pop("level", "")),
            step=step,
            at=str(inner.pop("timestamp", "") or at),
            fields=inner,
        )


def _of_type(kind: type[T], payload: Mapping[str, Any], key: str) -> T:
    """A field of an answer; an empty one where the service does not say.

    :raises ValueError: it has another type
    """
    value = payload.get(key)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise ValueError(f'expected {_TYPE_NAMES[kind]} as "{key}", found {shortened(value, _FOUND_LIMIT)}')
    return value


_TYPE_NAMES: dict[type, str] = {str: "a text", dict: "an object"}


def _text(value: Any) -> str:
    """A text for show; empty where it is none."""
    return value if isinstance(value, str) else ""


def _objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; none where it is no list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _message(details: Any) -> str | None:
    if isinstance(details, str):
        return details or None
    return str(details["message"]) if isinstance(details, dict) and details.get("message") else None


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return None if number is None or not math.isfinite(number) else int(number)


def _utc(value: Any) -> datetime | None:
    """The service writes UTC without a zone."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    # Years at the ends of the calendar stand for "never", and nothing can be reckoned from them.
    return moment if _FIRST_YEAR <= moment.year <= _LAST_YEAR else None
