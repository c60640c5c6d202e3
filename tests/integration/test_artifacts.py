"""Artifacts that are none: nothing but a whole tar.gz is stored."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import pytest

from airflow_provider_benchmarks.exceptions import IncompleteResults, ProtocolError
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from tests.support.raw_server import RawServer

PAGE = b"<html>Please log in</html>"
NAME = "results/row-scores.jsonl"
CONTENT = bytes(range(256)) * 20_000


def tar(*, is_cut: bool = False, names: tuple[str, ...] = (NAME,)) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(CONTENT)
            archive.addfile(info, io.BytesIO(CONTENT))
        end = archive.offset
    return packed.getvalue()[:end] if is_cut else packed.getvalue()


def a_zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(NAME, CONTENT)
    return packed.getvalue()


@pytest.fixture
def download(monkeypatch, tmp_path):
    """Download what a server of plain sockets answers."""

    def fetch(body: bytes, kind: str = "application/x-tar", headers: str = ""):
        def answer(path: str, send) -> None:
            type_of = f"Content-Type: {kind}\r\n" if kind else ""
            head = f"HTTP/1.1 200 OK\r\n{type_of}{headers}Content-Length: {len(body)}\r\n\r\n"
            send(head.encode() + body)

        with RawServer(answer) as server:
            monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", server.connection_json(api="benchmark-jobs"))
            return BenchmarkHook().download_artifacts("job-1", str(tmp_path / "artifacts.tar.gz"))

    return fetch


WHOLE = gzip.compress(tar(), mtime=0)


@pytest.mark.parametrize("kind", ["application/x-tar", "application/gzip", "application/octet-stream", ""])
@pytest.mark.parametrize(
    "body", [WHOLE, WHOLE + bytes(10_000), gzip.compress(tar()[:700], mtime=0) + gzip.compress(tar()[700:], mtime=0)]
)
def test_a_whole_archive_is_stored_as_it_comes(download, tmp_path, kind, body):
    assert download(body, kind).bytes == len(body)
    assert (tmp_path / "artifacts.tar.gz").read_bytes() == body
    with tarfile.open(tmp_path / "artifacts.tar.gz") as archive:
        assert archive.extractfile(NAME).read() == CONTENT


def test_an_archive_without_files_is_one(download):
    body = gzip.compress(tar(names=()), mtime=0)
    assert download(body).bytes == len(body)


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (PAGE, "text/html; charset=utf-8", 'found a body of type "text/html"'),
        (WHOLE, "TEXT/HTML", 'found a body of type "text/html"'),
        (b'{"detail": "later"}', "application/json", 'found a body of type "application/json"'),
        (b"{}", "application/problem+json", "problem"),
        (PAGE, "application/octet-stream", "found a body that begins b'<html>Please log in"),
        (PAGE, "", "found a body that begins b'<html>Please log in"),
        (a_zip(), "application/zip", r"found a body that begins b'PK"),
        (tar(), "application/x-tar", "found a body that begins b'results/"),
        (b"", "application/x-tar", "found a body that is b''"),
        (b"\x1f", "application/x-tar", r"found a body that is b'\\x1f'"),
        (gzip.compress(b"", mtime=0), "application/x-tar", "something else that is compressed with gzip"),
        (gzip.compress(PAGE * 100, mtime=0), "application/x-tar", "compressed with gzip, and begins b'<html>Please"),
    ],
)
def test_what_is_no_archive_is_not_stored(download, tmp_path, body, kind, said):
    with pytest.raises(ProtocolError, match=said) as caught:
        download(body, kind)
    assert "artifacts/download answered 200, but not as the service does" in str(caught.value)
    assert "not a login page" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_a_gateway_packs_is_not_stored(download, tmp_path):
    with pytest.raises(ProtocolError, match="found a body that begins b'<html>"):
        download(gzip.compress(PAGE, mtime=0), "application/x-tar", "Content-Encoding: gzip\r\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (WHOLE[:-1], "the end of its compression is missing"),
        (WHOLE[:-9], "the end of its compression is missing"),
        (WHOLE[: len(WHOLE) // 2], "the end of its compression is missing"),
        (WHOLE[:2], "the end of its compression is missing"),
        (WHOLE + PAGE, "after the archive's end something else follows, b'<html>"),
        (WHOLE + bytes(10) + PAGE, "after the archive's end something else follows, b'<html>"),
        (WHOLE + WHOLE[:100], "the end of its compression is missing"),
        (WHOLE[:-8] + bytes(8), "the archive is damaged"),
        (gzip.compress(tar(is_cut=True), mtime=0), "the end of the tar is missing"),
    ],
)
def test_a_damaged_archive_is_not_stored(download, tmp_path, body, said):
    with pytest.raises(IncompleteResults, match=said) as caught:
        download(body)
    assert str(caught.value).startswith('artifacts of benchmark job "job-1" in workspace "my-workspace": ')
    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_was_there_stays_when_the_next_is_none(download, tmp_path):
    download(WHOLE)
    with pytest.raises(ProtocolError):
        download(PAGE, "text/html")
    assert (tmp_path / "artifacts.tar.gz").read_bytes() == WHOLE


def test_a_small_archive_of_much_takes_no_memory(download):
    """300 MB of zeros in 300 KB."""
    import tracemalloc

    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo(NAME)
        info.size = 300 * 1024 * 1024
        with open("/dev/zero", "rb") as zeros:
            archive.addfile(info, zeros)
    tracemalloc.start()
    try:
        download(packed.getvalue())
        assert tracemalloc.get_traced_memory()[1] < 40 * 1024 * 1024
    finally:
        tracemalloc.stop()
