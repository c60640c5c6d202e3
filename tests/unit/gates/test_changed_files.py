"""Files that change, come or go while a gate reads them: a verdict is of one state of each, or there is none."""

from __future__ import annotations

import json
import os

import pytest

from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults, ResultsChanged
from airflow_provider_benchmarks.gates import NoRegression, Threshold, sources
from airflow_provider_benchmarks.gates import run as gate_run
from airflow_provider_benchmarks.gates.sources import FolderSource, load_scores
from airflow_provider_benchmarks.scores import read_row_scores, row_records, selected_rows
from airflow_provider_benchmarks.scores.seen_files import SeenFile
from airflow_provider_benchmarks.store import Place, RowFormat, store_rows

CHECKS = [NoRegression("w/m")]
SIZE = 40


def lines(values, tag="q"):
    return [
        json.dumps(
            {"row_index": i, "item": {"q": f"{tag}{i}"}, "sample": {}, "metrics": {"w/m": [{"name": "s", "value": v}]}}
        ).encode()
        + b"\n"
        for i, v in enumerate(values)
    ]


def store(folder, values, *, tag="q", kind="parquet"):
    folder.mkdir(exist_ok=True)
    file = folder / f"row-scores.{kind}"
    store_rows(lines(values, tag), Place(str(file)), row_format=RowFormat(name=kind))
    mean = sum(values) / len(values)
    score = {"name": "s", "count": len(values), "nan_count": 0, "mean": mean, "variance": mean * (1 - mean)}
    found = {"results": [{"metric": "w/m", "scores": [{**score, "min": 0, "max": 1}]}]}
    (folder / "aggregate-scores.json").write_text(json.dumps(found))
    return file


def gate(folder, **options):
    source = FolderSource(
        checks=CHECKS, candidate_path=str(folder / "candidate"), baseline_paths={"": str(folder / "baseline")}
    )
    return gate_run.run_gate(CHECKS, source, **options)


def before(monkeypatch, module, name, change):
    """Change something just before a function of a module is called for the first time."""
    function, left = getattr(module, name), [change]

    def changed(*args, **kwargs):
        if left:
            left.pop()()
        return function(*args, **kwargs)

    monkeypatch.setattr(module, name, changed)


CHANGES = {
    "as many rows": lambda file: store(file.parent, [0, 1] * (SIZE // 2), tag="z"),
    "more rows": lambda file: store(file.parent, [1] * (SIZE + 1)),
    "fewer rows": lambda file: store(file.parent, [1] * (SIZE - 9)),
    "no Parquet": lambda file: file.write_bytes(b'{"row_index": 0}\n'),
    "as large": lambda file: file.write_bytes(file.read_bytes()[::-1]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize(
    ("module", "name"),
    [(selected_rows, "number_items"), (selected_rows, "read_items"), (selected_rows, "_item_hashes")],
)
def test_a_parquet_file_that_is_replaced_between_two_reads(tmp_path, monkeypatch, module, name, change):
    store(tmp_path / "baseline", [1] * SIZE)
    file = store(tmp_path / "candidate", [1, 0] * (SIZE // 2))
    before(monkeypatch, module, name, lambda: change(file))
    if name == "_item_hashes":  # of one file: the items of both are the same
        store(tmp_path / "baseline", [1] * SIZE, tag="other")
    with pytest.raises(ResultsChanged, match=f"^{file} changed while it was read: .* Run the gate again"):
        gate(tmp_path)


def test_a_jsonl_file_that_is_replaced_between_two_reads(tmp_path, monkeypatch):
    store(tmp_path / "baseline", [1] * SIZE, kind="jsonl")
    file = store(tmp_path / "candidate", [1, 0] * (SIZE // 2), kind="jsonl")
    before(monkeypatch, row_records, "read_row_records", lambda: file.write_bytes(b"".join(lines([0] * SIZE, "z"))))
    with pytest.raises(ResultsChanged, match=f"^{file} changed while it was read"):
        gate(tmp_path, in_full=True)


@pytest.mark.parametrize(("kind", "other"), [("parquet", "jsonl"), ("jsonl", "parquet")])
def test_rows_of_two_kinds_of_file(tmp_path, monkeypatch, kind, other):
    """The Parquet file is read once more, in full."""
    files = {
        "candidate": store(tmp_path / "candidate", [1, 0] * (SIZE // 2), kind=kind),
        "baseline": store(tmp_path / "baseline", [1] * SIZE, kind=other),
    }
    file = files["candidate" if kind == "parquet" else "baseline"]
    before(monkeypatch, gate_run, "_with_all_columns", lambda: store(file.parent, [1] * SIZE, tag="z"))
    with pytest.raises(ResultsChanged, match=f"^{file} changed while it was read"):
        gate(tmp_path)


@pytest.mark.parametrize(
    ("kind", "module", "name"),
    [
        ("parquet", selected_rows, "number_items"),
        ("parquet", selected_rows, "read_items"),
        ("parquet", row_records, "read_row_records"),
        ("jsonl", row_records, "read_row_records"),
        ("parquet", sources, "read_rows"),
        ("parquet", SeenFile, "at"),
    ],
)
def test_a_file_that_goes_between_two_reads(tmp_path, monkeypatch, kind, module, name):
    store(tmp_path / "baseline", [1] * SIZE, kind=kind)
    file = store(tmp_path / "candidate", [1, 0] * (SIZE // 2), kind=kind)
    before(monkeypatch, module, name, lambda: os.remove(file))
    with pytest.raises(ResultsChanged, match=f"^{file} .*was removed while it was read. Run the gate again"):
        gate(tmp_path, in_full=True)


@pytest.mark.parametrize("content", [b"{}\n", b""], ids=["other", "nothing"])
def test_a_file_that_is_written_into_while_it_is_read(tmp_path, content):
    file = store(tmp_path / "candidate", [1] * SIZE, kind="jsonl")
    seen = SeenFile.at(str(file))
    with pytest.raises(ResultsChanged, match=f"^{file} changed while it was read"), seen.open() as opened:
        assert opened.read(1) == b"{"
        file.write_bytes(content)
        os.utime(file, ns=(0, 0))  # whatever the clock of the disk can tell apart
        raise ValueError("no row")


def test_a_file_with_the_same_times_and_size(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"".join(lines([1, 0])))
    times = file.stat()
    seen = SeenFile.at(str(file))
    assert list(read_row_scores(seen)["s"]) == [1, 0]
    file.write_bytes(b"".join(lines([0, 1])))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(ResultsChanged, match=f"^{file} changed while it was read"):
        read_row_scores(seen)


def test_a_manifest_that_goes(tmp_path, monkeypatch):
    store(tmp_path / "candidate", [1] * SIZE)
    manifest = tmp_path / "candidate" / "manifest.json"
    manifest.write_text("{}")
    found = sources.is_there

    def gone(*args, **kwargs):
        there = found(*args, **kwargs)
        manifest.unlink(missing_ok=True)
        return there

    monkeypatch.setattr(sources, "is_there", gone)
    with pytest.raises(ResultsChanged, match=f"^{manifest} was removed while it was read. Run the gate again"):
        load_scores(str(tmp_path / "candidate"), ())


def test_a_folder_without_aggregate_scores(tmp_path):
    """As of a task that was killed while it stored a job."""
    file = store(tmp_path / "candidate", [1] * SIZE)
    (file.parent / "aggregate-scores.json").unlink()
    with pytest.raises(
        IncompleteResults, match=f"^{file.parent} has no aggregate-scores.json: .* Correct the path, or store the job"
    ):
        load_scores(str(file.parent), [Threshold("w/m", at_least=0.5)])


def test_a_path_with_nothing_at_it(tmp_path):
    store(tmp_path / "candidate", [1] * SIZE)
    for path in (f"{tmp_path}/none", f"{tmp_path}/candidate/row-scores.parquet/x"):
        with pytest.raises(ConfigurationError, match=f"^there are no scores at {path} .* Correct the path: it is that"):
            load_scores(path, ())
