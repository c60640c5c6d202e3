"""README.md and docs/: code blocks run in tests or say why not, links lead somewhere, and tables say what code does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from airflow_provider_benchmarks import exceptions
from tests.support.airflow_runs import REPOSITORY
from tests.support.documents import Block, blocks, pages

_OTHER_PAGES = ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "tests/README.md", "benchmarks/README.md")
PAGES = [*pages(), *(REPOSITORY / name for name in _OTHER_PAGES)]
#: Errors of a file that is reviewed, which are no part of the hierarchy's module.
_OF_CONFIGURATION = ("WrongField", "WrongBenchmark")
#: What users look for whose gate did not pass, or whose DAG does not begin.
_MESSAGES_OF_VERDICTS_AND_STARTS = (
    "have no pair in the other job",
    "another version of the benchmark was measured",
    "the row scores are needed for this check",
    "is not in the results; they have",
    "the items have no field",
    "there is no … file",
    "there is no bucket",
    "takes completed jobs",
    "belongs to another run",
    "unknown field",
)
_FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?P<path>[^)\s#]*)(?:#(?P<anchor>[^)\s]+))?\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def _name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


@cache
def _tests_that_run_blocks() -> frozenset[str]:
    """The names of all tests that take the fixture ``documented``."""
    return frozenset(
        node.name
        for file in (REPOSITORY / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and "documented" in {argument.arg for argument in node.args.args}
    )


@pytest.mark.parametrize("block", list(blocks()), ids=lambda block: f"{block.page}:{block.line}")
def test_a_block_names_a_test_that_runs_it_or_says_why_none_does(block: Block):
    assert block.why_not_run or block.test in _tests_that_run_blocks(), f"{block.page}, line {block.line}: no test"


def test_a_model_is_asked_only_where_metrics_score_its_answers():
    shown = [block for block in blocks() if block.language in ("python", "yaml") and not block.why_not_run]
    files = {name.group(1): block for block in shown if (name := re.match(r"name: [^/]+/(\S+)\n", block.code))}
    asking = [block for block in shown if re.search(r"\bmodel=[{\[m]", block.code)]
    assert len(asking) >= 2
    for block in asking:
        for name in re.findall(r"benchmarks/([\w-]+)\.yaml", block.code):
            metrics = files[name].code.partition("metrics:\n")[2].splitlines()
            assert all("{{sample.output_text}}" in metric for metric in metrics), f"{block.page}:{block.line}: {name}"


@cache
def _anchors(page: Path) -> frozenset[str]:
    """What GitHub, and these pages as they are built, call the headings."""
    headings = _HEADING.findall(_FENCED.sub("", page.read_text()))
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_within_the_repository_lead_somewhere(page: Path):
    for link in _LINK.finditer(_FENCED.sub("", page.read_text())):
        if re.match("[a-z]+:", link["path"]):
            continue
        target = (page.parent / link["path"]).resolve() if link["path"] else page
        assert target.exists(), link.group()
        assert not link["anchor"] or link["anchor"] in _anchors(target), link.group()


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_prose_has_120_columns_at_most(page: Path):
    lines = _FENCED.sub("", page.read_text()).splitlines()
    assert [line for line in lines if len(line) > 120 and not line.startswith("|")] == []


def test_the_readme_is_short():
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= 150


def _section(heading: str) -> str:
    """A section of the page on errors."""
    return (REPOSITORY / "docs" / "errors.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]


def _table(heading: str) -> Iterator[list[str]]:
    """The cells of each row of the table under a heading of the page on errors."""
    rows = [line.strip("| ").split(" | ") for line in _section(heading).splitlines() if line.startswith("|")]
    yield from rows[2:]


def _parts(message: str) -> list[str]:
    """What of a message is the same each time."""
    return [part for part in re.split(r"…", message.strip("`")) if len(part) > 3]


@cache
def _texts() -> str:
    """All texts of the package's code, each on a line."""
    files = (REPOSITORY / "airflow_provider_benchmarks").rglob("*.py")
    constants = (node for file in files for node in ast.walk(ast.parse(file.read_text())))
    return "\n".join(node.value for node in constants if isinstance(node, ast.Constant) and isinstance(node.value, str))


@pytest.mark.parametrize("row", list(_table("By message")), ids=lambda row: row[0])
def test_a_message_of_the_page_is_one_that_the_code_has(row: list[str]):
    message, error, _ = row
    assert _parts(message)
    assert [part for part in _parts(message) if part not in _texts()] == []
    known = {*vars(exceptions), *_OF_CONFIGURATION, "OSError", "a reason in a verdict", "a warning"}
    assert {name.strip("`") for name in error.split(", or ")} <= known


def test_the_page_has_every_class_of_errors():
    told = {name for row in _table("By class") for name in re.findall(r"`(\w+)`", row[0])}
    told |= set(re.findall(r"`(\w+)`", _section("By class").partition("\n|")[0]))
    classes = {
        name
        for name, kind in vars(exceptions).items()
        if isinstance(kind, type) and kind.__module__ == exceptions.__name__
    }
    assert told == classes | {*_OF_CONFIGURATION, "BaselineRefused", "AirflowSensorTimeout", "OSError"}


@pytest.mark.parametrize("words", _MESSAGES_OF_VERDICTS_AND_STARTS)
def test_the_page_has_a_message(words: str):
    assert any(words in " ".join(row) for row in _table("By message"))
