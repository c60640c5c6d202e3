from __future__ import annotations

import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.store import atomic_write


class Killed(BaseException):
    """Stands for whatever ends a process in the middle of a write."""


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
