from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores import read_results
from airflow_provider_benchmarks.scores.completeness import FirstRows, line_blocks
from airflow_provider_benchmarks.scores.line_ends import with_line_feeds
from airflow_provider_benchmarks.scores.renamed_rows import RenamedRows

BOM = b"\xef\xbb\xbf"
ROW = '{"item": {"q": "}\\r{ É"}, "metrics": {}}'.encode()
PARTS = [ROW, b"{}", b"\r", b"\n", b" ", b"\t", BOM, b"{", b"}", "É}".encode()]


@given(st.lists(st.sampled_from(PARTS), max_size=12), st.lists(st.integers(1, 30), max_size=20))
def test_where_a_file_is_cut_makes_no_difference(parts, sizes):
    content, pieces = b"".join(parts), []
    rest = content
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    assert b"".join(with_line_feeds([*pieces, rest])) == b"".join(with_line_feeds([content]))


@given(st.lists(st.sampled_from(PARTS), max_size=12))
def test_nothing_changes_but_ends_of_lines(parts):
    content = b"".join(parts)
    changed = b"".join(with_line_feeds([content]))
    assert changed.replace(b"\n", b"\r") == content.replace(b"\n", b"\r")
    assert changed.count(b"\n") >= content.count(b"\n")
    assert len(changed) == len(content)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{}\r{}", b"{}\n{}"),
        (b"{}\r{}\r", b"{}\n{}\r"),
        (b"{}\r\n{}", b"{}\r\n{}"),
        (b"{} \r\r {}", b"{} \n\r {}"),
        (b"{}\r" + BOM + b"{}", b"{}\n" + BOM + b"{}"),
        (b'{"a": {},\r"b": {"c": [{}\r,{}]\r}\r}', b'{"a": {},\r"b": {"c": [{}\r,{}]\r}\r}'),
        (b'{"text": "}\\r{"}', b'{"text": "}\\r{"}'),
    ],
)
def test_ends_between_rows_and_no_others(content, expected):
    assert b"".join(with_line_feeds([content])) == expected
    assert b"".join(with_line_feeds(content[at : at + 1] for at in range(len(content)))) == expected


def test_a_long_file_without_line_feeds_comes_in_blocks():
    rows = [ROW] * 10_000
    blocks = list(line_blocks([b"\r".join(rows)], 1000))
    assert max(map(len, blocks)) < 1100
    assert [line for block in blocks for line in block.splitlines()] == rows


def test_much_blank_space_is_not_held_back():
    pieces = [b"{}", *[b" " * 1000] * 1000, b"\r{}"]
    assert len(list(with_line_feeds(pieces))) > 900


def test_a_limit_counts_rows_by_their_ends():
    first = FirstRows(2)
    assert b"".join(first.of(line_blocks([b"\r".join([ROW] * 5)], 1))) == ROW + b"\n" + ROW + b"\n"


def test_metrics_are_renamed_in_each_row():
    row = b'{"item": {}, "metrics": {"m": []}}'
    renamed = b"".join(RenamedRows([BOM + b"\r".join([row] * 3)], {"m": "ws/m"}))
    assert renamed.count(b'"ws/m"') == 3


EVALUATORS = Path(__file__).parents[2] / "recorded" / "evaluators"


@pytest.mark.parametrize("tool", ["lm-eval", "nel"])
@pytest.mark.parametrize(("start", "end"), [(BOM, b"\n"), (b"", b"\r"), (BOM, b"\r"), (b"", b"\r\n")])
def test_files_of_evaluators_are_read_the_same(tmp_path, tool, start, end):
    folder = shutil.copytree(EVALUATORS / tool / "better", tmp_path / "run")
    task = "trivia" if tool == "lm-eval" else None
    expected = read_results(folder, task=task)
    files = list(folder.rglob("*.jsonl"))
    for file in files:
        file.write_bytes(start + end.join(file.read_bytes().rstrip(b"\n").split(b"\n")) + end)
    found = read_results(folder, task=task)
    assert files
    assert found.rows.equals(expected.rows)
    assert len(found.rows) > 1


def test_a_line_of_an_evaluator_that_is_none_is_named_by_its_number(tmp_path):
    folder = shutil.copytree(EVALUATORS / "nel" / "better", tmp_path / "run")
    (file,) = folder.rglob("results.jsonl")
    lines = file.read_bytes().rstrip(b"\n").split(b"\n")
    file.write_bytes(b"\r".join([*lines[:2], b'{"cut": ', *lines[2:]]))
    with pytest.raises(IncompleteResults, match="line 3 is no JSON") as caught:
        read_results(folder)
    assert str(file) in str(caught.value)
