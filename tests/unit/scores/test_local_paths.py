"""A path of the local disk names one file or folder, whatever is in it, wherever it is read or written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates.sources import load_scores
from airflow_provider_benchmarks.masking import masked
from airflow_provider_benchmarks.scores import read_row_scores
from airflow_provider_benchmarks.scores.local_paths import local_path
from airflow_provider_benchmarks.scores.stored_files import filesystem_of, open_stored
from airflow_provider_benchmarks.store import Place, ScoreStore, read_stored_job, store_rows

NAMES = ["q::x", "q::memory", "~", "~q", "q#x", "q#", "q?", "q*", "q[x]", "q{x}", "q%20", "q@b", "q\nx", "q:x"]
ROW = b'{"row_index": 0, "item": {}, "sample": {}, "metrics": {"w/m": [{"name": "s", "value": %d}]}}\n'


def scores(folder, value):
    """A folder of scores, written without this package."""
    folder.mkdir()
    (folder / "row-scores.jsonl").write_bytes(ROW % value)
    found = {"results": [{"metric": "w/m", "scores": [{"name": "s", "count": 1, "nan_count": 0, "mean": value}]}]}
    (folder / "aggregate-scores.json").write_text(json.dumps(found))


@pytest.fixture(autouse=True)
def decoys(tmp_path, monkeypatch):
    """Folders that a name would be taken for, if some of its characters had a meaning."""
    for name in ("q", "qx", "q b", "home"):
        scores(tmp_path / name, 1)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("start", ["{}/", "file://{}/", "./"])
def test_a_folder_is_the_one_of_this_name(tmp_path, name, start):
    scores(tmp_path / name, 0)
    path = f"{start.format(tmp_path)}{name}"
    assert load_scores(path, ()).scores.aggregate.scores[0].mean == 0
    assert list(read_row_scores(f"{path}/row-scores.jsonl")["s"]) == [0]
    assert Place(f"{path}/row-scores.jsonl").read_bytes() == ROW % 0
    store_rows([ROW % 0], Place(f"{path}/again.jsonl"))
    assert (tmp_path / name / "again.jsonl").read_bytes() == ROW % 0
    assert Place(path).location == f"{tmp_path}/{name}"


def test_a_tilde_at_the_beginning_is_the_home(tmp_path):
    assert load_scores("~", ()).scores.aggregate.scores[0].mean == 1
    store_rows([ROW % 1], Place("~/n/rows.jsonl"))
    assert (tmp_path / "home" / "n" / "rows.jsonl").read_bytes() == ROW % 1
    assert list(read_row_scores("~/n/rows.jsonl")["s"]) == [1]
    assert Place("~/n/rows.jsonl").location == f"{tmp_path}/home/n/rows.jsonl"
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize(
    "url",
    ["simplecache::s3://b/k", "filecache::simplecache::s3://b/k", "zip://k.jsonl::/tmp/z.zip", "zip://k::s3://b/z"],
)
def test_filesystems_that_are_chained_are_refused(url):
    for read in (read_row_scores, lambda path: load_scores(path, ()), lambda path: Place(path).object_path):
        with pytest.raises(ConfigurationError, match=f'^{url}: filesystems that are chained with "::" are not opened'):
            read(url)


@pytest.mark.parametrize("path", ["a\0b", "/a\ud800", "s3://b/\0", "s3://b/a\ud800", "s3://c\ud800@b/x"])
def test_what_no_path_can_have_is_refused(path):
    reads = [read_row_scores, lambda path: load_scores(path, ()), lambda path: ScoreStore(path)]
    for read in [*reads, lambda path: read_stored_job(path)]:
        with pytest.raises(ConfigurationError):
            read(path)
    if "://" not in path:
        with pytest.raises(ConfigurationError, match="can't be a path: it has a NUL, or half a character"):
            read_row_scores(Path(path))


@pytest.mark.parametrize(
    ("url", "told"),
    [("s3://", "names no bucket"), ("s3://conn@/x", "names no bucket"), ("s3://[b/x", r"is no URL \(Invalid IPv6 URL")],
)
def test_a_url_without_a_bucket_is_refused(url, told):
    for read in (read_row_scores, lambda path: load_scores(path, ()), lambda path: ScoreStore(path)):
        with pytest.raises(ConfigurationError, match=told):
            read(url)


def test_a_bucket_is_no_file():
    with pytest.raises(IsADirectoryError, match=r"it is a bucket, and no file: 's3://bucket/?'"):
        open_stored("s3://bucket/")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://us:pa55word-xyz@bucket/x", "s3://us:***@bucket/x"),
        ("gs://:pa55word-xyz@bucket", "gs://:***@bucket"),
        ("https://us:pa55word-xyz@host:80/x@y", "https://us:***@host:80/x@y"),
        ("s3://us:p@55%77ord-xyz@bucket/x", "s3://us:***@bucket/x"),
        ("simplecache::s3://us:pa55word-xyz@bucket/x", "simplecache::s3://us:***@bucket/x"),
    ],
)
def test_a_password_belongs_into_a_connection(url, shown):
    with pytest.raises(ConfigurationError) as caught:
        Place(url)
    assert str(caught.value).startswith(f"{shown}: a password does not belong into the URL of a storage")
    # Nor is it in what others say of the URL.
    assert "ord-xyz" not in masked(f"no bucket {url}")


@pytest.mark.parametrize(
    "url",
    [
        "s3://conn@bucket/a:b@c",
        "s3://bucket/a:b@c",
        "s3://bucket/a://b:c@d",
        "/data/we://a:b@c",
        "http://host:80/x",
        "github://organisation:repository@main/x",
        "s3://arn:aws:s3:us-east-1:123456789012:accesspoint/name/x",
    ],
)
def test_what_is_no_password_is_left(url):
    assert Place(url).url == url


@pytest.mark.parametrize("url", ["http://[::1]:8080/k.jsonl", "s3://bucket/a::b", "s3://conn@bucket/a"])
def test_urls_are_no_local_paths(url):
    assert local_path(url) is None


def test_an_object_may_have_any_name():
    assert filesystem_of("memory://a/b?c#d")[1] == "/a/b?c#d"
    assert filesystem_of("s3://bucket/a::b#?*")[1] == "bucket/a::b#?*"


def test_links_are_followed_as_the_disk_does(tmp_path):
    (tmp_path / "far" / "in").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "in")
    assert local_path("link/../x//y/") == f"{tmp_path}/link/../x/y"
    assert local_path(f"//{tmp_path}/x") == f"{tmp_path}/x"
