"""What a report says besides the verdict: where the gate ran, and the scores of earlier jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_provider_benchmarks.scores import JobScores


@dataclass(frozen=True, slots=True, kw_only=True)
class PastJob:
    """An earlier job of the benchmark.

    :param outcome: of its gates together; empty where none has judged it
    :param submitted: when, in UTC; empty where that is not known
    """

    scores: JobScores
    outcome: str = ""
    submitted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContext:
    """Where and on what a gate ran; empty is what is not known.

    :param dag: id of the DAG
    :param task: id of the gate's task, with ``[map_index]`` where it is mapped
    :param run: id of the DAG run
    :param submitted: when the job was, in UTC
    :param model: that made the outputs
    :param policy: path of the policy file
    :param versions: what took part, each with its version
    :param links: addresses by what they show
    :param history: earlier jobs, newest first
    """

    dag: str = ""
    task: str = ""
    run: str = ""
    submitted: str = ""
    model: str = ""
    policy: str = ""
    versions: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    history: tuple[PastJob, ...] = ()
