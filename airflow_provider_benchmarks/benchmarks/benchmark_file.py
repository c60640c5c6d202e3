"""Benchmark files: what a job measures as YAML or JSON, to be reviewed like code.

::

    name: my-workspace/qa-bench
    dataset: my-workspace/qa              # a fileset; or rows: [...] for a small dataset
    metrics:
      my-workspace/exact-match:
        type: exact-match
        reference: "{{item.reference}}"
        candidate: "{{item.output}}"

``benchmark.schema.json`` beside this module is the JSON Schema of such a file, for editors.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from airflow_provider_benchmarks.benchmarks.benchmark import DATASET, OUTPUTS, REFERENCE, Benchmark
from airflow_provider_benchmarks.benchmarks.job_request import JobRequest, is_reference
from airflow_provider_benchmarks.benchmarks.metric_fields import metric_problem, required_fields_schema
from airflow_provider_benchmarks.benchmarks.plain import WrongBenchmark
from airflow_provider_benchmarks.brief import brief, did_you_mean, shortened
from airflow_provider_benchmarks.described import parameters_of, summary_of
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.reviewed_text import MAX_BYTES, Kind, ReviewedText
from airflow_provider_benchmarks.scores.stored_files import open_stored, storage_errors

_KIND = Kind(
    noun="a benchmark file",
    shape="A benchmark has a dataset and metrics, each a mapping of its fields",
    part="metric",
    smaller="Store its rows as a fileset, and name that as its dataset.",
)
_KEYS = ("name", "dataset", "rows", "metrics")


def read_benchmark(path: Any) -> Benchmark:
    """Read a benchmark file, YAML (its words and numbers those of YAML 1.2) or JSON.

    :param path: a local path, a URL that fsspec or Airflow opens, or an Airflow ObjectStoragePath
    :raises ConfigurationError: it is not a benchmark; says in which line, and what is allowed there
    :raises OSError: it can't be read
    """
    is_path = isinstance(path, str | PathLike) or hasattr(path, "open")
    if not path or not is_path or "\0" in str(path):
        raise ConfigurationError(
            f"expected a Benchmark, the path of a benchmark file, or a reference, found {brief(path)}"
        )
    with storage_errors(path), open_stored(path) as file:
        content = file.read(MAX_BYTES + 1)
    return parse_benchmark(content, name=str(path))


def _benchmark_of(named: Benchmark | str) -> Benchmark | str:
    """Read the benchmark file that a text names; a benchmark, and the reference of a stored one, are as they are.

    :raises ConfigurationError: it is not a benchmark
    :raises OSError: it can't be read
    """
    return named if isinstance(named, Benchmark) or is_reference(named) else read_benchmark(named)


def requested(
    spec: Mapping[str, Any] | None, benchmark: Benchmark | str | None, **run_with: Any
) -> Mapping[str, Any] | JobRequest:
    """What to submit: the service's own spec as it is, or a benchmark and what it is run with.

    :param benchmark: also the path of a benchmark file
    :param run_with: the other fields of a :class:`JobRequest`
    :raises ConfigurationError: it is not clear what to run
    :raises OSError: the benchmark file can't be read
    """
    if spec is not None and (benchmark is not None or any(run_with.values())):
        raise ConfigurationError("a spec has a benchmark, model, prompt_template and params of its own")
    if spec is not None:
        return spec  # the client checks it
    if benchmark is None:
        raise ConfigurationError("a job needs either a spec or a benchmark")
    return JobRequest(_benchmark_of(benchmark), **run_with)


def parse_benchmark(text: str | bytes, *, name: str = "benchmark") -> Benchmark:
    """Read the text of a benchmark file.

    :param name: of the file, for messages; one in ``.json`` must be JSON
    :raises ConfigurationError: it is not a benchmark; says in which line, and what is allowed there
    """
    found = ReviewedText.read(text, name, _KIND)
    data = found.data
    if not isinstance(data, Mapping):
        raise found.error((), f"expected a mapping with the keys {', '.join(_KEYS)}")
    if unknown := [key for key in data if key not in _KEYS]:
        meant = did_you_mean(unknown[0], _KEYS)
        raise found.error((unknown[0],), f'unknown key "{shortened(unknown[0])}"; known: {", ".join(_KEYS)}{meant}')
    try:
        benchmark = Benchmark(**{"name": None, "metrics": None, **data})  # the class refuses what is missing
    except WrongBenchmark as error:
        raise found.error(error.path, str(error)) from error
    for reference, metric in benchmark.metrics.items():
        if (problem := metric_problem(metric)) is not None:
            raise found.error(("metrics", reference), f"metric {shortened(reference)}: {problem}")
    return benchmark


def benchmark_schema() -> dict[str, Any]:
    """The JSON Schema of a benchmark file.

    It has all rules but those that JSON Schema has no keywords for: a type is not misspelt; a key comes once; a number
    fits a float; the file and each text in it is in UTF-8, and the file neither too large nor nested too deeply.
    """
    text = {"type": "string", "minLength": 1}
    output = {
        "type": ["string", "object"],
        "minLength": 1,
        "required": ["name"],
        "properties": {"name": text},
    }
    properties: dict[str, dict[str, Any]] = {
        "name": {"type": "string", "pattern": REFERENCE},
        "metrics": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": REFERENCE},
            "additionalProperties": {
                "type": "object",
                "required": ["type"],
                "allOf": required_fields_schema(),
                "properties": {
                    "type": {"description": "The service's name of what it computes, such as exact-match.", **text},
                    OUTPUTS: {
                        "description": "Names of the scores, for a type that this package does not know.",
                        "type": "array",
                        "minItems": 1,
                        "items": output,
                    },
                },
            },
        },
        "dataset": {"type": ["string", "null"], "pattern": DATASET},
        "rows": {"type": ["array", "null"], "minItems": 1, "items": {"type": "object", "minProperties": 1}},
    }
    words = parameters_of(Benchmark)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Benchmark of a job",
        "description": summary_of(Benchmark),
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "metrics"],
        "if": {"required": ["rows"], "properties": {"rows": {"not": {"type": "null"}}}},
        "then": {"properties": {"dataset": {"type": "null"}}},
        "else": {"required": ["dataset"], "properties": {"dataset": {"type": "string"}}},
        "properties": {name: {"description": words[name], **rule} for name, rule in properties.items()},
    }
