"""Generations of the service: one adapter each, which knows its paths, the fields of its JSON, its names and its words.

The rest of the code sees the one model of :mod:`airflow_provider_benchmarks.jobs` and
:mod:`airflow_provider_benchmarks.scores`. A further generation is a subclass of :class:`Generation` in a module of its
own, and a line here.
"""

from __future__ import annotations

from airflow_provider_benchmarks.brief import did_you_mean
from airflow_provider_benchmarks.client.generations.benchmark_jobs import BenchmarkJobs
from airflow_provider_benchmarks.client.generations.evaluate_jobs import EvaluateJobs
from airflow_provider_benchmarks.client.generations.generation import (
    HEALTH_PATH,
    VERSION_PATH,
    Generation,
    Release,
    read_version,
    release_of,
)
from airflow_provider_benchmarks.exceptions import ConfigurationError

#: In the order in which a service is asked for them: a platform of the oldest can have the paths of a later one, too.
_ALL: tuple[Generation, ...] = (
    BenchmarkJobs(),
    EvaluateJobs("evaluator", releases=((0, 2), (0, 7))),
    EvaluateJobs("evals", releases=((0, 8), (0, 8)), is_newest=True),
)
#: By the name that a connection has for them. Of those that differ in their prefix alone, the newest.
GENERATIONS: dict[str, Generation] = {generation.name: generation for generation in _ALL}
#: Any of them: the service is asked.
AUTO = "auto"
#: Names that connections of earlier releases have.
_FORMER_NAMES = {"evaluation-v2": BenchmarkJobs.name}


def generations_of(api: str) -> tuple[Generation, ...]:
    """The generations that a connection's ``api`` allows, in the order in which a service is asked for them.

    :raises ConfigurationError: there is no such one; says which there are
    """
    name = _FORMER_NAMES.get(api, api)
    allowed = tuple(generation for generation in _ALL if name in (AUTO, generation.name))
    if not allowed:
        known = (AUTO, *GENERATIONS)
        raise ConfigurationError(f'unknown api generation "{api}"; known: {", ".join(known)}{did_you_mean(api, known)}')
    return allowed


__all__ = [
    "AUTO",
    "GENERATIONS",
    "HEALTH_PATH",
    "VERSION_PATH",
    "Generation",
    "Release",
    "generations_of",
    "read_version",
    "release_of",
]
