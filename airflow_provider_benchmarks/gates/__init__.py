"""Checks on scores and their verdict: plain functions on plain data, usable in a notebook."""

from __future__ import annotations

from airflow_provider_benchmarks.gates.check import Check, check_from_dict, register
from airflow_provider_benchmarks.gates.drift import NoDrift
from airflow_provider_benchmarks.gates.evaluate import evaluate
from airflow_provider_benchmarks.gates.field_rules import Severity
from airflow_provider_benchmarks.gates.history import WithinHistory
from airflow_provider_benchmarks.gates.policy import Policy, policy_schema, read_policy
from airflow_provider_benchmarks.gates.regression import Mode, NoRegression
from airflow_provider_benchmarks.gates.result import CheckResult, Outcome
from airflow_provider_benchmarks.gates.threshold import Threshold
from airflow_provider_benchmarks.gates.verdict import Verdict

__all__ = [
    "Check",
    "CheckResult",
    "Mode",
    "NoDrift",
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

#: The kinds of checks, in the order in which messages and the schema of policies list them.
register(Threshold, NoRegression, WithinHistory, NoDrift)
