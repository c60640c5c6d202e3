"""The statistics of gates: plain functions on numbers and arrays. Importing this imports scipy."""

from __future__ import annotations

from airflow_provider_benchmarks.gates.statistics.clustered_percentiles import clustered_percentile_interval
from airflow_provider_benchmarks.gates.statistics.differences import (
    Difference,
    paired_difference,
    rows_to_decide,
    unpaired_difference,
)
from airflow_provider_benchmarks.gates.statistics.mean_bounds import mean_interval, share_interval
from airflow_provider_benchmarks.gates.statistics.means import Moments
from airflow_provider_benchmarks.gates.statistics.multiplicity import Correction, holm
from airflow_provider_benchmarks.gates.statistics.percentiles import percentile_interval, rows_needed_for_percentile
from airflow_provider_benchmarks.gates.statistics.proportions import exact_interval

__all__ = [
    "Correction",
    "Difference",
    "Moments",
    "clustered_percentile_interval",
    "exact_interval",
    "holm",
    "mean_interval",
    "paired_difference",
    "percentile_interval",
    "rows_needed_for_percentile",
    "rows_to_decide",
    "share_interval",
    "unpaired_difference",
]
