"""Result files of jobs that bring their metrics along: scores named by the type of their metric."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_benchmarks.testing._jobs.aggregation import aggregate_score
from airflow_provider_benchmarks.testing._jobs.evaluation import Item, Rendering, score_items
from airflow_provider_benchmarks.testing._jobs.result_schemas import as_json
from airflow_provider_benchmarks.testing._release import Release
from airflow_provider_benchmarks.testing._state.fileset import StoredFile
from airflow_provider_benchmarks.testing._state.outcome import ResultFiles

_ADVICE_ON_MAPPINGS = (
    "Supply this field: add it to the dataset, or bind it with a field_mapping. If a field_mapping already binds it, "
    "the mapped path did not resolve for this row -- correct the path, since a dataset column of this name does not "
    "satisfy a binding that misses."
)


@dataclass(frozen=True, slots=True)
class RowCounts:
    """What became of a job's rows.

    :param scored: rows with at least one value
    :param errored: rows with an error of a metric
    """

    total: int
    scored: int
    errored: int

    def details(self) -> dict[str, Any]:
        """Return them as the service does in ``status_details``."""
        counts = {"unit": "rows", "total": self.total, "errored": self.errored, "scored": self.scored}
        return {**counts, "failed": self.scored == 0, "message": self.message}

    @property
    def message(self) -> str:
        if self.scored == 0:
            return (
                f"No usable scores across {self.total} rows ({self.errored} reported errors). See the job logs for the "
                f"underlying request or metric failures."
            )
        return f"{self.scored} of {self.total} rows scored; {self.errored} reported errors."


def evaluate_bundles(release: Release, metrics: Mapping[str, Mapping[str, Any]], items: Sequence[Item]) -> ResultFiles:
    """Score every item with every metric.

    :param metrics: the fields of each metric, by its key in the results
    :raises EvaluationError: a template or a metric fails on a row
    :raises NotImplementedError: the local service can't compute one of the metrics
    """
    rendering = Rendering(_offline_sample, **({"advice": _ADVICE_ON_MAPPINGS} if release.minor >= 8 else {}))
    values = score_items(metrics, items, rendering)
    rows = [
        {
            "row_index": row_index,
            "item": as_json(item),
            "sample": as_json(_offline_sample(item)),
            "metrics": {
                key: [{"name": fields["type"], "value": _nan_as_text(values[key][row_index])}]
                for key, fields in metrics.items()
            },
            "requests": [],
            "metric_errors": None,
            "metric_diagnostics": None,
        }
        for row_index, item in enumerate(items)
    ]
    scores = [
        aggregate_score(f"{key}.{fields['type']}", values[key], sample_statistics=release.has_sample_statistics)
        for key, fields in metrics.items()
    ]
    return ResultFiles(pretty({"scores": scores}), StoredFile(b"".join(_compact(row) + b"\n" for row in rows)))


def _offline_sample(item: Item) -> Item:
    """Return what an offline job takes for the model's output: the field ``output`` of the dataset."""
    return {"output_text": item["output"]} if "output" in item else {}


def _nan_as_text(value: float) -> float | str:
    return "NaN" if math.isnan(value) else value


def pretty(value: Any) -> bytes:
    """Encode as the service's workers do, except for rows."""
    return json.dumps(value, ensure_ascii=False, indent=2).encode()


def _compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def read_rows(results: ResultFiles) -> list[dict[str, Any]] | None:
    """Return the rows; None if there are none, if they are on disk, or if they are damaged."""
    if results.rows is None or not isinstance(results.rows.content, bytes):
        return None
    try:
        rows = [json.loads(line) for line in results.rows.content.split(b"\n") if line.strip()]
    except ValueError:
        return None
    return rows if all(isinstance(row, dict) for row in rows) else None


def read_scores(results: ResultFiles) -> list[dict[str, Any]] | None:
    """Return the aggregate scores; None if they have another shape than the service's."""
    try:
        scores = json.loads(results.aggregate)["scores"]
    except (ValueError, TypeError, KeyError):
        return None
    valid = isinstance(scores, list) and all(isinstance(score, dict) and "name" in score for score in scores)
    return scores if valid else None


def count_rows(results: ResultFiles) -> RowCounts | None:
    """Count the rows of results, or estimate from the aggregate scores; None if these have another shape."""
    rows = read_rows(results)
    if rows is not None:
        scored = sum(any(_has_value(outputs) for outputs in row.get("metrics", {}).values()) for row in rows)
        return RowCounts(len(rows), scored, sum(bool(row.get("metric_errors")) for row in rows))
    scores = read_scores(results)
    if scores is None:
        return None
    counts = [(score.get("count") or 0, score.get("nan_count") or 0) for score in scores]
    return RowCounts(max(map(sum, counts), default=0), max((count for count, _ in counts), default=0), 0)


def _has_value(outputs: Any) -> bool:
    values = [output.get("value") for output in outputs if isinstance(output, dict)]
    return any(not (value in (None, "NaN") or (isinstance(value, float) and math.isnan(value))) for value in values)


def whole_result(results: ResultFiles) -> bytes:
    """Return the file with everything: rows, aggregate scores, and both for each metric."""
    rows, scores = read_rows(results) or [], read_scores(results) or []
    keys = dict.fromkeys(key for row in rows for key in row.get("metrics", {}))
    per_metric = {
        key: {
            "row_scores": [{**row, "metrics": {key: row["metrics"][key]}} for row in rows if key in row["metrics"]],
            "aggregate_scores": {"scores": [s for s in scores if str(s["name"]).startswith(f"{key}.")]},
        }
        for key in keys
    }
    return pretty({"row_scores": rows, "aggregate_scores": {"scores": scores}, "per_metric": per_metric})
