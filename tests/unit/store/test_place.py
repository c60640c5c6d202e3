from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from unittest.mock import Mock

import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.store import Place, atomic_write, store_bytes


@pytest.mark.parametrize("empty", ["", " ", None])
def test_an_empty_path_is_refused(empty):
    with pytest.raises(ConfigurationError, match="a path or URL in object storage is needed"):
        Place.of(empty)
    with (
        pytest.raises(ConfigurationError, match="a path or URL in object storage is needed"),
        atomic_write(Place(empty)),
    ):
        pass


@pytest.mark.parametrize("kind", [str, Path, ObjectStoragePath])
def test_a_path_of_any_kind_is_a_text(tmp_path, kind):
    assert Place.of(kind(str(tmp_path / "x"))) == Place(str(tmp_path / "x"))
    assert str(Place.of(kind(str(tmp_path / "x"))).object_path) == str(tmp_path / "x")


def test_a_relative_path_is_one_from_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = Place("store/rows.json")
    store_bytes([b"{}"], place, format="json")
    assert (tmp_path / "store" / "rows.json").read_bytes() == b"{}"
    assert (str(place), place.read_bytes()) == ("store/rows.json", b"{}")


def test_an_object_storage_path_brings_its_connection_along(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_DISK", '{"conn_type": "fs"}')
    path = ObjectStoragePath("file:///data/x", conn_id="disk")
    assert Place.of(path).conn_id == "disk"
    assert Place.of(path, "another").conn_id == "another"
    assert Place.of(Place.of(path).object_path).conn_id == "disk"


@pytest.mark.parametrize(
    ("url", "conn_id"), [("s3://bucket/x", "mistyped"), ("s3://mistyped@bucket/x", None), ("/x", "mistyped")]
)
def test_a_connection_that_is_not_there_is_named(url, conn_id):
    with pytest.raises(ConfigurationError, match='no Airflow connection "mistyped" for the storage'):
        _ = Place(url, conn_id).object_path


def test_a_local_path_loads_no_other_filesystem(tmp_path):
    code = (
        "import sys; from airflow_provider_benchmarks.store import Place, store_rows; "
        f"store_rows([b'{{\"metrics\": {{}}}}\\n'], Place({str(tmp_path / 'rows')!r})); "
        "print(sorted(name for name in sys.modules if name.startswith('airflow.providers.amazon.aws')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "place",
    [
        Place("s3://conn@bucket/a/b"),
        Place("s3://bucket/a/b"),
        Place("s3://bucket/a/b", "another"),
        Place("s3://bucket/a") / "b",
    ],
)
def test_a_location_is_the_same_by_whatever_connection(place):
    assert place.location == "s3://bucket/a/b"


def test_a_location_on_the_local_disk_follows_links_to_its_folder(tmp_path, monkeypatch):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "file").symlink_to(tmp_path / "elsewhere")  # replaced, not followed
    monkeypatch.chdir(tmp_path)
    for url in (f"{tmp_path}/link/file", f"file://{tmp_path}/real/../link/file", "link/file", f"{tmp_path}/link/file/"):
        assert Place(url).location == f"{tmp_path}/real/file"


@pytest.mark.parametrize(
    ("url", "fault", "remedy"),
    [
        ("nowhere://x", None, r"Write s3://, gs:// or abfs://, or install the Airflow provider that has a filesystem"),
        ("gs://b/x", None, r"gs:// needs gcsfs and .*-google: install airflow-provider-benchmarks\[gcs\]\."),
        ("https://h/x", None, r"Airflow's object storage opens no web addresses\. Name a place in a storage"),
        # Airflow 3.0 with a universal-pathlib of its own future; no other Airflow can be made to say so.
        (
            "file:///tmp/x",
            ValueError("ObjectStoragePath(...) detected protocol file which is incompatible with ObjectStoragePath."),
            rf"Airflow {version('apache-airflow')} does not work with universal-pathlib .*\"universal-pathlib<0.3\"",
        ),
    ],
)
def test_a_url_that_airflow_can_t_open_says_what_to_install(monkeypatch, url, fault, remedy):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    monkeypatch.setitem(sys.modules, "airflow.providers.google", None)
    if fault:
        monkeypatch.setattr("airflow.providers.common.compat.sdk.ObjectStoragePath", Mock(side_effect=fault))
    with pytest.raises(ConfigurationError, match=f'^Airflow has no filesystem for "{url}" .*{remedy}'):
        _ = Place(url).object_path
