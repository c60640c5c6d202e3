"""Whether a job of a score store can serve as a baseline."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.extras import PARQUET, missing
from airflow_provider_benchmarks.gates.baseline_fitness import shortcomings, why_unfit
from airflow_provider_benchmarks.gates.stored_rows import read_all_scores
from airflow_provider_benchmarks.scores import JobScores
from airflow_provider_benchmarks.store.stored_job import StoredJob


def fitness(stored: StoredJob) -> tuple[str | None, list[str]]:
    """Why no check could compare with a job, None where it can be a baseline; and what it can't serve for then."""
    try:
        scores = _scores_with_rows(stored)
    except FileNotFoundError:
        path = stored.rows.path if stored.rows is not None else ""
        return f"its row scores are not in the score store any more, {path} is not there", []
    except IncompleteResults as error:
        return f"its row scores can't be read: {error}", []
    reason = why_unfit(scores)
    return reason, shortcomings(scores) if reason is None else []


def _scores_with_rows(stored: StoredJob) -> JobScores:
    """The scores of a stored job, with the rows of all of them where it has rows.

    :raises FileNotFoundError: the rows are not there
    :raises IncompleteResults: they are damaged
    """
    scores = JobScores(stored.aggregate, job=stored.job, reported_rows=stored.reported_rows)
    if (file := stored.rows_file) is None:
        return scores
    if missing(*PARQUET):
        return replace(scores, rows_unread=True)
    rows = read_all_scores(stored.aggregate, file, renamed=stored.row_names)
    return replace(scores, rows=rows)
