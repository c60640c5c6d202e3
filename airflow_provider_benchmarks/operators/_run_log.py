"""What the log of a task that runs a job says at its end: the scores; or why Airflow ended the wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_benchmarks.exceptions import BenchmarkError

if TYPE_CHECKING:
    from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
    from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
    from airflow_provider_benchmarks.scores import AggregateScores


@contextmanager
def explained_timeout(operator: RunBenchmarkJobOperator, job_name: str) -> Iterator[None]:
    """Say what becomes of a job where Airflow's own timeout ends the wait for it: its error does not."""
    try:
        yield
    except AirflowTaskTimeout:
        fate = "is cancelled (cancel_on_kill)" if operator.cancel_on_kill else "still runs (cancel_on_kill=False)"
        operator.log.error(
            'execution_timeout (%s) has ended this try: benchmark job "%s" %s. It counts for each try; timeout= counts '
            "from the submit, and its error says what the job was doing. Set that, or a longer execution_timeout.",
            operator.execution_timeout,
            job_name,
            fate,
        )
        raise


def log_scores(log: Any, scores: AggregateScores, *, job_name: str) -> None:
    """Write scores into the log as a table."""
    from airflow_provider_benchmarks.views import score_records

    for record in score_records(scores, title=f'Scores of benchmark job "{job_name}":'):
        log.log(record.level, "%s", record.text)


def log_scores_of(hook: BenchmarkHook, job_name: str, log: Any) -> AggregateScores | None:
    """Write the scores of a job that has completed into the log, if they can be read soon: they are for people.

    :return: the scores; None where they can't be read soon
    """
    from airflow_provider_benchmarks.hooks.quick_requests import SHORT_TOTAL_SECONDS, short_timeout_client

    try:
        with short_timeout_client(hook.config) as client, client.within(SHORT_TOTAL_SECONDS):
            scores = client.get_aggregate_scores(job_name)
    except BenchmarkError as error:
        log.info("The scores can't be shown here: %s", error)
        return None
    log_scores(log, scores, job_name=job_name)
    return scores
