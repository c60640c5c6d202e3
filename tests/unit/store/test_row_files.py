from __future__ import annotations

import hashlib
import json
import resource
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores import AggregateScores
from airflow_provider_benchmarks.scores.completeness import FirstRows, line_blocks
from airflow_provider_benchmarks.store import (
    Place,
    RowFormat,
    RowTarget,
    require_stored,
    row_files,
    store_bytes,
    store_row_files,
    store_rows,
)


def rows(*indices: int) -> bytes:
    return b"".join(
        json.dumps({"row_index": i, "item": {"a": "é\u2028"}, "metrics": {}}).encode() + b"\n" for i in indices
    )


def cut(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


@pytest.mark.parametrize("size", [1, 7, 60, 10_000])
def test_rows_are_stored_byte_for_byte_with_their_numbers(tmp_path, size):
    content = rows(0, 1, 2)
    stored = store_rows(cut(content, size), Place(str(tmp_path / "rows.jsonl")), length=len(content), expected_rows=3)
    assert (tmp_path / "rows.jsonl").read_bytes() == content
    assert stored.to_dict() == {
        "path": str(tmp_path / "rows.jsonl"),
        "rows": 3,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "format": "jsonl",
    }


@pytest.mark.parametrize(
    ("content", "checks", "message"),
    [
        (rows(0, 1, 2), {"expected_rows": 2}, "there are 3 rows, but the aggregate scores count 2"),
        (rows(0, 1, 2), {"expected_rows": 4}, "there are 3 rows, but the aggregate scores count 4"),
        (rows(0, 1, 2), {"length": 1000}, "bytes, but the service says that it holds 1000"),
        (rows(0, 2), {}, "1 row indices are missing, the first is 1, the last there is is 2"),
        (rows(0, 1, 1), {}, "row index 1 comes twice"),
        (rows(0, -1), {}, "-1 is not a row index"),
        (rows(0, 10**15), {}, "1000000000000000 is not a row index"),
        (rows(0) + b'{"item": {}, "metrics": {}}\n', {}, "1 of 2 rows have no row index"),
        (rows(0) + b"{\n" + rows(1), {}, "row 2: expected a row as JSON"),
        (rows(0) + rows(1)[:20], {}, "row 2: expected a row as JSON"),
        (rows(0) + b'{"error": {"type": "x", "line": 2, "message": "m"}}\n', {}, "row 2: .*damaged at line 2"),
    ],
)
@pytest.mark.parametrize("size", [11, 10_000])
def test_what_is_not_all_there_is_not_stored(tmp_path, content, checks, message, size):
    with pytest.raises(IncompleteResults, match=message):
        store_rows(cut(content, size), Place(str(tmp_path / "rows.jsonl")), **checks)
    assert list(tmp_path.iterdir()) == []


def test_rows_may_come_in_any_order_and_without_indices(tmp_path):
    assert store_rows([rows(2, 0, 1)], Place(str(tmp_path / "a")), expected_rows=3).rows == 3
    without = b'{"item": {}, "metrics": {}}\n' * 2
    assert store_rows([without], Place(str(tmp_path / "b")), expected_rows=2).rows == 2


def test_bare_nan_is_taken(tmp_path):
    content = b'{"row_index": 0, "item": {}, "metrics": {"w/m": [{"name": "s", "value": NaN}]}}\n' + rows(1)
    assert store_rows([content], Place(str(tmp_path / "rows.jsonl")), expected_rows=2).rows == 2


def test_a_last_line_without_an_end_counts(tmp_path):
    assert store_rows([rows(0, 1)[:-1]], Place(str(tmp_path / "rows.jsonl")), expected_rows=2).rows == 2


@given(count=st.integers(0, 6), limit=st.integers(1, 8), size=st.integers(1, 200))
def test_a_limit_keeps_the_first_lines(count, limit, size):
    content = rows(*range(count))
    found = FirstRows(limit)
    assert b"".join(found.of(line_blocks(cut(content, size), 1))) == rows(*range(min(count, limit)))
    assert found.is_cut == (count > limit)


@given(lengths=st.lists(st.integers(0, 12)), size=st.integers(1, 30), piece=st.integers(1, 40), ends=st.booleans())
def test_blocks_are_whole_lines_that_hang_on_the_file_alone(lengths, size, piece, ends):
    content = b"".join(b"x" * length + b"\n" for length in lengths)
    content = content if ends else content[:-1]
    blocks = list(line_blocks(cut(content, piece), size))
    assert b"".join(blocks) == content
    assert blocks == list(line_blocks([content], size))
    for block in blocks[:-1]:
        assert block.endswith(b"\n")
        assert len(block) >= size
        assert b"\n" not in block[size - 1 : -1]


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_the_same_rows_make_the_same_table_however_they_come(tmp_path, format):
    texts = [
        json.dumps({"row_index": i, "item": {"a": "x" * 900}, "metrics": {"w/m": [{"name": "m", "value": i % 2}]}})
        for i in range(12_000)  # more than one row group
    ]
    content = "\n".join(texts).encode()
    row_format = RowFormat(name=format)
    stored = [
        store_rows(cut(content, size), Place(str(tmp_path / str(size))), row_format=row_format, expected_rows=12_000)
        for size in (997, 65_536, 3_000_000)
    ]
    assert len({each.sha256 for each in stored}) == 1


@pytest.mark.parametrize("limit", [2, 4, 5, 6, 100])
def test_a_limit_returns_that_number_of_rows_or_all(tmp_path, limit):
    content = rows(*range(5))
    stored = store_rows(
        [content], Place(str(tmp_path / "rows.jsonl")), length=len(content), expected_rows=5, limit=limit
    )
    assert stored.rows == min(limit, 5)


FOUR = rows(*range(4))


@pytest.mark.parametrize("row_format", [RowFormat(), RowFormat(name="parquet")])
@pytest.mark.parametrize(
    ("content", "checks", "message"),
    [
        (FOUR, {"expected_rows": 10, "limit": 5}, "there are 4 rows, but .* count 10, of which 5 were asked for"),
        (FOUR, {"expected_rows": 5, "limit": 8}, "there are 4 rows, but the aggregate scores count 5$"),
        (FOUR, {"expected_rows": 2, "limit": 3}, "there are 3 rows, but the aggregate scores count 2"),
        (FOUR, {"expected_rows": 4, "length": 10_000, "limit": 4}, "bytes, but the service says that it holds 10000"),
        (rows(0, 2), {"limit": 2}, "1 row indices are missing"),
        (rows(3, 0, 3, 4), {"limit": 3}, "row index 3 comes twice"),
    ],
)
def test_a_limit_is_no_reason_to_take_less(tmp_path, content, checks, message, row_format):
    with pytest.raises(IncompleteResults, match=message):
        store_rows(cut(content, 50), Place(str(tmp_path / "rows")), row_format=row_format, **checks)
    assert list(tmp_path.iterdir()) == []


def test_a_limit_leaves_gaps_where_rows_are_out_of_order(tmp_path):
    assert store_rows([rows(3, 0, 1, 2)], Place(str(tmp_path / "rows.jsonl")), expected_rows=4, limit=2).rows == 2


def test_a_limit_counts_rows_and_not_blank_lines(tmp_path):
    content = rows(0) + b"\n \n" + rows(1) + b"\n\n"
    assert store_rows([content], Place(str(tmp_path / "a")), expected_rows=2, limit=2, length=len(content)).rows == 2
    assert store_rows([content], Place(str(tmp_path / "b")), expected_rows=2, limit=1).rows == 1


@pytest.mark.parametrize("name", ["jsonl", "parquet"])
def test_rows_of_a_job_with_scores_over_the_corpus_only(tmp_path, name):
    scores = [{"name": "corpus", "count": 1, "nan_count": 0, "mean": 0.5}]
    aggregate = AggregateScores.from_json({"results": [{"metric": "w/bleu", "scores": scores}]})
    arguments = {"row_format": RowFormat(name=name), "expected_rows": lambda check: check.expected_rows(aggregate)}
    assert store_rows([rows(0, 1, 2)], Place(str(tmp_path / "rows")), **arguments).rows == 3
    scored = rows(0, 1, 2).replace(b'"metrics": {}', b'"metrics": {"w/bleu": [{"name": "corpus", "value": 0.5}]}')
    with pytest.raises(IncompleteResults, match="there are 3 rows, but the aggregate scores count 1"):
        store_rows([scored], Place(str(tmp_path / "rows")), **arguments)


def test_bytes_are_stored_as_they_come(tmp_path):
    stored = store_bytes([b"ab", b"", b"c"], Place(str(tmp_path / "a.tar.gz")), format="tar.gz")
    assert (tmp_path / "a.tar.gz").read_bytes() == b"abc"
    assert (stored.rows, stored.bytes, stored.sha256) == (None, 3, hashlib.sha256(b"abc").hexdigest())


def assert_one_fails(results, failing, path):
    """Each file is there, and is its whole content, but for one, whose error names its path."""
    error = results.pop(failing)
    with pytest.raises(OSError, match=rf'could not write ".*{path}"'):
        require_stored(error)
    for stored in results:
        assert hashlib.sha256(Path(stored.path).read_bytes()).hexdigest() == stored.sha256
    folder = Path(results[0].path).parent
    assert [path.name for path in folder.rglob("*.part")] == []


class TestSeveralFiles:
    @pytest.fixture
    def targets(self, tmp_path):
        """A file of each format, one of them with a limit."""
        names = {"jsonl": None, "parquet": None, "csv": 2}
        return [
            RowTarget(place=Place(str(tmp_path / name)), row_format=RowFormat(name=name), limit=limit)
            for name, limit in names.items()
        ]

    @pytest.mark.parametrize("size", [1, 70, 10_000])
    def test_each_is_as_it_would_be_alone(self, tmp_path, targets, size):
        content = rows(*range(5))
        files = store_row_files(cut(content, size), targets, length=len(content), expected_rows=5)
        assert [(file.format, file.rows) for file in files] == [("jsonl", 5), ("parquet", 5), ("csv", 2)]
        for file, target in zip(files, targets, strict=True):
            alone = store_rows([content], Place(f"{file.path}-alone"), row_format=target.row_format, limit=target.limit)
            assert (alone.sha256, alone.bytes, alone.rows) == (file.sha256, file.bytes, file.rows)

    def test_where_rows_are_missing_there_is_none(self, tmp_path, targets):
        with pytest.raises(IncompleteResults, match="there are 4 rows, but the aggregate scores count 5"):
            store_row_files([rows(*range(4))], targets, expected_rows=5)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("failing", [0, 1, 2])
    def test_one_that_can_not_be_opened_hinders_no_other(self, tmp_path, targets, failing):
        (tmp_path / "file").write_text("")
        targets[failing] = replace(targets[failing], place=Place(str(tmp_path / "file" / "below")))
        assert_one_fails(store_row_files([rows(*range(5))], targets, expected_rows=5), failing, "file/below")

    @pytest.mark.parametrize("failing", [0, 1, 2])
    def test_one_that_can_not_be_committed_hinders_no_other(self, tmp_path, targets, failing):
        folder = tmp_path / targets[failing].row_format.name
        (folder / "not-empty").mkdir(parents=True)
        assert_one_fails(store_row_files([rows(*range(5))], targets, expected_rows=5), failing, str(folder))

    def test_one_whose_storage_takes_no_more_hinders_no_other(self, targets):
        content = rows(*range(5000))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) // 2, hard))  # Parquet is smaller
        try:
            results = store_row_files(cut(content, 9999), targets, length=len(content), expected_rows=5000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert_one_fails(results, 0, "jsonl")

    def test_where_all_fail_nothing_is_read(self, tmp_path, targets):
        (tmp_path / "file").write_text("")
        targets = [replace(target, place=Place(str(tmp_path / "file" / "below"))) for target in targets]
        pieces = iter([rows(0)])
        assert all(isinstance(result, OSError) for result in store_row_files(pieces, targets))
        assert list(pieces) == [rows(0)]

    def test_rows_that_are_missing_are_an_error_though_a_file_fails(self, tmp_path, targets):
        (tmp_path / "jsonl").mkdir()
        with pytest.raises(IncompleteResults, match="there are 4 rows, but the aggregate scores count 5"):
            store_row_files([rows(*range(4))], targets, expected_rows=5)
        assert [path.name for path in tmp_path.iterdir()] == ["jsonl"]

    def test_no_more_is_read_than_the_longest_needs(self, targets, monkeypatch):
        monkeypatch.setattr(row_files, "BLOCK_BYTES", 1)

        def pieces():
            yield rows(*range(3))
            yield rows(3)
            raise AssertionError("read too far")

        short = [RowTarget(place=target.place, row_format=target.row_format, limit=2) for target in targets]
        assert [file.rows for file in store_row_files(pieces(), short)] == [2, 2, 2]
