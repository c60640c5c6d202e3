"""Aggregate and row scores as plain data: no HTTP, no Airflow."""

from __future__ import annotations

from airflow_provider_benchmarks.scores.aggregate import AggregateScore, AggregateScores, HistogramBin
from airflow_provider_benchmarks.scores.frames import low_scoring_rows, row_scores_frame
from airflow_provider_benchmarks.scores.job import JobScores
from airflow_provider_benchmarks.scores.reading import read_row_scores
from airflow_provider_benchmarks.scores.results_files import read_results
from airflow_provider_benchmarks.scores.rows import RowScore

__all__ = [
    "AggregateScore",
    "AggregateScores",
    "HistogramBin",
    "JobScores",
    "RowScore",
    "low_scoring_rows",
    "read_results",
    "read_row_scores",
    "row_scores_frame",
]
