"""Checks on scores and their verdict: plain functions on plain data, usable in a notebook."""

from __future__ import annotations

from airflow_provider_benchmarks.gates.checks import Severity, Threshold, check_from_dict
from airflow_provider_benchmarks.gates.evaluate import evaluate
from airflow_provider_benchmarks.gates.verdict import CheckResult, Outcome, Verdict

__all__ = ["CheckResult", "Outcome", "Severity", "Threshold", "Verdict", "check_from_dict", "evaluate"]
