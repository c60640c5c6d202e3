"""Whether two jobs have measured the same version of a benchmark."""

from __future__ import annotations

from airflow_provider_benchmarks.benchmarks import differences
from airflow_provider_benchmarks.scores import JobScores


def differences_in_content(job: JobScores, other: JobScores, metric: str) -> str:
    """What differs in what the scores of a metric depend on, in words; empty for nothing.

    It is empty, too, where it is not known what one of the jobs has measured: its benchmark was neither code nor of
    another evaluator that says so.

    :param metric: reference of the metric
    :param other: described as what was
    """
    if job.content is None or other.content is None:
        return ""
    return differences(job.content, other.content, metric=metric)
