"""Read the JSON of jobs, steps, results and log lines, whose fields are the same in all generations.

What decides anything must be right. What is only shown to people (times, progress, reasons, steps) counts as missing
where it has another type, since no wait should end for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from airflow_provider_benchmarks.benchmarks import RecordedBenchmark
from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.inert import inert_text
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobResult, JobStep, LogLine, RowCounts
from airflow_provider_benchmarks.jobs.models import row_count
from airflow_provider_benchmarks.scores.json_values import is_number, parse_json

T = TypeVar("T")
N = TypeVar("N", int, float)

#: Maximum number of characters that an error shows of a value of another type.
_FOUND_LIMIT = 80
#: Years at the ends of the calendar stand for "never", and nothing can be computed from them.
_FIRST_YEAR, _LAST_YEAR = 1970, 9990
_JOB_FIELDS = frozenset(
    {"name", "workspace", "status", "id", "description", "spec", "status_details", "error_details", "created_at"}
    | {"updated_at", "custom_fields", "steps"}
)
_RESULT_FIELDS = frozenset({"name", "download_url", "artifact_url", "created_at"})
#: Fields of a log line that help a person to find the reason of a failure.
_LOG_DETAILS = ("metric_ref", "metric_key", "row_index", "item_index", "scores")
_TYPE_NAMES: dict[type, str] = {str: "a text", dict: "an object"}


def read_job(payload: Any, *, workspace: str) -> BenchmarkJob:
    """Read a job or a status.

    :param workspace: that of the request, for an answer that names none
    :raises ValueError: it is not an object with at least ``name`` and ``status``, or a field has another type
    """
    if not isinstance(payload, dict) or not payload.get("name") or not payload.get("status"):
        raise ValueError(f'expected a job object with "name" and "status", found {shortened(payload)}')
    spec = of_type(dict, payload, "spec")
    custom_fields = of_type(dict, payload, "custom_fields")
    recorded = RecordedBenchmark.from_custom_fields(custom_fields)
    details = payload.get("status_details")
    details = details if isinstance(details, dict) else {}
    counts = RowCounts.from_json(details.get("evaluation"))
    return BenchmarkJob(
        name=of_type(str, payload, "name"),
        workspace=of_type(str, payload, "workspace") or workspace,
        status=inert_text(of_type(str, payload, "status")),
        benchmark=_text(spec.get("benchmark")),
        dataset=recorded.dataset if recorded else dataset_of(spec.get("dataset")),
        id=_text(payload.get("id")),
        description=_text(payload.get("description")) or None,
        spec=spec,
        progress=_first(_percent(details.get("progress")), _share(counts)),
        samples_processed=_first(row_count(details.get("samples_processed")), _processed(counts)),
        row_counts=counts,
        error=_message(payload.get("error_details")),
        created_at=_utc(payload.get("created_at")),
        updated_at=_utc(payload.get("updated_at")),
        custom_fields=custom_fields,
        steps=tuple(_read_step(step) for step in _objects(payload.get("steps"))),
        extra={key: value for key, value in payload.items() if key not in _JOB_FIELDS},
    )


def read_result(payload: Any) -> JobResult:
    """Read an entry of the list of results.

    :raises ValueError: it is not an object with ``name``, or a field has another type
    """
    if not isinstance(payload, dict) or not payload.get("name"):
        raise ValueError(f'expected a result object with "name", found {shortened(payload)}')
    return JobResult(
        name=of_type(str, payload, "name"),
        download_url=_text(payload.get("download_url")),
        artifact_url=of_type(str, payload, "artifact_url"),
        created_at=_utc(payload.get("created_at")),
        extra={key: value for key, value in payload.items() if key not in _RESULT_FIELDS},
    )


def read_log_line(payload: Any) -> LogLine:
    """Read a line of a log; of one that is not an object its text is all that there is.

    The service wraps most lines as ``[stderr] {json}``; ``message``, ``level`` and ``at`` come from that JSON, the rest
    of it is in ``fields``. The outer timestamp is 1970 with some executors and is not used then.
    """
    if not isinstance(payload, dict):
        return LogLine(message=shortened(payload))
    text = _shown(payload.get("message")).removeprefix("[stderr] ").removeprefix("[stdout] ").rstrip()
    step = _shown(payload.get("job_step"))
    at = _shown(payload.get("timestamp"))
    at = "" if at.startswith("1970") else at
    inner: Any = None
    if text.startswith("{"):
        try:
            inner = parse_json(text)
        except ValueError:
            inner = None
    if not isinstance(inner, dict):
        return LogLine(message=text, step=step, at=at)
    return LogLine(
        message=_shown(inner.pop("message", "")),
        level=_shown(inner.pop("level", "")),
        step=step,
        at=_shown(inner.pop("timestamp", "")) or at,
        root_error=_shown(inner.get("root_error")),
        error=_shown(inner.get("error")),
        details={name: inner[name] for name in _LOG_DETAILS if inner.get(name) not in (None, "")},
        fields=inner,
    )


def inert_line(line: LogLine) -> LogLine:
    """A line whose texts have no hold on what shows them."""
    texts = {name: getattr(line, name) for name in ("message", "level", "step", "at", "root_error", "error")}
    changed: dict[str, Any] = {name: found for name, text in texts.items() if (found := inert_text(text)) is not text}
    return replace(line, **changed) if changed else line


def _processed(counts: RowCounts | None) -> int | None:
    if counts is None or counts.scored is None:
        return None
    processed = counts.scored + (counts.errored or 0)
    return processed if counts.total is None else min(processed, counts.total)


def _share(counts: RowCounts | None) -> float | None:
    """The rows that were evaluated, percent."""
    processed = _processed(counts)
    if counts is None or processed is None or not counts.total or processed < 0:
        return None
    return 100 * processed / counts.total


def _first(value: N | None, otherwise: N | None) -> N | None:
    return otherwise if value is None else value


def _read_step(payload: Mapping[str, Any]) -> JobStep:
    error = _message(payload.get("error_details"))
    if error is None:
        stacks = [_text(task.get("error_stack")).strip() for task in _objects(payload.get("tasks"))]
        error = next((stack.splitlines()[-1] for stack in stacks if stack), None)
    return JobStep(name=_text(payload.get("name")), status=_text(payload.get("status")), error=error)


def dataset_of(named: Any) -> str:
    """A dataset as the service names it: a reference, or JSON for one that is described otherwise. Empty for none."""
    return named if isinstance(named, str) else json.dumps(named, sort_keys=True) if named else ""


def of_type(kind: type[T], payload: Mapping[str, Any], key: str) -> T:
    """A field of an answer; an empty one where the service does not say.

    :raises ValueError: it has another type
    """
    value = payload.get(key)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise ValueError(f'expected {_TYPE_NAMES[kind]} as "{key}", found {shortened(value, _FOUND_LIMIT)}')
    return value


def _text(value: Any) -> str:
    """A text that is shown to people; empty where it is none."""
    return inert_text(value) if isinstance(value, str) else ""


def _shown(value: Any) -> str:
    """A text of a log; any other value as Python writes it, shortened. Empty for none."""
    return value if isinstance(value, str) else brief(value) if value else ""


def _objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; none where it is no list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _message(details: Any) -> str | None:
    if isinstance(details, str):
        return inert_text(details) or None
    return inert_text(_shown(details.get("message"))) or None if isinstance(details, dict) else None


def _percent(value: Any) -> float | None:
    return float(value) if is_number(value) and 0 <= value <= 100 else None


def _utc(value: Any) -> datetime | None:
    """The service writes UTC without a zone."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if _FIRST_YEAR <= moment.year <= _LAST_YEAR else None
