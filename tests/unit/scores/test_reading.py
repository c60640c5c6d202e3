"""Loading stored row scores returns the same frame, whatever form they are stored in."""

from __future__ import annotations

import errno
import gzip
import io
import itertools
import json
import secrets
import tracemalloc
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_benchmarks.exceptions import (
    ConfigurationError,
    DestinationExists,
    IncompleteResults,
    NewerFormat,
)
from airflow_provider_benchmarks.formats.partitioned import MANIFEST
from airflow_provider_benchmarks.scores import low_scoring_rows, read_row_scores
from airflow_provider_benchmarks.scores.rows import RowScore
from airflow_provider_benchmarks.store import Place, RowFormat, find_partitions, store_partitions, sweep_partitions
from tests.support.stored_rows import line, store


@pytest.mark.parametrize("number", [38, 94, 97, 100, 122, 133, 136])
@pytest.mark.parametrize("batches", [False, True])
def test_parquet_and_jsonl_give_the_same_frame(recorded, tmp_path, number, batches):
    lines = recorded(number).splitlines(keepends=True)
    parquet = read_row_scores(store(tmp_path / "rows.parquet", lines, batches=batches, with_sample=True).path)
    jsonl = read_row_scores(store(tmp_path / "rows.jsonl", lines, "jsonl").path)
    pd.testing.assert_frame_equal(jsonl, parquet.drop(columns="sample"))
    assert jsonl.attrs == parquet.attrs
    named = read_row_scores(tmp_path / "rows.jsonl", columns=list(parquet.columns))
    pd.testing.assert_frame_equal(named, parquet)


def test_odd_rows_give_the_same_frame(tmp_path):
    items = [
        {"sample": 1, "mixed": 1, "big": 2**60 + 1, "flag": True, "float": 1, "half": "a", "late": None},
        {"sample": 2, "mixed": "a", "big": None, "flag": None, "float": 0.5, "half": "\ud800", "late": [1]},
    ]
    scores = [
        {"w/m": {"s": 1, "s.label": "a", "b": True, "none": None, "big": 2**60 + 1, "mixed": 1}, "w/n": {"s": 1}},
        {"w/m": {"s": "NaN", "s.label": "", "b": False, "mixed": "a"}},
    ]
    more = [{}, {"metric_errors": {"w/m": "boom"}, "sample": {"inference_error": "no answer"}}]
    lines = [line(i, items[i], scores[i], **more[i]) for i in range(2)]
    parquet = read_row_scores(store(tmp_path / "a", lines).path)
    jsonl = read_row_scores(store(tmp_path / "b", lines, "jsonl").path)
    pd.testing.assert_frame_equal(jsonl, parquet)
    assert jsonl.attrs == parquet.attrs
    assert jsonl["metric_errors"].iloc[1] == {"w/m": "boom"}
    assert jsonl["inference_error"].iloc[1] == "no answer"
    assert [type(value) for value in jsonl["half"]] == [str, str]


def test_only_some_columns(recorded, tmp_path):
    for name in ("parquet", "jsonl"):
        stored = store(tmp_path / name, [recorded(38)], name)
        loaded = read_row_scores(stored.path, columns=["reference", "exact-match"])
        assert list(loaded.columns) == ["reference", "exact-match"]
        assert loaded.attrs["score_columns"] == ["exact-match"]
        assert loaded.index.tolist() == [0, 1, 2, 3, 4]
        assert list(read_row_scores(stored.path, columns=["exact-match", "row_index", "input"]).columns) == [
            "exact-match",
            "input",
        ]
        with pytest.raises(ConfigurationError, match=r"no columns \['nope'\]; it has: row_index, input"):
            read_row_scores(stored.path, columns=["nope"])


def test_a_column_whose_name_is_the_beginning_of_another(tmp_path):
    lines = [line(0, {"a": 1, "a.b": 2, "s": 3}, {"w/m": {"s": 0.5}})]
    for name in ("parquet", "jsonl", "csv"):
        loaded = read_row_scores(store(tmp_path / name, lines, name).path, columns=["w/m:s", "a"])
        assert loaded.iloc[0].to_dict() == {"w/m:s": 0.5, "a": 1}


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
def test_of_jsonl_only_what_is_asked_for_is_kept(tmp_path, compression):
    lines = [line(i, {"text": f"{i:05}" * 2000, "n": i}, {"w/m": {"s": i / 10}}) for i in range(2000)]
    stored = store(tmp_path / "rows.jsonl", lines, "jsonl", compression=compression)  # 20 MB
    read_row_scores(stored.path, columns=["s"])  # what is imported is not counted
    tracemalloc.start()
    try:
        loaded = read_row_scores(stored.path, columns=["s"])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert loaded["s"].tolist() == [i / 10 for i in range(2000)]
    assert peak < 10e6


def test_a_field_that_only_some_rows_have(tmp_path, monkeypatch):
    from airflow_provider_benchmarks.formats import jsonl

    monkeypatch.setattr(jsonl, "_BLOCK_BYTES", 1)
    lines = [line(i, {"a": i} if i % 2 else {"b": i}, {"w/m": {"s": i}} if i == 2 else {}) for i in range(5)]
    loaded = read_row_scores(store(tmp_path / "rows.jsonl", lines, "jsonl").path).astype(object)
    found = loaded.where(loaded.notna(), None).to_dict("list")
    assert found == {
        "b": [0, None, 2, None, 4],
        "a": [None, 1, None, 3, None],
        "s": [None, None, 2, None, None],
        "metric_errors": [None] * 5,
    }


class TestDamage:
    def test_what_is_no_row_is_named_with_its_file(self, tmp_path):
        (tmp_path / "x").write_bytes(line(0, {}) + b"{}\n")
        with pytest.raises(IncompleteResults, match=f"{tmp_path}/x: row 2: expected a row"):
            read_row_scores(tmp_path / "x")

    def test_a_row_index_that_is_none(self, tmp_path):
        (tmp_path / "x").write_bytes(line(0, {}).replace(b'"row_index": 0', b'"row_index": "a"'))
        with pytest.raises(IncompleteResults, match="x: row 1: expected row_index to be a whole number, found 'a'"):
            read_row_scores(tmp_path / "x")

    @pytest.mark.parametrize("index", [2**70, -(2**63) - 1])
    def test_a_row_index_that_no_table_holds(self, tmp_path, index):
        odd = line(0, {}).replace(b'"row_index": 0', b'"row_index": %d' % index)
        (tmp_path / "x").write_bytes(line(1, {}) + odd)
        with pytest.raises(IncompleteResults, match=f"x: .*{index} is not a row index"):
            read_row_scores(tmp_path / "x")
        with pytest.raises(IncompleteResults, match=f"{index} is not a row index"):
            RowScore.from_json(odd)

    @pytest.mark.parametrize("compression", ["gzip", "zstd"])
    def test_a_packed_file_that_was_cut_short(self, tmp_path, compression):
        lines = [line(i, {"text": f"{i}" * 99}) for i in range(999)]
        stored = store(tmp_path / "x", lines, "jsonl", compression=compression)
        content = Path(stored.path).read_bytes()
        (tmp_path / "x").write_bytes(content[: len(content) // 2])
        with pytest.raises(IncompleteResults, match="x: "):
            read_row_scores(tmp_path / "x")

    @pytest.mark.parametrize("damage", ["cut short", "overwritten", "an overwritten footer"])
    def test_a_damaged_parquet_file(self, tmp_path, damage):
        content = Path(store(tmp_path / "x", [line(i, {"text": f"{i}" * 99}) for i in range(999)]).path).read_bytes()
        if damage == "cut short":
            content = content[: len(content) // 2]
        else:
            # Behind the beginning of the first page, or before the length of the footer.
            start, end = (300, 900) if damage == "overwritten" else (len(content) - 600, len(content) - 8)
            content = content[:start] + bytes(end - start) + content[end:]
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(
            IncompleteResults, match=r"x can't be read as Parquet \((.|\n)*download the row scores again"
        ):
            read_row_scores(tmp_path / "x")

    def test_a_packed_file_with_other_bytes_in_it(self, tmp_path):
        (tmp_path / "x").write_bytes(gzip.compress(line(0, {})) + b"no gzip")
        with pytest.raises(IncompleteResults, match="x: can't be read to its end .*download the row scores again"):
            read_row_scores(tmp_path / "x")

    @pytest.mark.parametrize("form", ["parquet", "gzip", "zstd"])
    @pytest.mark.parametrize("error", [OSError("Forbidden"), OSError(errno.EIO, "gone"), PermissionError("refused")])
    def test_a_storage_that_fails_is_no_damage(self, tmp_path, form, error):
        """Some storages' errors have no number, as Arrow's own of damage have none."""
        name, packing = ("parquet", {}) if form == "parquet" else ("jsonl", {"compression": form})
        rows = [line(i, {"text": secrets.token_hex(999)}) for i in range(999)]
        stored = store(tmp_path / "x", rows, name, **packing)
        with pytest.raises(OSError, match="Forbidden|gone|refused") as caught:
            read_row_scores(FailingPath(stored.path, error))
        assert caught.value is error

    def test_what_is_no_form_of_row_scores(self, tmp_path):
        (tmp_path / "x").write_text("a,b\n1,2\n")
        with pytest.raises(ConfigurationError, match="neither Parquet nor JSONL nor CSV of row scores"):
            read_row_scores(tmp_path / "x")

    def test_nothing_there(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            read_row_scores(tmp_path / "x")

    def test_a_parquet_file_of_something_else(self, tmp_path):
        pq.write_table(pa.table({"s": [1]}), tmp_path / "x")
        with pytest.raises(ConfigurationError, match=r"x has no columns \['row_index'\]; it has: s"):
            read_row_scores(tmp_path / "x")

    def test_a_parquet_file_of_someone_else_does_not_know_its_scores(self, tmp_path):
        pq.write_table(pa.table({"row_index": [0], "s": [0.1]}), tmp_path / "x")
        loaded = read_row_scores(tmp_path / "x")
        assert loaded["s"].tolist() == [0.1]
        with pytest.raises(ConfigurationError, match="score_columns"):
            low_scoring_rows(loaded, 0.5)


class FailingPath:
    """A file in a storage that fails at the second read."""

    def __init__(self, path: str, error: OSError) -> None:
        self._path, self._error = path, error

    def open(self, mode: str) -> io.BytesIO:
        error, reads = self._error, itertools.count()

        class Failing(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if next(reads):
                    raise error
                return super().read(size)

        return Failing(Path(self._path).read_bytes())


def item(index: int) -> dict[str, object]:
    return {
        "text": f"=row {index}",
        "level": index % 3 - 1,
        "category": ["a", "b", None, "x/y *[z]"][index % 4],
        "flag": index % 2 == 0,
        "big": None if index % 5 else 2**60 + index,
    }


class TestFolders:
    @pytest.fixture
    def cut(self, tmp_path):
        """Store rows as a folder, and give what they are as one file."""

        def run(fields: list[str], name: str = "parquet") -> tuple[Path, pd.DataFrame]:
            lines = [line(i, item(i), {"w/m": {"s": i / 10, "s.label": "yes"}}) for i in range(40)]
            whole = store(tmp_path / "whole.parquet", lines)
            format = RowFormat(name=name)
            store_partitions(Path(whole.path), Place(str(tmp_path / "rows")), fields=fields, row_format=format)
            one = whole.path if name == "parquet" else store(tmp_path / "whole.csv", lines, "csv").path
            return tmp_path / "rows", read_row_scores(one)

        return run

    @pytest.mark.parametrize(
        "fields", [["category"], ["level"], ["flag"], ["level", "category"], ["flag", "level", "category"]]
    )
    @pytest.mark.parametrize("name", ["parquet", "csv"])
    @pytest.mark.parametrize("as_text", [False, True])
    def test_every_row_comes_back_with_the_fields_that_group_them(self, cut, fields, name, as_text):
        folder, whole = cut(fields, name)
        loaded = read_row_scores(f"{folder}/" if as_text else folder)
        others = [column for column in whole.columns if column not in fields]
        pd.testing.assert_frame_equal(loaded, whole[[*fields, *others]])
        assert loaded.attrs == whole.attrs

    @pytest.mark.parametrize("name", ["parquet", "csv"])
    def test_only_some_columns(self, cut, name):
        folder, whole = cut(["level"], name)
        for columns in (["s", "level"], ["text"], ["level"], ["row_index"]):
            chosen = [column for column in columns if column != "row_index"]
            loaded = read_row_scores(folder, columns=columns)
            pd.testing.assert_frame_equal(loaded, whole[chosen], check_column_type=False)
        with pytest.raises(ConfigurationError, match=r"no columns \['nope'\]"):
            read_row_scores(folder, columns=["nope"])

    @pytest.mark.parametrize("name", ["parquet", "csv"])
    def test_rows_grouped_by_their_index(self, cut, name):
        folder, whole = cut(["row_index"], name)
        pd.testing.assert_frame_equal(read_row_scores(folder), whole)

    def test_one_file_of_a_folder_grouped_by_index_is_an_error(self, cut):
        folder, _ = cut(["row_index"])
        part = next(folder.rglob("row_index=7/*.parquet"))
        with pytest.raises(ConfigurationError, match=r"has no columns \['row_index'\]; it has: text"):
            read_row_scores(part)

    def test_files_that_the_manifest_does_not_list_are_not_read(self, cut):
        folder, whole = cut(["level"])
        (folder / "level=0" / "old.parquet").write_bytes(b"of an earlier download")
        assert len(read_row_scores(folder)) == len(whole)

    def test_a_folder_without_a_manifest_is_not_complete(self, cut):
        folder, _ = cut(["level"])
        (folder / MANIFEST).unlink()
        with pytest.raises(IncompleteResults, match=f"rows is a folder without a {MANIFEST}"):
            read_row_scores(folder)

    def test_a_manifest_of_a_newer_release(self, cut):
        folder, whole = cut(["level"])
        manifest = json.loads((folder / MANIFEST).read_text())
        (folder / MANIFEST).write_text(json.dumps({**manifest, "version": 1}))
        assert len(read_row_scores(folder)) == len(whole)
        (folder / MANIFEST).write_text(json.dumps({**manifest, "version": 2}))
        with pytest.raises(NewerFormat, match=f"{folder}/{MANIFEST} has the format version 2, of a newer release"):
            read_row_scores(folder)

    @pytest.mark.parametrize(
        "content", ["", "[]", "[" * 100_000, "\0", '{"files": 1}', '{"files": [{"path": "a"}], "partition_by": ["a"]}']
    )
    def test_a_manifest_of_something_else(self, tmp_path, content):
        (tmp_path / MANIFEST).write_text(content)
        with pytest.raises(IncompleteResults, match=f"{tmp_path}/{MANIFEST} is not a manifest of row scores"):
            read_row_scores(tmp_path)

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (lambda files: [], "the files have 0 rows, but it counts 40"),
            (lambda files: files[:1], "the files have 14 rows, but it counts 40"),
            (lambda files: {}, "expected a list of files"),
            (lambda files: [*files, files[0]], "a file is listed twice"),
            (lambda files: [{**files[0], "rows": "13"}, *files[1:]], 'expected a number as "rows"'),
            (lambda files: [{**files[0], "path": "../rows/a.parquet"}, *files[1:]], "a file below the folder"),
            (lambda files: [{**files[0], "path": "/a.parquet"}, *files[1:]], "a file below the folder"),
        ],
    )
    def test_a_manifest_with_other_files_than_it_was_written_with(self, cut, change, told):
        folder, _ = cut(["level"])
        manifest = json.loads((folder / MANIFEST).read_text())
        (folder / MANIFEST).write_text(json.dumps({**manifest, "files": change(manifest["files"])}))
        with pytest.raises(IncompleteResults, match=f"{folder}/{MANIFEST} is not a manifest of row scores .*{told}"):
            read_row_scores(folder)
        with pytest.raises(DestinationExists, match=f"{folder}/{MANIFEST} is not a manifest of row scores"):
            find_partitions(Place(str(folder)))

    def test_a_file_that_the_manifest_lists_and_that_is_not_there_is_named(self, cut):
        folder, _ = cut(["level"])
        (part,) = folder.rglob("level=1/*.parquet")
        part.unlink()
        with pytest.raises(IncompleteResults, match=f"{part} is not there, which the folder's manifest lists"):
            read_row_scores(folder)

    @pytest.mark.parametrize("name", ["parquet", "csv"])
    def test_a_file_that_is_another_than_the_manifest_lists_is_refused(self, cut, name):
        folder, _ = cut(["level"], name)
        first, second = sorted(folder.rglob(f"*.{name}"))[:2]
        content, swapped = first.read_bytes(), second.read_bytes()
        place = len(content) // 2
        flipped = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        for other in (swapped, b"", content[:-1], content * 2, flipped):
            first.write_bytes(other)
            told = f"{first} is not the file that {folder}/{MANIFEST} lists: it.* Download the row scores again"
            with pytest.raises(IncompleteResults, match=told):
                read_row_scores(folder)
            if len(other) != len(content):
                with pytest.raises(IncompleteResults, match="1 files are not those that _manifest.json lists"):
                    sweep_partitions(Place(str(folder)))

    def test_a_manifest_of_an_earlier_release_is_read(self, cut):
        folder, _ = cut(["level"])
        manifest = json.loads((folder / MANIFEST).read_text())
        files = [{key: file[key] for key in file if key != "end_sha256"} for file in manifest["files"]]
        (folder / MANIFEST).write_text(json.dumps({**manifest, "files": files}))
        assert len(read_row_scores(folder)) == 40

    def test_a_folder_in_place_of_the_manifest(self, tmp_path):
        (tmp_path / MANIFEST).mkdir()
        with pytest.raises(IncompleteResults, match=f"{tmp_path}/{MANIFEST} can't be read .*it is a folder"):
            read_row_scores(tmp_path)
        with pytest.raises(DestinationExists, match=f"{tmp_path}/{MANIFEST} can't be read .*another destination"):
            find_partitions(Place(str(tmp_path)))

    @pytest.mark.parametrize(
        "values",
        [
            ["1", "2"],
            ["1", "02"],
            ["1", "²"],
            ["1", None],
            ["1", "1" * 30],
            ["true", "false"],
            ["true", "1"],
            [1, -20],
            [1, None],
            [True, False, None],
            [None, None],
        ],
    )
    @pytest.mark.parametrize("name", ["parquet", "csv"])
    def test_values_of_the_field_that_groups_are_those_of_one_file(self, tmp_path, values, name):
        lines = [line(i, {"f": value}) for i, value in enumerate(values)]
        parquet = store(tmp_path / "whole.parquet", lines)
        store_partitions(
            Path(parquet.path), Place(str(tmp_path / "rows")), fields=["f"], row_format=RowFormat(name=name)
        )
        one = parquet if name == "parquet" else store(tmp_path / "whole.csv", lines, "csv")
        pd.testing.assert_series_equal(read_row_scores(tmp_path / "rows")["f"], read_row_scores(one.path)["f"])

    def test_no_rows(self, tmp_path):
        whole = store(tmp_path / "whole.parquet", [line(0, item(0))])
        pq.write_table(pq.read_table(whole.path).slice(0, 0), whole.path)
        store_partitions(
            Path(whole.path), Place(str(tmp_path / "rows")), fields=["level"], row_format=RowFormat(name="parquet")
        )
        assert json.loads((tmp_path / "rows" / MANIFEST).read_bytes())["rows"] == 0
        assert read_row_scores(tmp_path / "rows").empty


ROWS = [
    b'{"row_index": %d, "item": {"q": %d}, "sample": {}, "metrics": {"w/m": [{"name": "s", "value": 1.0}]}}' % (i, i)
    for i in range(3)
]


@pytest.mark.parametrize("form", ["jsonl", "parquet", "csv"])
class TestOddLines:
    """What stands around the rows of a JSONL file is read alike, whatever it is stored as."""

    @pytest.mark.parametrize(
        "data",
        [
            b"\xef\xbb\xbf" + b"\n".join(ROWS),
            b"\r\n".join(ROWS),
            b"\n\r\n".join(ROWS),
            b"\n" * 30 + b"\n".join(ROWS),
            b"  " + b"\n\xef\xbb\xbf".join(ROWS),
            b"\n".join(ROWS).replace(b', "item"', b',\r"item"'),
            b"\r".join(ROWS),
            b"\xef\xbb\xbf" + b"\r".join(ROWS) + b"\r",
            b" \r\r ".join(ROWS),
            b"\r\xef\xbb\xbf".join(ROWS),
            ROWS[0] + b"\r" + ROWS[1] + b"\n" + ROWS[2] + b"\r\n",
        ],
    )
    def test_that_are_rows(self, tmp_path, form, data):
        (tmp_path / "as-it-came.jsonl").write_bytes(data)
        path = store(tmp_path / f"rows.{form}", [data], form).path
        for frame in (read_row_scores(path), read_row_scores(tmp_path / "as-it-came.jsonl")):
            assert (frame.index.tolist(), frame["q"].tolist()) == ([0, 1, 2], [0, 1, 2])

    @pytest.mark.parametrize("data", [b"\r,".join(ROWS), b" ".join(ROWS), ROWS[0] + b"\n" + ROWS[1] + ROWS[2]])
    def test_that_are_none(self, tmp_path, form, data):
        (tmp_path / "as-it-came.jsonl").write_bytes(data)
        for read in (
            lambda: store(tmp_path / f"rows.{form}", [data], form),
            lambda: read_row_scores(tmp_path / "as-it-came.jsonl"),
        ):
            with pytest.raises(IncompleteResults, match="expected a row as JSON"):
                read()
