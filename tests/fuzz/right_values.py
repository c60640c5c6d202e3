"""What may come out of a verb: a right value, or an error of this package that Airflow can show, pickle and store."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable
from dataclasses import is_dataclass
from datetime import UTC, datetime
from typing import Any

from airflow_provider_benchmarks.exceptions import BenchmarkError, ServiceError
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobResult, LogLine, RowCounts, progress_line
from airflow_provider_benchmarks.scores import AggregateScores, RowScore
from airflow_provider_benchmarks.storable import storable
from tests.fuzz.right_service import NAME, WORKSPACE

#: Of a message: a screen full, whatever the service has sent.
MOST_CHARACTERS = 8000


def check_error(error: BaseException) -> None:
    """An error is one of the package's own; its message is short and can be stored anywhere."""
    assert isinstance(error, BenchmarkError), repr(error)
    text = str(error)
    assert text
    assert len(text) <= MOST_CHARACTERS, f"{len(text)} characters: {text[:200]}"
    text.encode()
    assert "\0" not in text
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy)) == (type(error), text)
    if isinstance(error, ServiceError):
        assert error.retry_after is None or error.retry_after >= 0
        json.dumps(storable(vars(error)), allow_nan=False)


def check_storable(value: Any) -> None:
    """Airflow can store a value, once it is made storable."""
    json.dumps(storable(_plain(value)), allow_nan=False, ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain({name: getattr(value, name) for name in value.__dataclass_fields__})
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return value.isoformat() if isinstance(value, datetime) else value


def check_job(job: Any, name: str | None = NAME) -> None:
    """A job is the one requested, and its fields are what they are documented to be."""
    assert isinstance(job, BenchmarkJob)
    assert job.workspace == WORKSPACE
    assert name is None or job.name == name
    for text in (job.name, job.status, job.benchmark, job.dataset, job.id):
        assert isinstance(text, str)
    assert job.name
    assert job.status
    for text in (job.description, job.error):
        assert text is None or isinstance(text, str)
    assert job.progress is None or (type(job.progress) in (int, float) and 0 <= job.progress <= 100)
    _check_count(job.samples_processed)
    if job.row_counts is not None:
        check_counts(job.row_counts)
    for moment in (job.created_at, job.updated_at):
        assert moment is None or (isinstance(moment, datetime) and moment.tzinfo is UTC and moment.timestamp())
    for mapping in (job.spec, job.custom_fields, job.extra):
        assert isinstance(mapping, dict)
    for step in job.steps:
        assert isinstance(step.name, str)
        assert isinstance(step.status, str)
        assert step.error is None or isinstance(step.error, str)
    assert len(progress_line(job, 1e9)) < MOST_CHARACTERS
    assert len(str(job)) < MOST_CHARACTERS
    check_storable(job)


def check_counts(counts: RowCounts | None) -> None:
    if counts is not None:
        for count in (counts.total, counts.scored, counts.errored):
            _check_count(count)
        assert isinstance(counts.message, str)
        check_storable(counts.to_json())


def _check_count(count: Any) -> None:
    assert count is None or (type(count) is int and 0 <= count <= 2**53), count


def check_jobs(jobs: Iterable[BenchmarkJob]) -> None:
    names = []
    for job in jobs:
        check_job(job, None)
        names.append(job.name)
    assert len(set(names)) == len(names)


def check_results(results: Iterable[Any]) -> None:
    for result in results:
        assert isinstance(result, JobResult)
        for text in (result.name, result.download_url, result.artifact_url):
            assert isinstance(text, str)
        assert f"job-fileset-{NAME}#" in result.artifact_url or not result.artifact_url.startswith("job-fileset-")
        check_storable(result)


def check_log(lines: Iterable[Any]) -> None:
    for line in lines:
        assert isinstance(line, LogLine)
        for text in (line.message, line.level, line.step, line.at, line.root_error, line.error):
            assert isinstance(text, str)
        check_storable(line)


def check_scores(scores: Any) -> None:
    assert isinstance(scores, AggregateScores)
    for score in scores.scores:
        assert isinstance(score.metric, str)
        assert isinstance(score.name, str)
        assert isinstance(score.score_type, str)
        assert score.mode_category is None or isinstance(score.mode_category, str)
        for count in (score.count, score.nan_count):
            _check_count(count)
        for number in (score.mean, score.std_dev, score.min, score.max, score.sum, score.value, score.median):
            assert number is None or type(number) is float
        for each in score.histogram:
            assert type(each.count) is int
            assert each.count >= 0
    json.dumps(scores.to_records(), allow_nan=False)
    json.dumps(scores.to_json(), allow_nan=False)
    scores.to_frame()
    check_storable(scores.to_records())


def check_rows(rows: Iterable[Any]) -> None:
    for row in rows:
        assert isinstance(row, RowScore)
        assert row.row_index is None or type(row.row_index) is int
        assert isinstance(row.item, dict)
        for named in row.metrics.values():
            assert isinstance(named, dict)
        assert row.inference_error is None or isinstance(row.inference_error, str)
        json.dumps(row.to_dict(), allow_nan=False)


def check_text(value: Any) -> None:
    """A text for people is short."""
    check_name(value)
    assert len(value) < MOST_CHARACTERS


def check_name(value: Any) -> None:
    assert isinstance(value, str)
    value.encode()


def check_event(payload: Any, name: str) -> None:
    """An event of a trigger says how the wait for its own job has ended."""
    json.dumps(payload, allow_nan=False, ensure_ascii=False).encode()
    assert payload["job_name"] == name
    assert payload["status"] in ("completed", "error", "cancelled", "failed_to_wait", "timed_out")
    assert len(json.dumps(payload)) <= 2 * MOST_CHARACTERS
    if payload["status"] == "failed_to_wait":
        assert len(payload["message"]) <= MOST_CHARACTERS
        assert "unexpected error" not in payload["message"], payload["message"]
