"""Checks on scores and their verdict: plain functions on plain data, usable in a notebook."""

from __future__ import annotations

from airflow_provider_benchmarks.gates._fields import Severity
from airflow_provider_benchmarks.gates.checks import Check, check_from_dict
from airflow_provider_benchmarks.gates.evaluate import evaluate
from airflow_provider_benchmarks.gates.no_regression import Mode, NoRegression
from airflow_provider_benchmarks.gates.policy import Policy, policy_schema, read_policy
from airflow_provider_benchmarks.gates.threshold import Threshold
from airflow_provider_benchmarks.gates.verdict import CheckResult, Outcome, Verdict
from airflow_provider_benchmarks.gates.within_history import WithinHistory

__all__ = [
    "Check",
    "CheckResult",
    "Mode",
    "NoRegression",
    "Outcome",
    "Policy",
    "Severity",
    "Threshold",
    "Verdict",
    "WithinHistory",
    "check_from_dict",
    "evaluate",
    "policy_schema",
    "read_policy",
]
