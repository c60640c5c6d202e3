"""What a job measures: a dataset, and the metrics that score its rows."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from airflow_provider_benchmarks.benchmarks.plain import WrongBenchmark, plain
from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.scores.equality import canonical
from airflow_provider_benchmarks.scores.json_values import fits_utf8

#: A part of a reference. One that is ``.`` or ``..`` would lead to another path of the service.
_NAME = r"(?!\.{1,2}(?:[/#]|$))[^/#\s]+"
#: In Python's own patterns, ``$`` is before a newline at the end, too.
_END = r"$(?!\n)"
#: ``workspace/name``, of a benchmark or a metric.
REFERENCE = rf"^{_NAME}/{_NAME}{_END}"
#: ``workspace/name`` of a fileset, or ``workspace/name#file`` for one of its files.
DATASET = rf"^{_NAME}/{_NAME}(#[^\r\n]+)?{_END}"
#: Field of a metric that is not the service's: the outputs that it has to be sent with.
OUTPUTS = "outputs"
#: Fields of a metric that say nothing about its scores.
_UNMEASURED = frozenset({OUTPUTS, "description", "labels"})


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
        metrics = {reference: measured(metric) for reference, metric in self.metrics.items()}
        if self.rows is None:
            return {"dataset": self.dataset, "metrics": metrics}
        return {"rows": {"number": len(self.rows), "sha256": self.rows_hash}, "metrics": metrics}

    @property
    def content_hash(self) -> str:
        """Hash of :attr:`content`: two benchmarks with the same one measure the same."""
        return hash_of(self.content)

    @property
    def rows_hash(self) -> str:
        """Hash of the rows."""
        return hash_of(self.rows)


def measured(metric: Mapping[str, Any]) -> dict[str, Any]:
    """What of a metric decides about its scores."""
    return {key: value for key, value in metric.items() if key not in _UNMEASURED}


def hash_of(value: Any) -> str:
    """Hash a JSON value: equal ones have the same hash, whatever the order of their keys, and 1 as 1.0."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def _matches(pattern: str, value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None and fits_utf8(value)


def _require_reference(value: Any, what: str, of: str, path: tuple[str | int, ...]) -> None:
    if not _matches(REFERENCE, value):
        raise WrongBenchmark(f'{what} must be the reference of {of}, "workspace/name", found {brief(value)}', path)


def _rows(rows: Any) -> list[dict[str, Any]]:
    if not isinstance(rows, Sequence) or isinstance(rows, str | bytes) or not rows:
        raise WrongBenchmark(f"rows must be a list of one or more rows, found {brief(rows)}", ("rows",))
    for place, row in enumerate(rows):
        if not isinstance(row, Mapping) or not row:
            raise WrongBenchmark(f"a row must be a mapping of its fields, found {brief(row)}", ("rows", place))
    return [plain(row, ("rows", place)) for place, row in enumerate(rows)]


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
    body: dict[str, Any] = plain(metric, path)
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
