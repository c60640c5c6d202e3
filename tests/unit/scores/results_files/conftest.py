from __future__ import annotations

import shutil
from pathlib import Path

import pytest

RECORDED = Path(__file__).parents[3] / "recorded" / "evaluators"


@pytest.fixture
def recorded():
    """The folder of a run that a real evaluator has written."""
    return lambda tool, run="better": RECORDED / tool / run


@pytest.fixture
def copied(tmp_path):
    """A copy of such a folder, to damage."""

    def copy(tool, run="better"):
        return Path(shutil.copytree(RECORDED / tool / run, tmp_path / tool / run))

    return copy
