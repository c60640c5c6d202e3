"""Jobs of a benchmark whose rows have the fields that pages speak of."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.testing import EvaluationService
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE, wait_until_finished

#: The scores of a metric by row: numbers, None where there is none, or the labels of a rubric.
Values = Sequence[Any]
#: The labels of a rubric, all of which the service lists, whatever the number of rows.
TONES = ("formal", "casual", "rude")


def item_of(index: int) -> dict[str, Any]:
    return {
        "input": f"question {index}",
        "reference": f"answer {index}",
        "category": "math" if index % 2 else "prose",
        "level": 1 + index % 3,
        "length": 10 + index % 100,
    }


def share(ones: int, of: int = 120) -> list[float]:
    """0/1 scores of which so many are 1, spread over the rows."""
    return [float((i * ones) // of != ((i + 1) * ones) // of) for i in range(of)]


def _with_output(item: dict[str, Any], values: Iterable[Any]) -> dict[str, Any]:
    """An item with what the model had put out, which is another where its scores are."""
    return {**item, "output": f"an answer of {', '.join(map(str, values))}"}


def give(
    service: EvaluationService,
    values: Values | Mapping[tuple[str, str], Values],
    *,
    benchmark: str | None = BENCHMARK,
    items: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """Let every later job of a benchmark have these scores.

    :param values: of exact-match, or by metric and score
    :param items: of the rows; without them they are those of an offline job, which hold the model's output
    """
    scores = values if isinstance(values, Mapping) else {("exact-match", "exact-match"): values}
    aggregate = [
        {"metric": f"{WORKSPACE}/{metric}", "scores": [_aggregate(name, each)]}
        for (metric, name), each in scores.items()
    ]
    rows = [
        {
            "row_index": index,
            "item": items[index] if items else _with_output(item_of(index), (each[index] for each in scores.values())),
            "sample": {},
            "metrics": {
                f"{WORKSPACE}/{metric}": [{"name": name, "value": "NaN" if each[index] is None else each[index]}]
                for (metric, name), each in scores.items()
            },
            "requests": [],
        }
        for index in range(len(next(iter(scores.values()))))
    ]
    service.give_results(benchmark, aggregate={"results": aggregate}, rows=rows)


def run_job(service: EvaluationService, name: str, *values: Values | Mapping[tuple[str, str], Values]) -> str:
    """Run a job, with these scores where they are given; return its name."""
    for each in values:
        give(service, each)
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        client.submit_job(SPEC, name=name)
        wait_until_finished(client, name)
    return name


def _aggregate(name: str, values: Values) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    figures: dict[str, Any] = {"name": name, "count": len(known), "nan_count": len(values) - len(known)}
    if isinstance(known[0], str):
        categories = [
            {"label": label, "description": None, "value": None, "count": count}
            for label, count in Counter(dict.fromkeys(TONES, 0) | Counter(known)).items()
        ]
        return {**figures, "score_type": "rubric", "rubric_distribution": categories}
    figures |= {"mean": statistics.fmean(known), "variance": statistics.pvariance(known), "sum": sum(known)}
    return {
        **figures,
        "score_type": "range",
        "std_dev": statistics.pstdev(known),
        "min": min(known),
        "max": max(known),
    }
