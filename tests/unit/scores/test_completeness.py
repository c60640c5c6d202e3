from __future__ import annotations

import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores import AggregateScores
from airflow_provider_benchmarks.scores.completeness import RowCheck, line_blocks, skim
from airflow_provider_benchmarks.scores.rows import read_rows

FAR = 999_999_998


def check_of(*batches: list[int | None]) -> RowCheck:
    check = RowCheck()
    for batch in batches:
        check.add(batch)
    return check


@given(
    st.lists(st.lists(st.one_of(st.integers(0, 12), st.sampled_from([40_000, 70_000, FAR])), max_size=6), max_size=6)
)
def test_gaps_and_repeats_are_those_of_the_set_of_indices(batches):
    indices = [index for batch in batches for index in batch]
    if len(set(indices)) < len(indices):
        with pytest.raises(IncompleteResults, match="comes twice"):
            check_of(*batches)
        return
    check, last = check_of(*batches), max(indices, default=-1)
    if last + 1 == len(indices):
        check.finish(len(indices))
        return
    missing, first = last + 1 - len(indices), min(set(range(len(indices))) - set(indices))
    said = f"{missing} row indices are missing, the first is {first}, the last there is is {last}"
    with pytest.raises(IncompleteResults, match=said):
        check.finish(None)


@pytest.mark.parametrize("size", [1, 1000])
def test_rows_in_any_order_are_all_there(size):
    backwards = list(range(100_000))[::-1]
    check_of(*(backwards[at : at + size] for at in range(0, len(backwards), size))).finish(100_000)


def test_a_damaged_index_takes_little_memory():
    tracemalloc.start()
    try:
        check = check_of(list(range(1000)), [FAR])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
    with pytest.raises(IncompleteResults, match=f"{FAR - 1000} row indices are missing, the first is 1000"):
        check.finish(1001)


@pytest.mark.parametrize("index", [-1, 10**9, 2.5, "1"])
def test_what_is_no_index(index):
    with pytest.raises(IncompleteResults, match="is not a row index"):
        check_of([0], [index])


GOOD = b'{"row_index":0,"item":{"a":"\xc3\xa9"},"metrics":{"w/m":[{"name":"m","value":1}]}}'
NOT_ROWS = {
    "no metrics": b'{"row_index":1,"metrics":null}',
    "lists": b'{"row_index":1,"item":[],"metrics":[]}',
    "an item that is a list": b'{"row_index":1,"item":["a"],"metrics":{}}',
    "two on one line": b'{"row_index":1,"metrics":{}}{"row_index":2,"metrics":{}}',
    "one on two lines": b'{"row_index":1,"metrics":\n{}}',
    "not UTF-8": b'{"row_index":1,"item":{"a":"\xff"},"metrics":{}}',
    "another document": b"<html>",
    "scores in another shape": b'{"row_index":1,"metrics":{"w/m":{"m":1}}}',
    "a score twice": b'{"row_index":1,"metrics":{"w/m":[{"name":"m"},{"name":"m"}]}}',
}


@pytest.mark.parametrize("line", NOT_ROWS.values(), ids=list(NOT_ROWS))
def test_what_could_not_be_read_back_is_refused(line):
    block = GOOD + b"\n" + line + b"\n"
    with suppress(IncompleteResults):
        list(read_rows(block.split(b"\n")))
        pytest.fail("it can be read")
    with pytest.raises(IncompleteResults, match="row 2: "):
        skim(block, RowCheck())


@pytest.mark.parametrize("name", [name for name in NOT_ROWS if not name.endswith(("shape", "twice"))])
def test_so_it_is_after_many_rows(name):
    check = RowCheck()
    skim(GOOD + b"\n", check)
    with pytest.raises(IncompleteResults, match="row 2: "):
        skim(NOT_ROWS[name] + b"\n", check)


@pytest.mark.parametrize(
    "line", [GOOD, b'{"metrics":{},"item":null}', b'{"metrics":{},"item":""}', b'{"metrics":{"m":[]}}']
)
@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n", b"\r\n", b"\n \n"])
def test_what_can_be_read_back_is_taken(line, end):
    check = RowCheck()
    skim(line + end, check)
    assert check.rows == 1 == len(list(read_rows((line + end).split(b"\n"))))


def aggregate(**counts: int) -> AggregateScores:
    scores = [{"name": name, "count": count, "nan_count": 0} for name, count in counts.items()]
    return AggregateScores.from_json({"results": [{"metric": "w/m", "scores": scores}]})


@pytest.mark.parametrize(
    ("counts", "scored", "rows", "expected"),
    [
        ({"corpus": 1}, [], 3, None),
        ({"corpus": 1}, [("w/m", "corpus", None)], 3, None),
        ({"corpus": 1, "other": 1}, [("w/m", "sentence", 0.5)], 3, None),
        ({"corpus": 1}, [("w/m", "corpus", 0.5)], 3, 1),
        ({"corpus": 1, "sentence": 3}, [("w/m", "sentence", 0.5)], 2, 3),
        ({"corpus": 1}, [], 0, 1),
        ({}, [], 3, None),
    ],
)
def test_scores_over_the_corpus_do_not_tell_how_many_rows_there_are(counts, scored, rows, expected):
    check = check_of(list(range(rows)))
    check.note_scores(scored)
    assert check.expected_rows(aggregate(**counts)) == expected


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("pieces", [1, 34])
def test_a_line_is_not_held_in_memory_whatever_its_length(pieces, ends):
    line = b"x" * (34 * 1024**2)
    size = len(line) // pieces
    cut = [line[at : at + size] for at in range(0, len(line), size)]
    with pytest.raises(IncompleteResults, match="a line is longer than 32 MiB"):
        list(line_blocks([b"{}\n", *cut, *([b"\n"] if ends else [])], 1024**2))
    assert list(line_blocks([line[: 32 * 1024**2], b"\n"], 1024**2)) == [line[: 32 * 1024**2] + b"\n"]
