"""How a service stores benchmarks and metrics: paths, bodies, and what of a stored one differs from a benchmark."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from airflow_provider_benchmarks.benchmarks import Benchmark, differences
from airflow_provider_benchmarks.benchmarks.benchmark import hash_of, measured

#: Label of a metric that this package has stored, with the hash of what it was made of. The service adds defaults.
_LABEL = "content-hash"
#: Fields of a stored metric that say nothing about its scores.
_HEAD = frozenset(
    {"name", "workspace", "id", "entity_id", "project", "description", "labels", "supported_job_types"}
    | {"created_at", "created_by", "updated_at", "updated_by"}
)
#: Defaults that the service adds and that are not null.
_DEFAULTS = {
    "ignore_request_failure": False,
    "max_retries": 3,
    "mode": "f1",
    "strictness": 1,
    "timeout_seconds": 30.0,
    "use_reference": True,
}
_OTHER = "on the service"
_ROWS_FILE = "rows.jsonl"
#: Of the hash of rows in the name of their fileset, and of the benchmark's name before it: names have up to 63.
_HASH_CHARACTERS, _NAME_CHARACTERS = 12, 40


@dataclass(frozen=True, slots=True)
class StoredBenchmarks:
    """Stored benchmarks of one generation.

    :param home: returns the path of a workspace
    """

    home: Callable[[str], str]

    def benchmarks_path(self, workspace: str) -> str:
        return f"{self.home(workspace)}/benchmarks"

    def benchmark_path(self, reference: str) -> str:
        workspace, _, name = reference.partition("/")
        return f"{self.benchmarks_path(workspace)}/{quote(name, safe='')}"

    def metric_path(self, reference: str) -> str:
        workspace, _, name = reference.partition("/")
        return f"{self.home(workspace)}/metrics/{quote(name, safe='')}"

    def filesets_path(self, workspace: str) -> str:
        return f"/apis/files/v2/workspaces/{quote(workspace, safe='')}/filesets"

    def rows_path(self, benchmark: Benchmark) -> str:
        """Path of the file that has the rows of a benchmark."""
        return f"{self.filesets_path(benchmark.workspace)}/{self.rows_fileset(benchmark)}/-/{_ROWS_FILE}"

    def rows_fileset(self, benchmark: Benchmark) -> str:
        """Name of the fileset that has the rows of a benchmark: other rows have another one."""
        name = benchmark.name.partition("/")[2]
        return f"{name[:_NAME_CHARACTERS].rstrip('-')}-rows-{benchmark.rows_hash[:_HASH_CHARACTERS]}"

    def rows_content(self, benchmark: Benchmark) -> bytes:
        return b"".join(json.dumps(row).encode() + b"\n" for row in benchmark.rows or ())

    def dataset(self, benchmark: Benchmark) -> str:
        """Reference of the fileset that the stored benchmark has."""
        if benchmark.dataset is not None:
            return benchmark.dataset
        return f"{benchmark.workspace}/{self.rows_fileset(benchmark)}"

    def metric_body(self, metric: Mapping[str, Any]) -> dict[str, Any]:
        labels = metric.get("labels")
        return {**metric, "labels": {**(labels if isinstance(labels, dict) else {}), _LABEL: hash_of(measured(metric))}}

    def benchmark_body(self, benchmark: Benchmark) -> dict[str, Any]:
        name = benchmark.name.partition("/")[2]
        metrics, dataset = list(benchmark.metrics), self.dataset(benchmark)
        return {"name": name, "description": name, "metrics": metrics, "dataset": dataset}

    def metric_differences(self, metric: Mapping[str, Any], stored: Mapping[str, Any]) -> str:
        """What of a stored metric differs, in words; empty for nothing.

        What the service has added to a metric that this package has stored are defaults: it has no request that changes
        a stored metric. In one that others have stored it may be anything but the defaults that are known.
        """
        mine = _without_nulls(measured(metric))
        theirs = _projected(stored, mine)
        labels = stored.get("labels")
        is_ours = isinstance(labels, dict) and labels.get(_LABEL) == hash_of(measured(metric))
        names = _DEFAULTS.keys() & stored.keys() if is_ours else stored.keys()
        more = {key: stored[key] for key in sorted(names - mine.keys() - _HEAD)}
        added = {key: value for key, value in more.items() if value not in (None, [], {}, _DEFAULTS.get(key))}
        if mine != theirs:  # a flag that is off, likely by default, is no news beside what does differ
            added = {key: value for key, value in added.items() if value is not False}
        return differences(mine, {**theirs, **added}, other=_OTHER)

    def benchmark_differences(self, benchmark: Benchmark, stored: Mapping[str, Any]) -> str:
        """What of a stored benchmark differs besides its metrics' own fields, in words; empty for nothing."""
        mine = {"metrics": sorted(benchmark.metrics), "dataset": self.dataset(benchmark)}
        metrics = stored.get("metrics")
        theirs = {
            "metrics": sorted(map(str, metrics)) if isinstance(metrics, list) else metrics,
            "dataset": stored.get("dataset"),
        }
        return differences(mine, theirs, other=_OTHER)


def _without_nulls(value: Any) -> Any:
    """A value as the service returns it: it leaves out what is null."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(member) for key, member in value.items() if member is not None}
    return [_without_nulls(member) for member in value] if isinstance(value, list) else value


def _projected(stored: Any, mine: Any) -> Any:
    """A stored value without the fields that it has and we do not name."""
    if isinstance(stored, Mapping) and isinstance(mine, Mapping):
        return {key: _projected(stored[key], mine[key]) for key in mine if key in stored}
    if isinstance(stored, list) and isinstance(mine, list) and len(stored) == len(mine):
        return [_projected(each, own) for each, own in zip(stored, mine, strict=True)]
    return stored
