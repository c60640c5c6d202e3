"""Generations of the service: one adapter each, which knows its paths, the fields of its JSON, its names and its words.

The rest of the code sees the one model of :mod:`airflow_provider_benchmarks.jobs` and
:mod:`airflow_provider_benchmarks.scores`. A further generation is a subclass of :class:`Generation` in a module of its
own, and a line here.
"""

from __future__ import annotations

from airflow_provider_benchmarks.client.generations.benchmark_jobs import BenchmarkJobs
from airflow_provider_benchmarks.client.generations.generation import Generation
from airflow_provider_benchmarks.exceptions import ConfigurationError

GENERATIONS: dict[str, Generation] = {generation.name: generation for generation in (BenchmarkJobs(),)}
#: Takes the first one. A service of another one answers 404 to its paths, and the error says so.
AUTO = "auto"
#: Names that connections of earlier releases have.
_FORMER_NAMES = {"evaluation-v2": BenchmarkJobs.name}


def generation_of(api: str) -> Generation:
    """The generation that a connection's ``api`` names.

    :raises ConfigurationError: there is no such one; says which there are
    """
    if api == AUTO:
        return next(iter(GENERATIONS.values()))
    try:
        return GENERATIONS[_FORMER_NAMES.get(api, api)]
    except KeyError:
        known = ", ".join((AUTO, *GENERATIONS))
        raise ConfigurationError(f'unknown api generation "{api}"; known: {known}') from None


__all__ = ["AUTO", "GENERATIONS", "Generation", "generation_of"]
