"""Whether a benchmark measures the model that it is run with: metrics of dataset rows alone score all models alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_benchmarks.benchmarks.benchmark import Benchmark
from airflow_provider_benchmarks.benchmarks.job_request import JobRequest
from airflow_provider_benchmarks.brief import brief_names

#: A template of the service. What the model has returned is its ``sample``.
_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_SAMPLE = re.compile(r"\bsample\b")
#: Fields without which a metric of each type reads what the model has returned. Other types may read it in any case.
_IN_PLACE_OF_THE_MODEL: Mapping[str, tuple[str, ...]] = {
    "exact-match": ("candidate",),
    "f1": ("candidate",),
    "bleu": ("candidate",),
    "rouge": ("candidate",),
    "string-check": ("left_template", "right_template"),
    "number-check": ("left_template", "right_template"),
    "llm-judge": ("prompt_template",),
}


def unread_model(request: JobRequest | Mapping[str, Any]) -> str | None:
    """Return a warning of a job whose scores say nothing about its model; None where they may.

    :param request: what a job runs. Of the service's own spec, and of a stored benchmark, nothing is told
    """
    if not isinstance(request, JobRequest) or not request.model or not isinstance(request.benchmark, Benchmark):
        return None
    benchmark = request.benchmark
    if any(map(_may_read, benchmark.bodies.values())):
        return None
    return (
        f"{benchmark.name}: no metric reads what the model returns, so that every model gets the same scores. Its "
        f"metrics read the dataset's rows alone ({brief_names(benchmark.metrics)}): write "
        f"{{{{sample.output_text}}}} for the text that is to be scored, or leave the model out"
    )


def _may_read(metric: Mapping[str, Any]) -> bool:
    given = _IN_PLACE_OF_THE_MODEL.get(metric["type"])
    if given is None or not all(metric.get(name) for name in given):
        return True
    return any(_SAMPLE.search(template) for text in _texts(metric) for template in _TEMPLATE.findall(text))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for member in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(member)
