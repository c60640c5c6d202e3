"""Pytest fixtures for the tests of one's own DAGs.

pytest_plugins = ["airflow_provider_benchmarks.testing.fixtures"]
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_benchmarks.testing.service import EvaluationService

#: Long enough that a task that has just submitted a job finds it unfinished and waits. Where that must never fail,
#: hold the job: ``evaluation_service.hold_jobs("active")``.
_JOB_SECONDS = 0.05


@pytest.fixture
def evaluation_service(monkeypatch: pytest.MonkeyPatch) -> Iterator[EvaluationService]:
    """A local evaluation service with the question-answer example, to which ``nemo_evaluator_default`` points."""
    with EvaluationService(job_seconds=_JOB_SECONDS) as service:
        service.seed_question_answer_example()
        monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", service.connection_json())
        yield service
