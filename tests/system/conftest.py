from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_benchmarks.testing import Seeder
from tests.support.real_platform import RealPlatform, real_releases


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on the releases that it is marked with."""
    if "platform" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("releases")
    assert marker is not None, f"{metafunc.definition.nodeid} has no mark of its releases"
    on = [pytest.param(release, id=release, marks=pytest.mark.real_platform) for release in real_releases(marker.args)]
    metafunc.parametrize("platform", on, indirect=True, scope="session")


@pytest.fixture(scope="session")
def platform(request: pytest.FixtureRequest) -> Iterator[RealPlatform]:
    """The real platform with its job controllers, seeded with the question-answer example."""
    with RealPlatform(release=request.param) as running:
        with Seeder(running.url, release=running.release) as seeder:
            seeder.question_answer_example()
        yield running
