"""Pytest fixtures for the tests of one's own DAGs.

pytest_plugins = ["airflow_provider_benchmarks.testing.fixtures"]
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_benchmarks.testing.service import EvaluationService


@pytest.fixture
def evaluation_service(monkeypatch: pytest.MonkeyPatch) -> Iterator[EvaluationService]:
    """Run a fresh local evaluation service, with the question-answer example, behind ``nemo_evaluator_default``."""
    with EvaluationService() as service:
        service.seed_question_answer_example()
        monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", service.connection_json())
        yield service
