"""inspect_ai: a log of one task, ``<time>_<task>_<id>.eval``, or the same as ``.json``.

An ``.eval`` is a ZIP archive, whose members are packed with zstd by newer versions. ``summaries.json`` in it has the
scores of all samples, with long texts cut. A row is a sample in one epoch; the epochs of a sample are repeats.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.extras import require
from airflow_provider_benchmarks.scores.aggregate import AggregateScores
from airflow_provider_benchmarks.scores.json_values import json_text, parse_json
from airflow_provider_benchmarks.scores.results_files.files import (
    MAX_DOCUMENT_BYTES,
    ResultFile,
    bounded,
    object_at,
    text_at,
    whole_number_at,
)
from airflow_provider_benchmarks.scores.results_files.run import (
    EvaluatorRun,
    ResultRow,
    aggregate_rows,
    described,
    rows_of,
    score_number,
    utc_time,
)

NAME = "inspect_ai"
TITLE = "inspect_ai"
#: What the tool's own reducers and metrics make of a grade: correct, partially correct, incorrect, no answer.
_GRADES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
_SUMMARIES, _HEADER = "summaries.json", "header.json"
_ZSTD = 93
_LOCAL_HEADER_BYTES = 30


def is_results(data: Any) -> bool:
    """True for the content of a log that was written as JSON."""
    return isinstance(data, dict) and {"eval", "status", "samples"} <= data.keys()


def read(file: ResultFile, data: Any) -> Iterator[EvaluatorRun]:
    """Read the task of a log.

    :param data: the log, where it was written as JSON; None for an archive
    :raises IncompleteResults: the task did not run to its end, samples are missing, or the log was marked as invalid
    :raises ConfigurationError: nothing that unpacks the archive is installed (extra ``parquet``)
    """
    header, samples = (data, data["samples"]) if data is not None else _unpacked(file)
    header = object_at(header)
    if (status := header.get("status")) != "success":
        raise IncompleteResults(f'the task has the status {brief(status)}, and only of "success" its scores are whole')
    if header.get("invalidated"):
        raise IncompleteResults("someone has marked the log as invalid")
    task = object_at(header, "eval")
    if not isinstance(samples, list):
        raise IncompleteResults(f"expected a list of samples, found {brief(samples)}")
    expected = object_at(header, "results").get("total_samples")
    if expected != len(samples):
        raise IncompleteResults(f"there are {len(samples)} samples, but the task had {brief(expected)}")
    rows = rows_of(map(_row, _sorted(samples, object_at(task, "dataset").get("sample_ids"))))
    packages = task.get("packages")
    yield EvaluatorRun(
        tool=NAME,
        task=text_at(task, "task"),
        model=text_at(task, "model"),
        created_at=utc_time(task.get("created")),
        rows=rows,
        aggregate=AggregateScores(aggregate_rows(rows)),
        version=described(
            evaluator_version=packages.get("inspect_ai") if isinstance(packages, dict) else None,
            task_version=task.get("task_version"),
        ),
    )


def _sorted(samples: list[Any], ids: Any) -> list[dict[str, Any]]:
    """The samples in the order of the dataset, the epochs of each together. A log has them as they ended."""
    places = {json_text(sample_id): place for place, sample_id in enumerate(ids)} if isinstance(ids, list) else {}

    def place(sample: dict[str, Any]) -> tuple[int, str, int]:
        name = json_text(sample.get("id"))
        return places.get(name, len(places)), name, whole_number_at(sample, "epoch")

    found = sorted(map(object_at, samples), key=place)
    for one, other in pairwise(found):
        if place(one) == place(other):
            raise IncompleteResults(f"sample {brief(one.get('id'))} is there twice in epoch {one['epoch']}")
    return found


def _row(sample: dict[str, Any]) -> ResultRow:
    scores: dict[str, dict[str, Any]] = {}
    for scorer, score in object_at({"scores": {}, **_without_nulls(sample)}, "scores").items():
        value = object_at(score).get("value")
        if isinstance(value, dict):
            scores[scorer] = {name: _number(each) for name, each in value.items()}
        elif isinstance(value, list):
            scores[scorer] = {f"{scorer}[{place}]": _number(each) for place, each in enumerate(value)}
        else:
            scores[scorer] = {scorer: _number(value)}
    error = sample.get("error")
    if isinstance(error, dict):
        error = error.get("message") or "error"
    return ResultRow(item=_item(sample), scores=scores, error=None if error is None else shortened(error, 2000))


def _item(sample: dict[str, Any]) -> dict[str, Any]:
    """What identifies a sample; the epoch is not in it, as the epochs of a sample are repeats of one item."""
    metadata = sample.get("metadata")
    item = dict(metadata) if isinstance(metadata, dict) else {}
    return item | {"id": sample.get("id"), "input": sample.get("input"), "target": sample.get("target")}


def _number(value: Any) -> Any:
    """A value as the tool's own metrics take it; a text that they know no number for stays as it is, and is none."""
    if not isinstance(value, str):
        return score_number(value) if value is None or isinstance(value, bool | int | float) else json_text(value)
    if value in _GRADES:
        return _GRADES[value]
    lower = value.lower()
    if lower in ("yes", "true"):
        return 1.0
    if lower in ("no", "false"):
        return 0.0
    try:
        return float(value)
    except ValueError:
        return value


def _without_nulls(sample: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in sample.items() if value is not None}


def _unpacked(file: ResultFile) -> tuple[Any, Any]:
    """The header and the summaries of an archive."""
    with file.opened() as archive, zipfile.ZipFile(archive) as members:
        names = members.namelist()
        if _HEADER not in names:
            raise IncompleteResults(f"the archive has no {_HEADER}, which is written last: the task has not ended")
        header, summaries = (
            parse_json(_member(archive, members, name)) if name in names else None for name in (_HEADER, _SUMMARIES)
        )
    return header, summaries


def _member(archive: Any, members: zipfile.ZipFile, name: str) -> bytes:
    """A member of an archive; Python's own reader of ZIP archives unpacks zstd from 3.14 on only."""
    info = members.getinfo(name)
    if info.compress_type != _ZSTD:
        with members.open(info) as member:
            return bounded(member, MAX_DOCUMENT_BYTES)
    require("logs of inspect_ai need", "pyarrow")
    import pyarrow as pa

    archive.seek(info.header_offset)
    local = archive.read(_LOCAL_HEADER_BYTES)
    archive.seek(int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little"), io.SEEK_CUR)
    packed = bounded(io.BytesIO(archive.read(min(info.compress_size, MAX_DOCUMENT_BYTES + 1))), MAX_DOCUMENT_BYTES)
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        return bounded(stream, MAX_DOCUMENT_BYTES)
