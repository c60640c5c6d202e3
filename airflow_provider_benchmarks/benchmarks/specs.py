"""The job specs that the generations of the service take for a benchmark, as pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_benchmarks.benchmarks.benchmark import Benchmark
from airflow_provider_benchmarks.benchmarks.job_request import JobRequest
from airflow_provider_benchmarks.benchmarks.outputs import outputs_of
from airflow_provider_benchmarks.brief import brief_names
from airflow_provider_benchmarks.exceptions import ConfigurationError

#: The service's own default. It tells which params are those of an online job by their fields, and fails with 500 where
#: a job has a target and none of these (0.3.0 to 0.8.1).
_ONLINE_PARAMS = {"ignore_request_failure": False}


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job spec as a service takes it.

    :param spec: the service's job spec
    :param metric_names: references of the metrics by the keys that the results have, where these are others
    """

    spec: Mapping[str, Any]
    metric_names: Mapping[str, str] = field(default_factory=dict)


def stored_benchmark_spec(request: JobRequest) -> JobSpec:
    """The spec for a service that stores benchmarks: it refers to one, and results name metrics by reference."""
    return JobSpec({"benchmark": request.name, **_run_with(request, model="model")})


def bundle_spec(request: JobRequest) -> JobSpec:
    """The spec for a service that stores no benchmarks: it has the metrics themselves, and the dataset.

    :raises ConfigurationError: the benchmark is only a reference, or it is not known which scores a metric has
    """
    benchmark = request.benchmark
    if not isinstance(benchmark, Benchmark):
        raise ConfigurationError(
            f'this service stores no benchmarks, so "{benchmark}" alone says nothing to it. Give the benchmark as '
            f"code: a benchmark file with its dataset and metrics, or a Benchmark"
        )
    bodies = benchmark.bodies
    metrics = [
        {
            "bundle_kind": "metric-bundle",
            "bundle_format_version": "v1",
            "metric_type": body["type"],
            "outputs": outputs_of(reference, benchmark.metrics[reference]),
            "payload": {"kind": "inline", "metric": body},
        }
        for reference, body in bodies.items()
    ]
    keys = metric_keys(body["type"] for body in bodies.values())
    if len(set(keys)) < len(keys):
        raise ConfigurationError(
            f"{benchmark.name}: results would have one key for two metrics, as their types are "
            f"{brief_names(body['type'] for body in bodies.values())}, and releases of the service tell such metrics "
            f"apart in other ways, or not at all. Put the one whose type ends in a number into a benchmark of its own"
        )
    spec = {
        "metrics": metrics,
        "dataset": benchmark.dataset if benchmark.rows is None else list(benchmark.rows),
        **_run_with(request, model="target"),
    }
    if "target" in spec:
        spec["params"] = {**_ONLINE_PARAMS, **spec.get("params", {})}
    return JobSpec(spec, dict(zip(keys, bodies, strict=True)))


def metric_keys(types: Iterable[str]) -> list[str]:
    """The keys of metrics in results, which are made of their types: ``exact-match``, ``exact-match_2``, …"""
    seen: Counter[str] = Counter()
    keys = []
    for kind in types:
        seen[kind] += 1
        keys.append(kind if seen[kind] == 1 else f"{kind}_{seen[kind]}")
    return keys


def _run_with(request: JobRequest, *, model: str) -> dict[str, Any]:
    """The fields of a spec besides what it measures; the service refuses some that are null.

    :param model: the field of the model
    """
    fields = {
        "params": dict(request.params) if request.params else None,
        model: dict(request.model) if isinstance(request.model, Mapping) else request.model,
        "prompt_template": request.prompt_template,
    }
    return {name: value for name, value in fields.items() if value is not None}
