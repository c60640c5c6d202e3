from __future__ import annotations

import hashlib
import json

import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults
from airflow_provider_benchmarks.store import atomic_write, store_bytes, store_rows


class Killed(BaseException):
    """Stands for whatever ends a process in the middle of a write."""


def rows(count: int) -> list[bytes]:
    return [json.dumps({"row_index": i, "item": {"a": "é"}, "metrics": {}}).encode() for i in range(count)]


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_file_appears_when_the_block_ends(tmp_path, prefix):
    target = tmp_path / "new" / "folder" / "scores.json"
    with atomic_write(f"{prefix}{target}") as file:
        file.write(b"half")
        assert not target.exists()
        file.write(b" and half")
    assert target.read_bytes() == b"half and half"
    assert [path.name for path in target.parent.iterdir()] == ["scores.json"]


@pytest.mark.parametrize("error", [ValueError, Killed])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "scores.json"
    target.write_bytes(b"old")
    with pytest.raises(error), atomic_write(str(target)) as file:
        file.write(b"new")
        raise error
    assert [path.name for path in tmp_path.iterdir()] == ["scores.json"]
    assert target.read_bytes() == b"old"


def test_a_storage_without_its_provider_names_the_extra():
    with pytest.raises(ConfigurationError, match=r"no filesystem for \"nope://bucket/x\".*\[s3\]"):
        with atomic_write("nope://bucket/x"):
            pass


def test_rows_are_stored_as_they_come_with_their_numbers(tmp_path):
    target = tmp_path / "rows.jsonl"
    content = b"".join(line + b"\n" for line in rows(3))
    stored = store_rows([*rows(2), b"", *rows(3)[2:]], str(target), expected_rows=3)
    assert target.read_bytes() == content
    assert stored.to_dict() == {
        "path": str(target),
        "rows": 3,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "format": "jsonl",
    }


@pytest.mark.parametrize("expected", [2, 4])
def test_another_number_of_rows_than_the_aggregates_count_is_refused(tmp_path, expected):
    with pytest.raises(IncompleteResults, match=f"sent 3 rows, but its aggregate scores count {expected}"):
        store_rows(rows(3), str(tmp_path / "rows.jsonl"), expected_rows=expected)
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_is_no_row_is_refused(tmp_path):
    with pytest.raises(IncompleteResults, match=r"row 2: .*damaged at line 2"):
        store_rows([*rows(1), b'{"error": {"type": "x", "line": 2, "message": "m"}}'], str(tmp_path / "rows.jsonl"))
    assert list(tmp_path.iterdir()) == []


def test_a_limit_stores_the_first_rows(tmp_path):
    stored = store_rows(rows(5), str(tmp_path / "rows.jsonl"), expected_rows=5, limit=2)
    assert stored.rows == 2
    assert (tmp_path / "rows.jsonl").read_bytes().count(b"\n") == 2


def test_bytes_are_stored_as_they_come(tmp_path):
    stored = store_bytes([b"ab", b"", b"c"], str(tmp_path / "a.tar.gz"), format="tar.gz")
    assert (tmp_path / "a.tar.gz").read_bytes() == b"abc"
    assert (stored.rows, stored.bytes, stored.sha256) == (None, 3, hashlib.sha256(b"abc").hexdigest())
