"""Names and times that a score store can't keep are refused before anything is fetched; clocks differ."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults, Unwritable
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStatus
from airflow_provider_benchmarks.retry_policy import can_retry_mend
from airflow_provider_benchmarks.scores import AggregateScores
from airflow_provider_benchmarks.scores.aggregate import AggregateScore
from airflow_provider_benchmarks.store import Place, ScoreStore, atomic_write, read_stored_job
from airflow_provider_benchmarks.store.folder_names import gate_name
from airflow_provider_benchmarks.store.job_names import TIME

SCORES = AggregateScores((AggregateScore(metric="f1", name="f1", count=9, nan_count=0, mean=0.5),))
CREATED = datetime(2026, 11, 1, tzinfo=UTC)
WHERE = {"workspace": "ws", "benchmark": "ws/qa"}


def job(name="nightly", *, benchmark="qa", created_at=CREATED):
    return BenchmarkJob(
        name=name, workspace="ws", benchmark=f"ws/{benchmark}", status=JobStatus.COMPLETED, created_at=created_at
    )


def not_fetched(place):
    pytest.fail("the rows were fetched")


@pytest.fixture
def store(tmp_path):
    return ScoreStore(str(tmp_path))


class TestTooLongForTheLocalDisk:
    @pytest.mark.parametrize(
        ("name", "benchmark"),
        [("a" * 193, "qa"), ("a" * 216, "qa"), ("é" * 40, "qa"), ("日" * 28, "qa"), ("j", "é" * 45)],
    )
    def test_names_are_refused_before_the_rows_are_fetched(self, store, tmp_path, name, benchmark):
        with pytest.raises(
            ConfigurationError, match=r"too long a name .* bytes, and may have (216|255). Make it \d+ sh"
        ):
            store.add(job(name, benchmark=benchmark), SCORES, store_rows=not_fetched)
        assert list(tmp_path.iterdir()) == []
        where = {"workspace": "ws", "benchmark": f"ws/{benchmark}"}
        assert (store.history(**where), store.pinned(**where), store.job_names(**where)) == ([], None, [])

    def test_the_longest_names_are_stored(self, store):
        assert store.add(job("a" * 192, benchmark="b" * 255), SCORES, store_rows=None)
        assert len(store.history(workspace="ws", benchmark=f"ws/{'b' * 255}")) == 1

    def test_a_verdict_leaves_nothing_behind(self, store, tmp_path):
        stored = store.add(job("a" * 192), SCORES, store_rows=None)
        with pytest.raises(ConfigurationError, match='verdict of gate "dag.task" on benchmark job "aaa'):
            store.add_verdict(stored, "dag.task", {"outcome": "inconclusive"})
        assert not [*tmp_path.rglob("verdict-*"), *tmp_path.rglob("_verdicts")]

    def test_a_destination_is_not_tried_again(self, tmp_path):
        with pytest.raises(Unwritable, match="takes no names that long") as caught:
            with atomic_write(Place(str(tmp_path / ("x" * 250)))):
                pytest.fail("it was opened")
        assert not can_retry_mend(caught.value)


class TestFoldersWithoutAName:
    URLS = ("s3://bucket//scores", "s3://aws@bucket/a//b", "gs://bucket/a///b", "s3:///scores")

    @pytest.mark.parametrize("url", URLS)
    def test_they_are_refused_in_object_storage(self, url):
        for use in (ScoreStore, read_stored_job, lambda url: Place(url).object_path):
            with pytest.raises(ConfigurationError, match="nothing between two slashes"):
                use(url)
        with pytest.raises(ConfigurationError, match="nothing between two slashes"), atomic_write(Place(url)):
            pytest.fail("it was opened")

    def test_others_are_not(self, tmp_path):
        store = ScoreStore(f"{tmp_path}//scores//")
        store.add(job(), SCORES, store_rows=None)
        assert store.job_names(**WHERE) == ["nightly"]
        ScoreStore("s3://bucket/scores//")
        Place("s3://bucket/{{ params.folder }}//rows.jsonl")  # a template is not rendered yet


@pytest.mark.parametrize(
    "created_at",
    [
        datetime(2026, 1, 1),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))),
        datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=5))),
    ],
)
def test_a_time_that_can_not_be_compared_is_refused(store, tmp_path, created_at):
    with pytest.raises(
        ConfigurationError, match="can't be stored with its created_at: the time .* (no zone|out of range)"
    ):
        store.add(job(created_at=created_at), SCORES, store_rows=not_fetched)
    assert list(tmp_path.iterdir()) == []


def test_a_time_of_another_zone_is_stored_in_utc(store):
    store.add(job(created_at=datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=5)))), SCORES, store_rows=None)
    (found,) = store.history(**WHERE)
    assert found.created_at == datetime(2025, 12, 31, 21, tzinfo=UTC)


@pytest.mark.parametrize("gate", ["", "\ud800"])
def test_a_gate_that_readers_could_not_find_is_refused(store, tmp_path, gate):
    stored = store.add(job(), SCORES, store_rows=None)
    with pytest.raises(ConfigurationError, match="can't keep the verdict of a gate called"):
        store.add_verdict(stored, gate, {"outcome": "pass"})
    assert not [*tmp_path.rglob("*verdict*")]


def test_a_file_in_place_of_a_folder_of_the_store_is_told(store, tmp_path):
    (tmp_path / "ws").write_text("x")
    for find in (store.history, store.last_passed, store.job_names):
        with pytest.raises(IncompleteResults, match=f"{tmp_path}/ws/qa/.*a file is where one of its folders should be"):
            find(**WHERE)


class TestClocks:
    @pytest.mark.parametrize("gate", ["dag.gate", "d" * 150])
    def test_the_last_verdict_of_a_gate_counts_though_a_worker_was_ahead(self, store, tmp_path, gate):
        stored = store.add(job(), SCORES, store_rows=None)
        ahead = datetime.now(UTC) + timedelta(minutes=5)
        store.add_verdict(stored, "dag.other", {"outcome": "pass"})
        folder = tmp_path / "ws" / "qa" / "_verdicts"
        (folder / f"{ahead.strftime(TIME)},nightly,{gate},pass").write_text("\n")
        store.add_verdict(stored, gate, {"outcome": "fail"})
        assert store.outcomes(stored)[gate_name(gate)] == "fail"
        assert store.last_passed(**WHERE) is None
        store.add_verdict(stored, gate, {"outcome": "pass"})
        assert store.last_passed(**WHERE) == store.history(**WHERE)[0]

    def test_other_gates_and_jobs_have_their_own_times(self, store, tmp_path):
        stored = store.add(job(), SCORES, store_rows=None)
        folder = tmp_path / "ws" / "qa" / "_verdicts"
        folder.mkdir()
        for name in ("nightly,dag.other", "another,dag.gate"):
            (folder / f"20991231T000000.000000Z,{name},pass").touch()
        store.add_verdict(stored, "dag.gate", {"outcome": "fail"})
        (name,) = (path.name for path in folder.iterdir() if path.name.endswith(",fail"))
        assert not name.startswith("2099")

    @pytest.mark.parametrize("time", ["99991231T235959.999999Z", "20261399T000000.000000Z"])
    def test_a_time_of_no_clock_stops_no_gate(self, store, tmp_path, time):
        stored = store.add(job(), SCORES, store_rows=None)
        folder = tmp_path / "ws" / "qa" / "_verdicts"
        folder.mkdir()
        (folder / f"{time},nightly,dag.gate,pass").touch()
        store.add_verdict(stored, "dag.gate", {"outcome": "fail"})
        assert len(list(folder.iterdir())) == 2
