"""A job of a score store that can't be read: it is not stored, and one that is there does not hide the others."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from airflow_provider_benchmarks.exceptions import (
    ConfigurationError,
    IncompleteResults,
    NewerFormat,
    NotStored,
    Unwritable,
)
from airflow_provider_benchmarks.gates.sources import load_scores
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStatus
from airflow_provider_benchmarks.retry_policy import can_retry_mend
from airflow_provider_benchmarks.scores import AggregateScores
from airflow_provider_benchmarks.scores.aggregate import AggregateScore
from airflow_provider_benchmarks.store import RowFormat, ScoreStore, read_stored_job, store_rows

SCORE = AggregateScore(metric="f1", name="f1", count=9, nan_count=0, mean=0.5)
ROWS = {"path": "row-scores.parquet", "rows": 9, "bytes": 9, "sha256": "0", "format": "parquet"}
BENCHMARK = {"workspace": "ws", "benchmark": "ws/qa"}


def job(number):
    created = datetime(2026, 11, number, tzinfo=UTC)
    return BenchmarkJob(name=f"job-{number}", status=JobStatus.COMPLETED, created_at=created, **BENCHMARK)


def twice(manifest):
    scores = manifest["scores"]["results"][0]["scores"]
    return {**manifest, "scores": {"results": [{"metric": "f1", "scores": scores * 2}]}}


def with_mean(manifest, mean, **files):
    scores = manifest["scores"]["results"][0]["scores"]
    changed = {"results": [{"metric": "f1", "scores": [{**scores[0], "mean": mean}]}]}
    return {**manifest, "scores": {**manifest["scores"], **changed}} | files


@pytest.fixture
def store(tmp_path):
    """A store with three jobs, each of which a gate has passed."""
    store = ScoreStore(str(tmp_path))
    for number in (1, 2, 3):
        stored = store.add(job(number), AggregateScores((SCORE,)), store_rows=None)
        store.add_verdict(stored, "dag.gate", {"outcome": "pass"})
    return store


def damage(store, change):
    path = Path(store.root, "ws", "qa", "job-3", "manifest.json")
    changed = change(json.loads(path.read_text()))
    path.write_text(changed if isinstance(changed, str) else json.dumps(changed))


def test_scores_that_can_not_be_read_again_are_not_stored(tmp_path):
    store = ScoreStore(str(tmp_path))
    with pytest.raises(IncompleteResults, match='score "f1" of metric f1 stands in the results twice'):
        store.add(job(1), AggregateScores((SCORE, SCORE)), store_rows=None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        twice,
        lambda manifest: json.dumps(manifest)[:-20],
        lambda manifest: "[]",
        lambda manifest: "",
        lambda manifest: "null",
        lambda manifest: "\x00",
        lambda manifest: "[" * 100_000,
        lambda manifest: manifest | {"version": "1"},
        lambda manifest: manifest | {"job": 5},
        lambda manifest: manifest | {"job": "job-2"},
        lambda manifest: manifest | {"id": 5},
        lambda manifest: manifest | {"files": [{"path": "row-scores.parquet"}]},
        lambda manifest: manifest | {"files": [{**ROWS, "rows": "9"}]},
        lambda manifest: manifest | {"files": [{**ROWS, "sha256": None}]},
        lambda manifest: manifest | {"files": []},
        lambda manifest: manifest | {"files": {}},
        lambda manifest: manifest | {"files": None},
        lambda manifest: manifest | {"files": ["row-scores.parquet"]},
        lambda manifest: manifest | {"files": [{**ROWS, "path": "row-scores.csv"}]},
        lambda manifest: manifest | {"files": [{**ROWS, "path": "../job-2/row-scores.parquet"}]},
        lambda manifest: manifest | {"files": [ROWS, ROWS]},
        lambda manifest: manifest | {"files": [{**ROWS, "rows": None}]},
        lambda manifest: manifest | {"workspace": "other"},
        lambda manifest: manifest | {"benchmark": "ws/other"},
        lambda manifest: manifest | {"benchmark": "other/qa"},
        lambda manifest: manifest | {"benchmark": "ws/.."},
        lambda manifest: {key: value for key, value in manifest.items() if key != "created_at"},
        lambda manifest: manifest | {"created_at": 5},
        lambda manifest: manifest | {"created_at": "2026-11-02"},
        lambda manifest: manifest | {"created_at": "2026-11-02T00:00:00"},
        lambda manifest: manifest | {"created_at": "0001-01-01T00:00:00+23:59"},
        lambda manifest: manifest | {"scores": {}},
        lambda manifest: with_mean(manifest, 0.85),
    ],
)
def test_one_that_is_there_is_left_out_with_a_warning(store, change, caplog):
    damage(store, change)
    with caplog.at_level(logging.WARNING):
        assert [found.job for found in store.history(**BENCHMARK)] == ["job-2", "job-1"]
    told = "Left out a job of the score store: .*/ws/qa/job-3/manifest.json can't be read .*Delete the folder"
    (record,) = caplog.records
    assert re.search(told, record.getMessage())
    assert store.last_passed(**BENCHMARK).job == "job-2"
    with pytest.raises(IncompleteResults, match=r"/ws/qa/job-3/manifest.json can't be read"):
        store.find("job-3", workspace="ws")
    assert store.find("job-1", workspace="ws").job == "job-1"


def test_scores_of_a_manifest_that_lists_no_file_of_them_are_read(store):
    damage(store, lambda manifest: with_mean(manifest, 0.85, files=[manifest["files"][0]]))
    assert store.get("job-3", **BENCHMARK).aggregate.get("f1").mean == 0.85


def test_a_score_of_more_than_64_bits_is_read_as_it_was_stored(store):
    total = AggregateScore(metric="f1", name="f1", count=9, nan_count=0, mean=0.5, sum=10**30)
    store.add(job(4), AggregateScores((total,)), store_rows=None)
    assert store.get("job-4", **BENCHMARK).aggregate.get("f1").sum == 1e30


def test_damaged_jobs_take_no_places_of_those_that_passed(store):
    for number in (4, 5, 6):
        stored = store.add(job(number), AggregateScores((SCORE,)), store_rows=None)
        store.add_verdict(stored, "dag.gate", {"outcome": "pass"})
    for number in (1, 2, 5, 6):
        Path(store.root, "ws", "qa", f"job-{number}", "manifest.json").write_text("{")
    for first, latest, names in ((1, 1, ["job-3", "job-4"]), (2, 5, ["job-3", "job-4"]), (0, 1, [])):
        found, rest = store.passed_since(**BENCHMARK, first=first, latest=latest)
        assert [each.job for each in found] == names
    assert [each.job for each in rest] == ["job-4"]


def folder(path):
    path.unlink()
    path.mkdir()
    return "it is a folder"


def file(path):
    return "it is a file"


def circle(path):
    path.unlink()
    path.symlink_to(path.name)
    return "links lead in a circle"


def circle_above(path):
    shutil.rmtree(path.parent)
    path.parent.symlink_to(path.parent.name)
    return "links lead in a circle"


@pytest.mark.parametrize("put", [folder, circle, circle_above])
def test_something_else_in_place_of_a_manifest_hides_no_other_job(store, put, caplog):
    path = Path(store.root, "ws", "qa", "job-3", "manifest.json")
    told = f"{path} can't be read .*{put(path)}"
    with caplog.at_level(logging.WARNING):
        assert [found.job for found in store.history(**BENCHMARK)] == ["job-2", "job-1"]
    (record,) = caplog.records
    assert re.search(f"Left out a job of the score store: {told}", record.getMessage())
    assert store.last_passed(**BENCHMARK).job == "job-2"
    found, rest = store.passed_since(**BENCHMARK, first=1, latest=1)
    assert ([each.job for each in found], rest) == (["job-1", "job-2"], None)
    for read in (
        lambda: store.get("job-3", **BENCHMARK),
        lambda: store.find("job-3", workspace="ws"),
        lambda: store.find_same(job(3)),
        lambda: read_stored_job(str(path.parent)),
    ):
        with pytest.raises(IncompleteResults, match=told):
            read()


@pytest.mark.parametrize("put", [folder, circle])
def test_something_else_in_place_of_a_pin_is_an_error_that_names_it(store, put):
    store.pin(store.get("job-1", **BENCHMARK))
    path = Path(store.root, "ws", "qa", "_pinned.json")
    with pytest.raises(IncompleteResults, match=f"{path} can't be read .*{put(path)}"):
        store.pinned(**BENCHMARK)


@pytest.mark.parametrize("name", ["_index", "_verdicts"])
@pytest.mark.parametrize("put", [file, circle])
def test_something_else_in_place_of_a_folder_of_names_is_no_empty_store(store, name, put):
    path = Path(store.root, "ws", "qa", name)
    shutil.rmtree(path)
    path.touch()
    with pytest.raises(IncompleteResults, match=f"{path} can't be read .*{put(path)}"):
        store.history(**BENCHMARK)


@pytest.fixture
def as_nobody():
    """Become a user without rights, which only root can; a context manager."""
    if os.geteuid():
        pytest.skip("only root can become another user")

    @contextmanager
    def nobody():
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return nobody


def test_a_job_that_a_user_may_not_read_hides_no_other_and_all_of_them_are_no_empty_store(as_nobody, caplog):
    with TemporaryDirectory() as root:  # all users may enter its parents
        Path(root).chmod(0o755)
        store = ScoreStore(root)
        for number in (1, 2):
            store.add_verdict(
                store.add(job(number), AggregateScores((SCORE,)), store_rows=None), "dag.gate", {"outcome": "pass"}
            )
        first, second = (Path(root, "ws", "qa", f"job-{number}", "manifest.json") for number in (1, 2))
        second.chmod(0o600)
        with as_nobody(), caplog.at_level(logging.WARNING):
            assert [found.job for found in store.history(**BENCHMARK)] == ["job-1"]
            with pytest.raises(IncompleteResults, match=f"{second} can't be read .*access is denied"):
                store.get("job-2", **BENCHMARK)
        assert f"{second} can't be read" in caplog.text
        first.chmod(0o600)
        for read in (
            lambda: store.history(**BENCHMARK),
            lambda: store.last_passed(**BENCHMARK),
            lambda: store.passed_since(**BENCHMARK, first=1, latest=1),
        ):
            with as_nobody(), pytest.raises(IncompleteResults, match=r"job-.* can't be read .*access is denied"):
                read()
        Path(root, "ws", "qa", "_index").chmod(0o700)
        with as_nobody(), pytest.raises(IncompleteResults, match="_index can't be read .*access is denied"):
            store.history(**BENCHMARK)


def test_a_job_whose_name_no_file_can_have_is_not_stored(store):
    with pytest.raises(NotStored):
        store.get("x" * 300, **BENCHMARK)


def test_who_asks_for_it_is_told_what_to_do(store):
    damage(store, twice)
    told = (
        "job-3/manifest.json can't be read .*stands in the results twice.* Delete the folder, and store the job again"
    )
    for read in (
        lambda: store.get("job-3", **BENCHMARK),
        lambda: read_stored_job(f"{store.root}/ws/qa/job-3"),
        lambda: store.add(job(3), AggregateScores((SCORE,)), store_rows=None),
    ):
        with pytest.raises(IncompleteResults, match=told):
            read()


def test_a_job_of_a_newer_release_is_left_out_and_an_error_for_who_asks_for_it(store, caplog):
    damage(store, lambda manifest: manifest | {"version": 2})
    with caplog.at_level(logging.WARNING):
        assert [found.job for found in store.history(**BENCHMARK)] == ["job-2", "job-1"]
    told = r"/ws/qa/job-3/manifest.json has the format version 2, of a newer release: this one reads version 1\. Update"
    (record,) = caplog.records
    assert re.search(told, record.getMessage())
    for read in (
        lambda: store.get("job-3", **BENCHMARK),
        lambda: store.find("job-3", workspace="ws"),
        lambda: store.find_same(job(3)),
    ):
        with pytest.raises(NewerFormat, match=told):
            read()


def test_what_a_later_release_adds_is_no_damage(store):
    damage(store, lambda manifest: manifest | {"files": [{**ROWS, "rows_by_part": 5}], "more": 1})
    assert store.get("job-3", **BENCHMARK).rows.rows == 9


def test_the_folder_of_a_job_can_be_copied_under_another_name(store, tmp_path):
    copy = shutil.copytree(Path(store.root, "ws", "qa", "job-3"), tmp_path / "a copy")
    assert read_stored_job(str(copy)).job == "job-3"


@pytest.mark.parametrize("folder", ["_index", "_verdicts"])
@pytest.mark.parametrize("name", ["no entry", "a,job-1", "20261105T000000.000000Z,job-1,dag.gate,pass,x", ",,,"])
def test_an_entry_of_the_index_that_can_not_be_read_is_left_out_with_a_warning(store, folder, name, caplog):
    (Path(store.root, "ws", "qa", folder) / name).write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        history = store.history(**BENCHMARK)
    assert [(found.job, found.passed) for found in history] == [(f"job-{i}", True) for i in (3, 2, 1)]
    (told,) = [record.getMessage() for record in caplog.records]
    assert f"/ws/qa/{folder}" in told
    assert name in told


@pytest.mark.parametrize("folder", ["_index", "_verdicts"])
@pytest.mark.parametrize("job", [b"job\xff", b"..", b".", b"_x", b"job%2F..", b"a%2F", b"%ff", b"%ED%A0%80"])
def test_an_entry_of_a_job_that_there_can_not_be_is_left_out_with_a_warning(store, folder, job, caplog):
    rest = b",dag.gate,pass" if folder == "_verdicts" else b""
    path = os.fsencode(Path(store.root, "ws", "qa", folder)) + b"/20261105T000000.000000Z," + job + rest
    Path(os.fsdecode(path)).write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        assert [(found.job, found.passed) for found in store.history(**BENCHMARK)] == [
            (f"job-{i}", True) for i in (3, 2, 1)
        ]
    (told,) = [record.getMessage() for record in caplog.records]
    assert "what is no entry of a score store: 20261105T" in told
    told.encode()
    assert store.last_passed(**BENCHMARK).job == "job-3"
    assert set(store.job_names(**BENCHMARK)) == {"job-1", "job-2", "job-3"}


@pytest.mark.parametrize("part", [b"gate\xff,pass", b"dag.gate,pass\xff"])
def test_so_is_a_verdict_of_a_name_that_is_not_utf_8(store, part, caplog):
    path = os.fsencode(Path(store.root, "ws", "qa", "_verdicts")) + b"/20261105T000000.000000Z,job-3," + part
    Path(os.fsdecode(path)).write_bytes(b"")
    assert [(found.job, found.passed) for found in store.history(**BENCHMARK)] == [
        (f"job-{i}", True) for i in (3, 2, 1)
    ]
    assert "what is no entry of a score store" in caplog.text


def test_a_folder_of_a_name_that_is_not_utf_8_hides_no_job(store):
    Path(os.fsdecode(os.fsencode(Path(store.root, "ws")) + b"/\xff")).mkdir()
    Path(os.fsdecode(os.fsencode(Path(store.root, "ws", "qa")) + b"/\xff")).mkdir()
    assert store.find("job-1", workspace="ws").job == "job-1"
    assert len(store.history(**BENCHMARK)) == 3


@pytest.mark.parametrize("content", ['{"version": 2, "job": "job-1"}', '{"version": 99}'])
def test_a_pin_of_a_newer_release_says_so(store, content):
    path = Path(store.root, "ws", "qa", "_pinned.json")
    path.write_text(content)
    with pytest.raises(NewerFormat, match=f"{path} has the format version .*, of a newer release"):
        store.pinned(**BENCHMARK)


def test_a_pin_of_the_first_releases_does_not_say_its_version(store):
    Path(store.root, "ws", "qa", "_pinned.json").write_text('{"job": "job-1", "pinned_at": "", "pinned_by": ""}')
    assert store.pinned(**BENCHMARK).job == "job-1"


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", "null", "5", "\0", "[" * 100_000, '{"job": 5}', '{"job": null}', '{"job": ""}']
    + [json.dumps({"job": name}) for name in ("..", ".", "_x", "j1/", "../..", "\ud800")],
)
def test_a_pin_that_can_not_be_read_is_an_error_that_names_it(store, content):
    store.pin(store.get("job-1", **BENCHMARK))
    assert store.pinned(**BENCHMARK).job == "job-1"
    path = Path(store.root, "ws", "qa", "_pinned.json")
    path.write_text(content)
    with pytest.raises(IncompleteResults, match=f"{path} can't be read .* Pin the job again with PinBaselineOperator"):
        store.pinned(**BENCHMARK)


def test_a_file_is_no_store(tmp_path):
    path = tmp_path / "store"
    path.write_text("something")
    store = ScoreStore(str(path))
    for read in (
        lambda: store.history(**BENCHMARK),
        lambda: store.job_names(**BENCHMARK),
        lambda: store.pinned(**BENCHMARK),
        lambda: store.get("job-1", **BENCHMARK),
        lambda: store.last_passed(**BENCHMARK),
        lambda: store.find("job-1", workspace="ws"),
    ):
        with pytest.raises(ConfigurationError, match=f"the score store {path} is a file. Name a folder"):
            read()
    with pytest.raises(
        Unwritable, match=f'could not write "{path}/ws/qa/job-1/job.json".* {path} is no folder. Remove'
    ):
        store.add(job(1), AggregateScores((SCORE,)), store_rows=None)
    assert path.read_text() == "something"


def with_rows(store):
    """A job of the store whose rows are read."""
    lines = [json.dumps({"row_index": i, "item": {}, "metrics": {}}).encode() + b"\n" for i in range(9)]

    def write(place):
        return store_rows(lines, place, row_format=RowFormat(name="parquet"))

    return store.add(job(5), AggregateScores((SCORE,)), store_rows=write)


def dangling(path):
    path.unlink()
    path.symlink_to("nowhere")
    return "is not there, which the folder's manifest lists. Delete the folder, and store the job again"


def gone(path):
    shutil.rmtree(path.parent)
    return "is not there, which"


def file_above(path):
    shutil.rmtree(path.parent)
    path.parent.touch()
    return "is not there, which"


def empty(path):
    path.write_bytes(b"")
    return "is not the file that .*/job-5/manifest.json lists: it has 0 bytes"


@pytest.mark.parametrize("put", [folder, circle, circle_above, dangling, gone, file_above, empty])
def test_something_else_in_place_of_rows_is_an_error_that_names_it(store, put):
    stored = with_rows(store)
    assert len(store.scores(stored).rows) == 9
    told = put(path := Path(stored.rows.path))
    with pytest.raises(IncompleteResults, match=f"{path} (can't be read .*)?{told}"):
        store.scores(stored)


def test_rows_that_a_user_may_not_read_are_an_error_that_names_them(as_nobody):
    with TemporaryDirectory() as root:
        Path(root).chmod(0o755)
        store = ScoreStore(root)
        stored = with_rows(store)
        Path(stored.rows.path).chmod(0o600)
        with (
            as_nobody(),
            pytest.raises(IncompleteResults, match=f"{stored.rows.path} can't be read .*access is denied"),
        ):
            store.scores(stored)
        told = f'could not write "{root}/ws/qa/job-6/job.json" .*denied.* Give the user who runs this the right'
        with as_nobody(), pytest.raises(Unwritable, match=told):
            store.add(job(6), AggregateScores((SCORE,)), store_rows=None)
        told = f'could not write "{root}/ws/qa/job-5/verdict-dag.gate.json" .*denied'
        with as_nobody(), pytest.raises(Unwritable, match=told):
            store.add_verdict(stored, "dag.gate", {"outcome": "pass"})


@pytest.mark.parametrize("name", ["ws", "ws/qa", "ws/qa/job-5", "ws/qa/_index"])
@pytest.mark.parametrize("put", ["file", "dangling", "circle"])
def test_something_in_place_of_a_folder_is_an_error_that_names_it(tmp_path, name, put):
    store, path = ScoreStore(str(tmp_path)), tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if put == "file":
        path.touch()
    else:
        path.symlink_to("nowhere" if put == "dangling" else path.name)
    what = "no folder" if put == "file" else "a link that leads to no folder"
    told = rf'could not write "{path}/|it is a file|links lead in a circle'
    with pytest.raises((Unwritable, IncompleteResults), match=told) as caught:
        store.add(job(5), AggregateScores((SCORE,)), store_rows=None)
    if isinstance(caught.value, Unwritable):
        assert f"{path} is {what}. Remove it, or choose another destination." in str(caught.value)
        assert not can_retry_mend(caught.value)


def test_something_in_place_of_the_folder_of_verdicts_is_an_error_that_names_it(store):
    path = Path(store.root, "ws", "qa", "_verdicts")
    shutil.rmtree(path)
    path.touch()
    stored = store.get("job-1", **BENCHMARK)
    with pytest.raises(Unwritable, match=f'could not write "{path}/.* {path} is no folder. Remove it'):
        store.add_verdict(stored, "dag.gate", {"outcome": "pass"})
    Path(store.root, "ws", "qa", "job-1", "verdict-dag.other.json").mkdir()
    with pytest.raises(Unwritable, match=r"verdict-dag.other.json.* A folder is there already. Remove it"):
        store.add_verdict(stored, "dag.other", {"outcome": "pass"})


class TestItsFolder:
    """A gate that is given a job's folder believes no other manifest than the store does."""

    @pytest.fixture
    def folder(self, store):
        folder = Path(store.root, "ws", "qa", "job-3")
        assert load_scores(str(folder), ()).scores.job == "job-3"
        return folder

    @pytest.mark.parametrize(
        ("key", "value"),
        [("files", []), ("files", None), ("benchmark", 5), ("benchmark", ["ws/qa"]), ("dataset", {}), ("job", True)],
    )
    def test_a_field_of_another_kind(self, store, folder, key, value):
        damage(store, lambda manifest: {**manifest, key: value})
        with pytest.raises(IncompleteResults, match=f'{folder}/manifest.json is not a manifest .*"{key}"'):
            load_scores(str(folder), ())

    def test_without_its_manifest(self, folder):
        (folder / "manifest.json").unlink()
        with pytest.raises(IncompleteResults, match=f"{folder} has no manifest.json.* Store the job again"):
            load_scores(str(folder), ())

    def test_a_link_that_leads_nowhere(self, folder):
        (folder / "manifest.json").unlink()
        (folder / "manifest.json").symlink_to("/nope")
        with pytest.raises(IncompleteResults, match=f"{folder}/manifest.json can't be read .its link leads nowhere"):
            load_scores(str(folder), ())

    def test_a_download_has_none(self, folder):
        for name in ("manifest.json", "job.json"):
            (folder / name).unlink()
        assert load_scores(str(folder), ()).scores.aggregate.get("f1").mean == 0.5
