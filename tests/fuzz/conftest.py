"""In ``make fuzz``: the tests in an order of the round's own, until its time is over."""

from __future__ import annotations

import os
import random
import time

import pytest

_ENDS = time.monotonic() + float(os.environ.get("FUZZ_SECONDS", "inf"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if seed := os.environ.get("FUZZ_SEED"):
        random.Random(seed).shuffle(items)


@pytest.fixture(autouse=True)
def time_of_the_round() -> None:
    """Begin no test after the round's time."""
    if time.monotonic() > _ENDS:
        pytest.skip("the time of this round is over")
