"""What a job measures: a dataset, and the metrics that score its rows."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError

#: ``workspace/name``, of a benchmark or a metric.
REFERENCE = r"^[^/#\s]+/[^/#\s]+$"
#: ``workspace/name`` of a fileset, or ``workspace/name#file`` for one of its files.
DATASET = r"^[^/#\s]+/[^/#\s]+(#[^\r\n]+)?$"
#: Field of a metric that is not the service's: the outputs that it has to be sent with.
OUTPUTS = "outputs"
#: Maximum depth of lists and mappings in a metric or a row.
_MAX_DEPTH = 50


class WrongBenchmark(ConfigurationError):
    """A part of a benchmark is not what it may be.

    :param path: keys and places that lead to the part
    """

    def __init__(self, message: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark: exactly one of ``dataset`` and ``rows``, and one or more metrics.

    :param name: reference, ``workspace/name``
    :param metrics: by their references ``workspace/name``, each as the service has it: ``{"type": …, …}``. A metric of
        a type that this package does not know needs ``outputs`` too: a list of the names of its scores, or of whole
        descriptions ``{"name", "description", "value_json_schema"}``
    :param dataset: reference of a fileset, ``workspace/name``, or of one of its files, ``workspace/name#file``
    :param rows: the dataset itself, for a small one
    :raises ConfigurationError: a part is not what it may be; says which, and what is allowed there
    """

    name: str
    _: KW_ONLY
    metrics: Mapping[str, Mapping[str, Any]] = field(hash=False)
    dataset: str | None = None
    rows: Sequence[Mapping[str, Any]] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        _require_reference(self.name, "name", "a benchmark", ("name",))
        if (self.dataset is None) == (self.rows is None):
            found = "neither" if self.rows is None else "both"
            raise WrongBenchmark(f"a benchmark needs either a dataset (a fileset) or rows, found {found}")
        if self.dataset is not None and not _matches(DATASET, self.dataset):
            raise WrongBenchmark(
                f'dataset must be a fileset, "workspace/name" or "workspace/name#file", found {brief(self.dataset)}',
                ("dataset",),
            )
        if self.rows is not None:
            object.__setattr__(self, "rows", _rows(self.rows))
        object.__setattr__(self, "metrics", _metrics(self.metrics))

    @property
    def workspace(self) -> str:
        """Workspace of the benchmark."""
        return self.name.partition("/")[0]

    @property
    def bodies(self) -> dict[str, dict[str, Any]]:
        """The metrics as the service has them, by reference."""
        return {
            reference: {key: value for key, value in metric.items() if key != OUTPUTS}
            for reference, metric in self.metrics.items()
        }

    @property
    def content(self) -> dict[str, Any]:
        """What decides about scores, as JSON: the metrics, and the dataset or the number and the hash of the rows."""
        if self.rows is None:
            return {"dataset": self.dataset, "metrics": self.bodies}
        return {"rows": {"number": len(self.rows), "sha256": self.rows_hash}, "metrics": self.bodies}

    @property
    def content_hash(self) -> str:
        """Hash of :attr:`content`: two benchmarks with the same one measure the same."""
        return hash_of(self.content)

    @property
    def rows_hash(self) -> str:
        """Hash of the rows."""
        return hash_of(self.rows)


def hash_of(value: Any) -> str:
    """Hash a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _matches(pattern: str, value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _require_reference(value: Any, what: str, of: str, path: tuple[str | int, ...]) -> None:
    if not _matches(REFERENCE, value):
        raise WrongBenchmark(f'{what} must be the reference of {of}, "workspace/name", found {brief(value)}', path)


def _rows(rows: Any) -> list[dict[str, Any]]:
    if not isinstance(rows, Sequence) or isinstance(rows, str | bytes) or not rows:
        raise WrongBenchmark(f"rows must be a list of one or more rows, found {brief(rows)}", ("rows",))
    for place, row in enumerate(rows):
        if not isinstance(row, Mapping) or not row:
            raise WrongBenchmark(f"a row must be a mapping of its fields, found {brief(row)}", ("rows", place))
    return [_plain(row, ("rows", place)) for place, row in enumerate(rows)]


def _metrics(metrics: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(metrics, Mapping) or not metrics:
        raise WrongBenchmark(
            f'metrics must be a mapping of one or more metrics by their references, "workspace/name", found '
            f"{brief(metrics)}",
            ("metrics",),
        )
    return {reference: _metric(reference, metric) for reference, metric in metrics.items()}


def _metric(reference: Any, metric: Any) -> dict[str, Any]:
    path = ("metrics", reference)
    _require_reference(reference, "the key of a metric", "a metric", path)
    if not isinstance(metric, Mapping) or not isinstance(metric.get("type"), str) or not metric["type"]:
        raise WrongBenchmark(
            f'metric {shortened(reference)} must be a mapping with its "type" and further fields, found '
            f"{brief(metric)}",
            path,
        )
    body: dict[str, Any] = _plain(metric, path)
    if OUTPUTS in body:
        _require_outputs(body[OUTPUTS], reference, (*path, OUTPUTS))
    return body


def _require_outputs(outputs: Any, reference: str, path: tuple[str | int, ...]) -> None:
    valid = isinstance(outputs, list) and bool(outputs)
    for output in outputs if valid else ():
        name = output.get("name") if isinstance(output, dict) else output
        valid = valid and isinstance(name, str) and bool(name)
    if not valid:
        raise WrongBenchmark(
            f"outputs of metric {shortened(reference)} must be a list of the names of its scores, or of mappings with "
            f'"name", "description" and "value_json_schema", found {brief(outputs)}',
            path,
        )


def _plain(value: Any, path: tuple[str | int, ...]) -> Any:
    """Copy a value as JSON gives it back.

    :raises WrongBenchmark: JSON has no such value
    """
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if len(path) > _MAX_DEPTH:
        raise WrongBenchmark(f"nested more than {_MAX_DEPTH} levels deep", path)
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(member, (*path, key)) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member, (*path, place)) for place, member in enumerate(value)]
    where = ".".join(shortened(str(step)) for step in path)
    raise WrongBenchmark(
        f"{where} must be a text, a finite number, true, false, null, a list, or a mapping with texts as keys, found "
        f"{brief(value)}",
        path,
    )
