"""The same items are the same whichever columns hold their fields: which have one hangs on the order of the rows."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from airflow_provider_benchmarks.formats import csv_others
from airflow_provider_benchmarks.gates import NoRegression, evaluate
from airflow_provider_benchmarks.gates.repeats import items_without
from airflow_provider_benchmarks.gates.stored_rows import add_item_hashes
from airflow_provider_benchmarks.gates.stored_rows import read_rows as read_for_checks
from airflow_provider_benchmarks.scores import (
    AggregateScores,
    JobScores,
    item_hashes,
    own_fields,
    read_row_scores,
    row_scores_frame,
)
from airflow_provider_benchmarks.scores.frames import OTHERS_COLUMN, SCORE_COLUMNS
from airflow_provider_benchmarks.scores.own_fields import OTHER_FIELDS
from airflow_provider_benchmarks.scores.rows import read_rows
from airflow_provider_benchmarks.scores.selected_rows import number_items, read_items
from tests.support.stored_rows import line, store

#: In place of the real limits, which take many rows to pass.
MOST = 20
ROWS = 60
SCORES = {"w/m": {"m": 1.0}}
#: Of every type, names of fixed columns and of the column of others among them, and one that is nowhere missing.
VALUES = [1, 2.5, "text", "7", True, None, [1, "a"], {"a": {"b": None}}, 2**70, "'=1", "", "\ud800", -(2**60)]
ITEMS = [
    {f"id-{at}": VALUES[at % len(VALUES)], f"part-{at % 50}": at / 4, "sample" if at > 40 else "q": at}
    | ({"row_index": "x", "repeat": at % 3} if at > 45 else {})
    for at in range(ROWS)
]
AGGREGATE = AggregateScores.from_json(
    {"results": [{"metric": "w/m", "scores": [{"name": "m", "count": ROWS, "nan_count": 0, "mean": 1.0}]}]}
)
CHECK = NoRegression("m", margin=0.1)


def lines(items, order=None):
    return [line(at, items[at], SCORES) for at in (range(len(items)) if order is None else order)]


def same_row(items, at):
    """The fields of an item the other way round."""
    return dict(reversed(items[at].items()))


@pytest.fixture(autouse=True)
def few_columns(monkeypatch):
    for module in (own_fields, csv_others):
        for name in ("MOST_FIELDS", "MOST_LATER_FIELDS"):
            monkeypatch.setattr(module, name, MOST, raising=False)


@pytest.fixture(params=["reversed rows", "reversed fields", "before the limit"])
def moved(request, monkeypatch, tmp_path):
    """Store the items again, so that other fields have columns."""

    def run(name, form="parquet", items=ITEMS):
        order, path = range(ROWS), tmp_path / f"{name}.{form}"
        if request.param == "reversed rows":
            order = order[::-1]
        elif request.param == "reversed fields":
            items = [same_row(items, at) for at in range(ROWS)]
        with monkeypatch.context() as at_that_time:
            if request.param == "before the limit":
                at_that_time.setattr(own_fields, "MOST_FIELDS", 10**6)
            return store(path, lines(items, order), form).path

    return run


def in_order(path, numbers):
    indices = read_row_scores(path, columns=[]).index
    return numbers[np.argsort(indices)]


def test_items_have_the_same_numbers(tmp_path, moved):
    paths = [store(tmp_path / "rows.parquet", lines(ITEMS)).path, moved("moved")]
    one, other = map(in_order, paths, number_items(paths))
    assert (one == other).all()
    assert len(set(one.tolist())) == ROWS
    columns = [set(read_row_scores(path).columns) for path in paths]
    assert OTHER_FIELDS in columns[0]
    assert columns[0] != columns[1]
    assert read_items(paths[0], range(ROWS)) == read_items(paths[1], range(ROWS))


@pytest.mark.parametrize("at", [0, ROWS - 1])
def test_one_that_differs_is_another(tmp_path, moved, at):
    changed = [{**item, f"id-{at}": "other"} if place == at else item for place, item in enumerate(ITEMS)]
    paths = [store(tmp_path / "rows.parquet", lines(ITEMS)).path, moved("moved", items=changed)]
    one, other = map(in_order, paths, number_items(paths))
    assert np.flatnonzero(one != other).tolist() == [at]


def test_a_value_that_moves_to_another_field_makes_another_item(tmp_path):
    items = [*ITEMS[:-1], {"sample": 1, "item.sample": 2}]
    swapped = [*ITEMS[:-1], {"sample": 2, "item.sample": 1}]
    paths = [store(tmp_path / f"{at}.parquet", lines(each)).path for at, each in enumerate((items, swapped))]
    one, other = number_items(paths)
    assert np.flatnonzero(one != other).tolist() == [ROWS - 1]


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_gates_pair_all_rows_of_frames(tmp_path, moved, form):
    frames = [
        read_row_scores(path)
        for path in (store(tmp_path / f"rows.{form}", lines(ITEMS), form).path, moved("moved", form))
    ]
    for frame in frames:
        frame.attrs[SCORE_COLUMNS] = ["m"]  # which CSV does not say
    assert frames[0].attrs[OTHERS_COLUMN] == OTHER_FIELDS
    assert paired(*frames) == (ROWS, False)


def test_gates_pair_all_rows_of_stored_files(tmp_path, moved):
    jobs = [
        (JobScores(AGGREGATE, read_for_checks([CHECK], AGGREGATE, path), job="job"), path)
        for path in (store(tmp_path / "rows.parquet", lines(ITEMS)).path, moved("moved"))
    ]
    add_item_hashes(jobs)
    assert paired(*(scores.rows for scores, _ in jobs)) == (ROWS, False)


def paired(candidate, baseline):
    """The number of pairs, and what is said of rows in none."""
    (result,) = evaluate([CHECK], JobScores(AGGREGATE, candidate), JobScores(AGGREGATE, baseline, job="base")).results
    assert result.outcome == "pass", result.reason
    return result.count, "items that differ" in str(result.to_dict())


def test_what_differs_is_named_by_field_and_not_by_column(tmp_path, moved):
    changed = [{**item, "part-0": -1} if at == 50 else item for at, item in enumerate(ITEMS)]
    whole = row_scores_frame(read_rows(lines(ITEMS)))
    other = read_row_scores(moved("moved", items=changed))
    (result,) = evaluate([CHECK], JobScores(AGGREGATE, other), JobScores(AGGREGATE, whole, job="base")).results
    assert "1 rows with the same index have items that differ in part-0;" in str(result.to_dict())


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
@pytest.mark.parametrize("field", ["repeat", "sample", "id-0", f"id-{ROWS - 1}"])
def test_a_field_can_be_left_out_of_items_whichever_column_holds_it(tmp_path, moved, form, field):
    without = [{name: value for name, value in item.items() if name != field} for item in ITEMS]
    check = NoRegression("m", margin=0.1, repeat_by=field)
    found = []
    for path, left_out in (
        (store(tmp_path / f"rows.{form}", lines(ITEMS), form).path, field),
        (moved("moved", form), field),
        (store(tmp_path / f"without.{form}", lines(without), form).path, "no such field"),
    ):
        rows = read_row_scores(path)
        if form == "parquet":
            rows = read_for_checks([check], AGGREGATE, path)
            add_item_hashes([(JobScores(AGGREGATE, rows, job="job"), path)], by_field=True)
        found.append(items_without(rows, left_out)[np.argsort(rows.index)])
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()


def test_a_field_that_is_called_like_the_column_of_others_is_a_field(tmp_path):
    paths = []
    for name, item in (("plain", {"a": 1}), ("nested", {OTHER_FIELDS: {"a": 1}})):
        paths.append(store(tmp_path / f"{name}.parquet", [line(0, item, SCORES)]).path)
    one, other = number_items(paths)
    assert one[0] != other[0]
    assert read_items(paths[1], [0]) == {0: {OTHER_FIELDS: {"a": 1}}}
    for form in ("csv", "jsonl"):
        frame = read_row_scores(
            store(tmp_path / f"rows.{form}", [line(0, {OTHER_FIELDS: {"a": 1}}, SCORES)], form).path
        )
        assert OTHERS_COLUMN not in frame.attrs


def test_memory_hangs_on_neither_rows_nor_fields(monkeypatch):
    def most_memory(rows):
        tracemalloc.start()
        item_hashes.hash_others(({f"id-{at}-{n}": "y" * 100 for n in range(20)} for at in range(rows)), rows)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    monkeypatch.setattr(item_hashes, "_MOST_VALUES", 500)
    most_memory(1)
    assert most_memory(400) < 1.2 * most_memory(50)
