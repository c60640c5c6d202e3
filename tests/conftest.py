from __future__ import annotations

import atexit
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.support.documents import Block

# Airflow reads these when it is first imported; a test run must not touch the user's own installation.
if "AIRFLOW_HOME" not in os.environ:
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
_HOME = os.environ["AIRFLOW_HOME"]
# Processes that test at the same time would write each other's airflow.cfg.
os.environ["AIRFLOW_HOME"] = str(Path(_HOME) / os.environ.get("PYTEST_XDIST_WORKER", ""))
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
# xdist's processes say that they have a terminal of 80 columns: tables would be as narrow there, and nowhere else.
os.environ.pop("COLUMNS", None)

# No test is about the time that it takes: machines are shared. Generated examples are the same in each run, so that
# what fails is of the change that is tested; ``--hypothesis-profile=explore`` looks for new ones.
settings.register_profile("explore", deadline=None)
settings.register_profile("same", deadline=None, derandomize=True)
settings.load_profile("same")

pytest_plugins = ["airflow_provider_benchmarks.testing.fixtures"]

RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture
def recorded():
    """Read an answer of the real service by the number of its recording: JSON parsed, everything else as bytes."""

    def read(number: int) -> Any:
        (path,) = RECORDED.glob(f"{number:03d}-*")
        content = path.read_bytes()
        return json.loads(content) if path.suffix == ".json" else content

    return read


@pytest.fixture
def documented(request: pytest.FixtureRequest) -> list[Block]:
    """The code blocks of README.md and docs/ that name the test."""
    from tests.support.documents import blocks_of

    return blocks_of(request.function.__name__)


@pytest.fixture(autouse=True)
def s3_of_this_environment() -> Iterator[None]:
    """Forget S3 file systems: fsspec keeps one, and it keeps the environment's credentials that it was made with."""
    yield
    if s3fs := sys.modules.get("s3fs"):
        s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(autouse=True)
def generations_of_this_test() -> None:
    """Forget which generation each address has: a new service may get the port of an earlier test's."""
    if choice := sys.modules.get("airflow_provider_benchmarks.client._choice"):
        choice.forget_choices()


@pytest.fixture(autouse=True)
def secrets_of_this_test() -> None:
    """Forget what other tests have as secrets: words of a message may be among them."""
    if masking := sys.modules.get("airflow_provider_benchmarks.masking"):
        masking.forget_secrets()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the files that start whole Airflows over the first half of the others; processes take files in this order.

    Four whole Airflows that start at once keep each other waiting for minutes, and one that starts last keeps the run
    waiting. They and the real platform have limits of their own, so that pytest's is raised.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    whole = [path for path in files if {"crashes", "distributed"} & set(path.parts)]
    others = [path for path in files if path not in whole]
    ordered = list(others)
    for number, path in enumerate(whole):
        ordered.insert(number * len(others) // (2 * len(whole)) + number, path)
    items[:] = [item for path in ordered for item in files[path]]
    for item in items:
        if item.path in whole or item.get_closest_marker("real_platform"):
            item.add_marker(pytest.mark.timeout(3600))
