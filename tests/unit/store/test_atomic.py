from __future__ import annotations

import errno
import io
import os
import re

import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.store import Place, atomic_write


class Killed(BaseException):
    """Stands for whatever ends a process in the middle of a write."""


@pytest.mark.parametrize("prefix", ["", "file://", "local://"])
def test_a_file_appears_when_the_block_ends(tmp_path, prefix):
    target = tmp_path / "new" / "folder" / "scores.json"
    with atomic_write(Place(f"{prefix}{target}")) as file:
        file.write(b"half")
        assert not target.exists()
        file.write(b" and half")
    assert target.read_bytes() == b"half and half"
    assert [path.name for path in target.parent.iterdir()] == ["scores.json"]


@pytest.mark.parametrize("error", [ValueError, Killed])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "scores.json"
    target.write_bytes(b"old")
    with pytest.raises(error), atomic_write(Place(str(target))) as file:
        file.write(b"new")
        raise error
    assert [path.name for path in tmp_path.iterdir()] == ["scores.json"]
    assert target.read_bytes() == b"old"


def test_a_storage_without_its_provider_names_the_extra():
    with pytest.raises(ConfigurationError, match=r"no filesystem for \"gs://bucket/x\".*\[gcs\]"):
        with atomic_write(Place("gs://bucket/x")):
            pass


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_file_has_the_mode_of_any_new_file(tmp_path, mask, exists):
    target = tmp_path / "scores.json"
    if exists:
        target.touch(mode=0o600)
    before = os.umask(mask)
    try:
        with atomic_write(Place(str(target))) as file:
            file.write(b"new")
    finally:
        os.umask(before)
    assert target.stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_symbolic_link_is_replaced_and_what_it_shows_is_left_alone(tmp_path):
    linked, target = tmp_path / "old.json", tmp_path / "scores.json"
    linked.write_bytes(b"old")
    target.symlink_to(linked)
    with atomic_write(Place(str(target))) as file:
        file.write(b"new")
    assert not target.is_symlink()
    assert target.read_bytes() == b"new"
    assert linked.read_bytes() == b"old"


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_file_that_can_not_be_finished_leaves_the_old_one(tmp_path, monkeypatch, fails):
    def refuse(*arguments):
        raise OSError(errno.EIO, "Input/output error")

    target = tmp_path / "scores.json"
    target.write_bytes(b"old")
    monkeypatch.setattr(os, fails, refuse)  # no disk here fails to order
    with pytest.raises(OSError, match=re.escape(f'"{target}" (OSError: [Errno 5] Input/output error)')):
        with atomic_write(Place(str(target))) as file:
            file.write(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["scores.json"]
    assert target.read_bytes() == b"old"


def test_content_reaches_the_disk_before_the_name_and_the_name_before_the_end(tmp_path, monkeypatch):
    target = tmp_path / "scores.json"
    synced = []
    fsync = os.fsync

    def note(descriptor):
        synced.append((os.fstat(descriptor).st_ino, target.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    with atomic_write(Place(str(target))) as file:
        file.write(b"new")
    assert synced == [(target.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


def test_a_folder_that_can_not_be_made_is_an_error_that_names_the_destination(tmp_path):
    (tmp_path / "file").touch()
    target = tmp_path / "file" / "scores.json"
    with pytest.raises(OSError, match=re.escape(f'could not write "{target}" (FileExistsError')):
        with atomic_write(Place(str(target))):
            pass


def test_a_folder_in_the_place_of_the_file_is_left_alone(tmp_path):
    target = tmp_path / "scores.json"
    target.mkdir()
    with pytest.raises(OSError, match="IsADirectoryError"):
        with atomic_write(Place(str(target))) as file:
            file.write(b"new")
    assert list(tmp_path.iterdir()) == [target]


def test_a_writer_that_closes_its_target_commits_nothing(tmp_path):
    target = tmp_path / "scores.json"
    with pytest.raises(ValueError, match="after"):
        with atomic_write(Place(str(target))) as file:
            with io.TextIOWrapper(file) as text:
                text.write("half")
            raise ValueError("after")
    assert list(tmp_path.iterdir()) == []
    with atomic_write(Place(str(target))) as file:
        with io.TextIOWrapper(file) as text:
            text.write("whole")
    assert target.read_bytes() == b"whole"


def test_an_error_of_the_block_itself_comes_out_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError, match="no-such-source"):
        with atomic_write(Place(str(tmp_path / "scores.json"))):
            open(tmp_path / "no-such-source").close()
