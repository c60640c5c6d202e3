from __future__ import annotations

import pytest

from airflow_provider_benchmarks.testing import Seeder
from tests.support.real_platform import RealPlatform


@pytest.fixture(scope="session")
def platform():
    """The real platform with its job controllers, seeded with the question-answer example."""
    with RealPlatform() as running:
        with Seeder(running.url) as seeder:
            seeder.question_answer_example()
        yield running
