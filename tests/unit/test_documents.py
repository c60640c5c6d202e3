"""Every code block of the pages runs in a test, or says why not."""

from __future__ import annotations

import ast

import pytest

from tests.support.airflow_runs import REPOSITORY
from tests.support.documents import Block, blocks


def _tests_that_run_blocks() -> set[str]:
    """The names of all tests that take the fixture ``documented``."""
    return {
        node.name
        for file in (REPOSITORY / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and "documented" in {argument.arg for argument in node.args.args}
    }


@pytest.mark.parametrize("block", blocks(), ids=lambda block: f"{block.page}:{block.line}")
def test_a_block_names_a_test_that_runs_it_or_says_why_none_does(block: Block):
    assert block.why_not_run or block.test in _tests_that_run_blocks(), f"{block.page}, line {block.line}: no test"
