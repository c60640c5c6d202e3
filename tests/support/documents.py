"""The code blocks of README.md and of docs/: each names the test that runs it, or says why none does.

A comment on the line before the block says so::

    <!-- run by test_a_gate_of_anothers_job -->
    <!-- not run: it needs a cluster -->

A test takes the fixture ``documented``, which has the blocks that name it, in the order of the pages. Blocks without a
language, and those of ``text``, are what something printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from tests.support.airflow_runs import REPOSITORY

_BLOCK = re.compile(
    r"(?:^<!-- (?P<comment>.+?) -->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE
)
_AIRFLOW_2 = re.compile(r"^.+  # Airflow 2: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A code block of a page.

    :param page: the page's path in the repository
    :param line: where the block begins
    :param comment: what stands before it; empty without one
    """

    page: str
    line: int
    language: str
    comment: str
    code: str

    @property
    def test(self) -> str:
        """Name of the test that runs it; empty for none."""
        return self.comment.removeprefix("run by ") if self.comment.startswith("run by ") else ""

    @property
    def why_not_run(self) -> str:
        return self.comment.removeprefix("not run: ") if self.comment.startswith("not run: ") else ""


def pages() -> list[Path]:
    """The pages whose blocks run."""
    return [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


def blocks() -> Iterator[Block]:
    """Every block with a language, as users of the Airflow that runs here would write it."""
    for page in pages():
        text = page.read_text()
        for found in _BLOCK.finditer(text):
            if found["language"] == "text":
                continue
            code = found["code"] if AIRFLOW_V_3_0_PLUS else _AIRFLOW_2.sub(r"\1", found["code"])
            line = text.count("\n", 0, found.start("language")) + 1
            yield Block(str(page.relative_to(REPOSITORY)), line, found["language"], found["comment"] or "", code)


def blocks_of(test: str) -> list[Block]:
    return [block for block in blocks() if block.test == test]
