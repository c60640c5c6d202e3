"""Verdicts and scores as people read them: what each form of them shows, and in which order."""

from __future__ import annotations

from airflow_provider_benchmarks.views.html import html_page
from airflow_provider_benchmarks.views.junit import junit_page
from airflow_provider_benchmarks.views.log import LogRecord, failing_lines, log_records
from airflow_provider_benchmarks.views.markdown import markdown_page
from airflow_provider_benchmarks.views.scores import score_records
from airflow_provider_benchmarks.views.verdict import CheckView, RowView, VerdictView

__all__ = [
    "CheckView",
    "LogRecord",
    "RowView",
    "VerdictView",
    "failing_lines",
    "html_page",
    "junit_page",
    "log_records",
    "markdown_page",
    "score_records",
]
