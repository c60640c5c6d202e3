from __future__ import annotations

import os

import pytest

from airflow_provider_benchmarks.operators._dataset_names import service_namespace, stored_name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("s3://bucket/a/b.jsonl", ("s3://bucket", "a/b.jsonl")),
        ("s3://my_conn@bucket/a/b/", ("s3://bucket", "a/b")),
        ("s3a://bucket/a?b#c", ("s3://bucket", "a?b#c")),
        ("s3://bucket", ("s3://bucket", "/")),
        ("s3://bucket/a://b/c", ("s3://bucket", "a://b/c")),
        ("gs://bucket/a", ("gs://bucket", "a")),
        ("gcs://my_conn@bucket/a", ("gs://bucket", "a")),
        ("abfs://my_conn@container/a", ("abfs://container", "a")),
        ("/data/a/../b.csv", ("file", "/data/b.csv")),
        ("/data/./a//b.csv", ("file", "/data/a/b.csv")),
        ("file:///data/b.csv", ("file", "/data/b.csv")),
        ("file:/data/b.csv", ("file", "/data/b.csv")),
        ("local:///data/b.csv", ("file", "/data/b.csv")),
        ("/data/we://ird/b.csv", ("file", "/data/we:/ird/b.csv")),
        ("S3://bucket/a\0\ud800", ("s3://bucket", "a␀�")),
    ],
)
def test_files_have_the_names_of_openlineages_naming(url, name):
    assert stored_name(url) == name


def test_a_local_file_has_the_name_of_where_it_is(tmp_path, monkeypatch):
    (tmp_path / "far" / "in").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "in")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("link/../x.json", f"{tmp_path}/link/../x.json", "~/far/x.json", "link/../../far/./x.json"):
        with open(os.path.expanduser(path), "w"):
            pass
        assert stored_name(path) == ("file", f"{tmp_path}/far/x.json")
    # What leads nowhere else is named as its user names it, and as a DAG file would declare it.
    assert stored_name("link/x.json") == ("file", f"{tmp_path}/link/x.json")


@pytest.mark.parametrize(
    ("base_url", "place"),
    [
        ("http://eval.example.com", "eval.example.com:80"),
        ("https://Eval.Example.COM.", "eval.example.com:443"),
        ("https://user:secret@eval.example.com:443/nemo/", "eval.example.com:443/nemo"),
        ("http://127.0.0.1:8080/a b", "127.0.0.1:8080/a_b"),
        ("http://[2001:DB8:0:0::1]:8080", "2001:db8::1:8080"),
        ("https://[::1]", "::1:443"),
        ("https://bücher.example", "xn--bcher-kva.example:443"),
        ("https://BÜCHER.example", "xn--bcher-kva.example:443"),
        ("https://xn--bcher-kva.example", "xn--bcher-kva.example:443"),
        (f"https://{'ü' * 70}.example", f"{'_' * 70}.example:443"),
    ],
)
def test_a_service_has_one_namespace_however_a_connection_writes_it(base_url, place):
    assert service_namespace(base_url) == f"nemo-evaluator://{place}"
