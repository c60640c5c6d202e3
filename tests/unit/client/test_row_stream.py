from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.client._row_stream import RowStream
from airflow_provider_benchmarks.exceptions import IncompleteResults, ResultsChanged

lines = st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b" ") or b"-"), max_size=8)


def cut(content: bytes, places: list[int]) -> list[bytes]:
    marks = [0, *sorted(p % (len(content) + 1) for p in places), len(content)]
    return [content[a:b] for a, b in pairwise(marks)]


@given(lines=lines, places=st.lists(st.integers(0, 500)), last=st.booleans())
def test_lines_come_out_however_the_body_is_cut(lines, places, last):
    content = b"\n".join(lines) + (b"\n" if lines and last else b"")
    stream = RowStream()
    out = [line for chunk in cut(content, places) for line in stream.feed(chunk)]
    out += stream.end()
    assert out == lines


@given(lines=lines, drops=st.lists(st.integers(0, 500), max_size=4), places=st.lists(st.integers(0, 500)))
def test_dropped_connections_lose_and_repeat_nothing(lines, drops, places):
    content = b"".join(line + b"\n" for line in lines)
    stream = RowStream()
    out = []
    for drop in drops:
        for chunk in cut(content[: drop % (len(content) + 1)], places):
            out += stream.feed(chunk)
        stream.reconnected()
    for chunk in cut(content, places):
        out += stream.feed(chunk)
    out += stream.end()
    assert out == lines


def test_a_separator_of_unicode_is_no_line_end():
    stream = RowStream()
    assert [*stream.feed("a\u2028b\x85c\r\n".encode())] == ["a\u2028b\x85c\r".encode()]


def test_a_body_that_changed_meanwhile_is_noticed():
    stream = RowStream()
    assert [*stream.feed(b"one\ntwo\nthr")] == [b"one", b"two"]
    stream.reconnected()
    with pytest.raises(ResultsChanged, match="first 2 lines are not the same"):
        list(stream.feed(b"one\nTWO\nthree\n"))


def test_a_body_that_got_shorter_is_noticed():
    stream = RowStream()
    list(stream.feed(b"one\ntwo\n"))
    stream.reconnected()
    list(stream.feed(b"one\n"))
    with pytest.raises(ResultsChanged, match="2 lines before the connection was lost, 1 after it"):
        list(stream.end())


def test_a_line_without_end_is_not_held_in_memory():
    stream = RowStream()
    mebibyte = b"x" * 1024**2
    for _ in range(32):
        assert [*stream.feed(mebibyte)] == []
    with pytest.raises(IncompleteResults, match="a line is longer than 32 MiB"):
        list(stream.feed(mebibyte))
