"""A local evaluation service for tests, demos and the tests of one's own DAGs. Needs no Airflow.

with EvaluationService() as service:
    benchmark = service.seed_question_answer_example()
    ...  # point a connection of type nemo_evaluator at service.url
"""

from __future__ import annotations

from airflow_provider_benchmarks.testing._http.server import RecordedRequest
from airflow_provider_benchmarks.testing.faults import Fault, InjectedFault
from airflow_provider_benchmarks.testing.seed import (
    EXAMPLE_BENCHMARK,
    EXAMPLE_DATASET,
    EXAMPLE_ROWS,
    EXAMPLE_WORKSPACE,
    Seeder,
    example_spec,
)
from airflow_provider_benchmarks.testing.service import EvaluationService

__all__ = [
    "EXAMPLE_BENCHMARK",
    "EXAMPLE_DATASET",
    "EXAMPLE_ROWS",
    "EXAMPLE_WORKSPACE",
    "EvaluationService",
    "Fault",
    "InjectedFault",
    "RecordedRequest",
    "Seeder",
    "example_spec",
]
