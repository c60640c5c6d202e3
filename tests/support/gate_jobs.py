"""Jobs that gates judge: their rows, and running them on the local service."""

from __future__ import annotations

from typing import Any

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.testing import EvaluationService
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE, wait_until_finished

ROWS = 120


def row(index: int, value: object, **sample: object) -> dict[str, Any]:
    item = {"question": f"question {index}", "category": "math" if index % 4 == 0 else "prose"}
    scores = [{"name": "accuracy", "value": value}]
    return {"row_index": index, "item": item, "sample": sample, "metrics": {f"{WORKSPACE}/m": scores}, "requests": []}


def of_values(values: list[float]) -> list[dict[str, Any]]:
    return [row(index, value) for index, value in enumerate(values)]


GOOD = of_values([float(i % 5 != 1) for i in range(ROWS)])
#: Worse in one category only: a quarter of the rows, of which half are lost.
BAD_AT_MATH = of_values([float(i % 5 != 1 and i % 8 != 0) for i in range(ROWS)])


def run_job(
    service: EvaluationService,
    name: str,
    rows: list[dict[str, Any]] = GOOD,
    benchmark: str = BENCHMARK,
    **spec: Any,
) -> str:
    """Run a job that has these rows of the metric ``m``; return its name.

    :param spec: further fields of the job's spec
    """
    values = [r["metrics"][f"{WORKSPACE}/m"][0]["value"] for r in rows]
    known = [value for value in values if value != "NaN"]
    mean = sum(known) / len(known)
    variance = mean * (1 - mean)
    score = {"name": "accuracy", "score_type": "range", "count": len(known), "nan_count": len(values) - len(known)}
    score |= {"mean": mean, "variance": variance, "std_dev": variance**0.5, "min": 0, "max": 1, "sum": sum(known)}
    aggregate = {"results": [{"metric": f"{WORKSPACE}/m", "scores": [score]}]}
    service.give_results(benchmark, aggregate=aggregate, rows=rows)
    with client_of(service) as client:
        client.submit_job({**SPEC, "benchmark": benchmark, **spec}, name=name)
        wait_until_finished(client, name)
    return name


def client_of(service: EvaluationService) -> BenchmarkClient:
    return BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False))
