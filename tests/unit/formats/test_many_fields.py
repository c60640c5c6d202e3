"""Items with so many fields that a column for each would be too much: the columns are bounded, and nothing is lost."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from airflow_provider_benchmarks.formats.service_rows import service_lines
from airflow_provider_benchmarks.gates import NoRegression, Threshold, evaluate
from airflow_provider_benchmarks.gates.stored_rows import read_rows as read_for_checks
from airflow_provider_benchmarks.scores import AggregateScores, JobScores, read_row_scores, row_scores_frame
from airflow_provider_benchmarks.scores.own_fields import MOST_FIELDS, MOST_LATER_FIELDS, OTHER_FIELDS
from airflow_provider_benchmarks.scores.rows import read_rows
from airflow_provider_benchmarks.scores.selected_rows import number_items, read_items
from airflow_provider_benchmarks.store import Place, RowFormat, store_partitions
from tests.support.stored_rows import line, store

ROWS = 400
SCORES = {"w/m": {"m": 1.0}}
ITEMS = [{f"id-{place}": place, "part": "ab"[place % 2]} for place in range(ROWS)]
LINES = [line(place, item, SCORES) for place, item in enumerate(ITEMS)]
AGGREGATE = AggregateScores.from_json(
    {"results": [{"metric": "w/m", "scores": [{"name": "m", "count": ROWS, "nan_count": 0, "mean": 1.0}]}]}
)


def items_of(frame) -> list[dict]:
    """The items again, of the columns of a frame; of CSV, JSON is text."""
    columns = {name: frame[name].tolist() for name in frame.columns if name not in ("m", "metric_errors")}
    others = columns.pop(OTHER_FIELDS, [None] * len(frame))
    found = [
        {name: values[at] for name, values in columns.items() if not is_missing(values[at])} for at in range(len(frame))
    ]
    for item, other in zip(found, others, strict=True):
        item |= {} if is_missing(other) else json.loads(other) if isinstance(other, str) else other
    return found


def is_missing(value) -> bool:
    return value is None or value != value  # noqa: PLR0124


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_each_format_reads_back_the_same(tmp_path, form):
    path = store(tmp_path / f"rows.{form}", LINES, form).path
    frame = read_row_scores(path)
    assert len(frame.columns) == MOST_LATER_FIELDS + 3
    assert items_of(frame) == ITEMS
    whole = row_scores_frame(read_rows(LINES))
    assert [name for name in frame.columns if name != "metric_errors"] == list(whole.columns)
    assert items_of(whole) == ITEMS


def test_items_of_the_first_rows_have_more_columns(tmp_path):
    items = [{f"f{place}": row for place in range(MOST_FIELDS + 10)} for row in range(3)]
    path = store(tmp_path / "rows.parquet", [line(row, item, SCORES) for row, item in enumerate(items)]).path
    frame = read_row_scores(path)
    assert frame[OTHER_FIELDS].tolist() == [{f"f{MOST_FIELDS + i}": row for i in range(10)} for row in range(3)]
    assert len(frame.columns) == MOST_FIELDS + 3
    assert items_of(frame) == items


def test_a_field_that_is_called_like_the_column_of_others(tmp_path):
    lines = [line(place, {**item, OTHER_FIELDS: place}, SCORES) for place, item in enumerate(ITEMS)]
    path = Path(store(tmp_path / "rows.parquet", lines).path)
    with path.open("rb") as file:
        rows = [json.loads(row) for block in service_lines(file, str(path)) for row in BytesIO(block)]
    found = [{name: value for name, value in row["item"].items() if value is not None} for row in rows]
    assert found == [{**item, OTHER_FIELDS: place} for place, item in enumerate(ITEMS)]


def test_rows_from_a_store_are_the_services_again(tmp_path):
    path = Path(store(tmp_path / "rows.parquet", LINES).path)
    with path.open("rb") as file:
        rows = list(read_rows(row for block in service_lines(file, str(path)) for row in BytesIO(block)))
    assert [{name: value for name, value in row.item.items() if value is not None} for row in rows] == ITEMS
    again = store(tmp_path / "again.parquet", [json.dumps(row.to_dict()).encode() + b"\n" for row in rows]).path
    assert read_items(again, range(ROWS)) == read_items(path, range(ROWS))


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_partitions_have_the_same_items(tmp_path, form):
    whole = store(tmp_path / "rows.parquet", LINES).path
    place = Place(str(tmp_path / "parts"))
    store_partitions(Path(whole), place, fields=["part"], row_format=RowFormat(name=form))
    assert items_of(read_row_scores(place.url)) == ITEMS


def test_gates_judge_fields_with_and_without_a_column_alike(tmp_path):
    path = store(tmp_path / "rows.parquet", LINES).path
    for field in ("id-3", f"id-{ROWS - 1}"):
        number = int(field.partition("-")[2])
        check = Threshold("m", at_least=0.5, where={field: number}, min_count=1)
        for rows in (read_for_checks([check], AGGREGATE, path), row_scores_frame(read_rows(LINES))):
            (result,) = evaluate([check], JobScores(AGGREGATE, rows)).results
            assert (result.outcome, result.count) == ("pass", 1), result.reason
    check = Threshold("m", at_least=0.5, where={"id-none": 1})
    (result,) = evaluate([check], JobScores(AGGREGATE, read_for_checks([check], AGGREGATE, path))).results
    assert result.outcome == "fail"
    assert 'no field "id-none"' in result.reason


def test_items_are_compared_whole(tmp_path):
    changed = [
        line(place, {**item, f"id-{place}": -1} if place == 390 else item, SCORES) for place, item in enumerate(ITEMS)
    ]
    paths = [store(tmp_path / f"{name}.parquet", lines).path for name, lines in (("a", LINES), ("b", changed))]
    one, other = number_items(paths)
    assert [place for place in range(ROWS) if one[place] != other[place]] == [390]
    frames = [row_scores_frame(read_rows(lines)) for lines in (LINES, changed)]
    (result,) = evaluate(
        [NoRegression("m", margin=0.1)], JobScores(AGGREGATE, frames[1]), JobScores(AGGREGATE, frames[0], job="base")
    ).results
    assert "1 rows with the same index have items that differ in other_fields" in str(result.to_dict())


def test_memory_and_columns_do_not_grow_with_the_rows(tmp_path):
    import resource

    lines = [b"".join(line(place, {f"field-{place}": "x"}, SCORES) for place in range(12_000))]
    store(tmp_path / "warm.parquet", LINES[:1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path = store(tmp_path / "rows.parquet", lines).path
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024
    assert pq.read_metadata(path).num_columns == MOST_LATER_FIELDS + 4
