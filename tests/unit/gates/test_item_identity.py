"""Which items are equal is told by their JSON alone: field by field, whatever column, format or file they are in."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_benchmarks.exceptions import ScoreNotFound
from airflow_provider_benchmarks.formats import csv_others
from airflow_provider_benchmarks.gates.pairing import pair_rows
from airflow_provider_benchmarks.gates.repeated_pairs import pair_items
from airflow_provider_benchmarks.gates.repeats import Repeats, items_without
from airflow_provider_benchmarks.gates.row_changes import worst_rows
from airflow_provider_benchmarks.gates.row_values import field_column
from airflow_provider_benchmarks.gates.stored_rows import add_item_hashes
from airflow_provider_benchmarks.scores import (
    AggregateScores,
    JobScores,
    own_fields,
    read_row_scores,
    row_scores_frame,
)
from airflow_provider_benchmarks.scores.equality import canonical, canonical_column
from airflow_provider_benchmarks.scores.frames import SCORE_COLUMNS
from airflow_provider_benchmarks.scores.rows import read_rows
from airflow_provider_benchmarks.scores.selected_rows import StoredItems, read_items, read_selected_rows
from airflow_provider_benchmarks.store import Place, RowFormat
from airflow_provider_benchmarks.store.partitions import store_partitions
from tests.support.stored_rows import line, store

NAMES = [
    *("q", "", "1", "a\n\t", "'=1", "item.q", "item.", "m", "w/m:m"),
    *("sample", "item.sample", "item.item.sample", "item.sample (2)", "row_index", "item.row_index", "metric_errors"),
    *("other_fields", "item.other_fields", "item.item.other_fields", "other_fields (2)", "\0other_fields"),
    *("\ud800", "\\ud800"),
]
NAN, INF = float("nan"), float("inf")
VALUES = [
    *(None, NAN, INF, True, False, 0, 1, 1.0, -0.0, 0.5, 2**53, 2**53 + 1, 2.0**53, 2**70, 1e300),
    *("", "1", "null", "NaN", "true", "[1]", "\ud800", "a\n"),
    *([], [1], [1.0], [True], [None], [NAN], {}, {"a": None}, {"a": 1, "b": [0.0]}, {"b": [-0.0], "a": 1.0}),
    {"a": {"sample": 1, "item.sample": [2]}},
]
ITEM = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=4)
#: Those that CSV gives back as they were, and that are no names of scores, which it does not tell from fields.
CSV_NAMES = [name for name in NAMES if "ud800" not in ascii(name) and name not in ("m", "w/m:m")]
CSV_VALUES = [None, "x", "y"]
CSV_ITEM = st.dictionaries(st.sampled_from(CSV_NAMES), st.sampled_from(CSV_VALUES), max_size=5)
SCORES = {"w/m": {"m": 1.0}}
AGGREGATE = AggregateScores.from_json(
    {"results": [{"metric": "w/m", "scores": [{"name": "m", "count": 6, "nan_count": 0, "mean": 1.0}]}]}
)


def spelled_anew(value):
    """An equal value: keys in another order, whole numbers as floats."""
    if isinstance(value, dict):
        return {name: spelled_anew(value[name]) for name in reversed(value)}
    if isinstance(value, list):
        return list(map(spelled_anew, value))
    return float(value) if type(value) is int and float(value) == value else value


@st.composite
def jobs(draw, item=ITEM):
    """The items of a job, some of which come twice, and of another whose items are equal to them or not."""
    ours = draw(st.lists(item, min_size=1, max_size=4))
    ours += [spelled_anew(each) for each in draw(st.lists(st.sampled_from(ours), max_size=2))]
    renamed = st.builds(
        lambda each, name: {**dict(list(each.items())[1:]), name: next(iter(each.values()), 1)},
        st.sampled_from(ours),
        st.sampled_from(NAMES),
    )
    theirs = [draw(st.sampled_from([each, spelled_anew(each)]) | item | renamed) for each in ours]
    return ours, theirs


def identity(item, but=None):
    """What tells an item: a missing value is as a field that is not there."""
    return canonical({k: v for k, v in item.items() if canonical(v) != "null" and k != but})


def frame_of(items, form, folder, name, fields=()):
    """Rows as a gate may get them."""
    lines = [line(at, item, SCORES) for at, item in enumerate(items)]
    if form == "rows":
        return row_scores_frame(read_rows(lines))
    path = Path(folder) / name
    if form == "numbers":
        return read_selected_rows(store(path, lines, batches=True).path, scores=["m"], fields=fields)
    if form == "partitions":
        lines = [line(at, {"part": str(at % 2), **item}, SCORES) for at, item in enumerate(items)]
        whole = store(path.with_suffix(".whole"), lines)
        store_partitions(Path(whole.path), Place(str(path)), fields=["part"], row_format=RowFormat(name="parquet"))
        return read_row_scores(path)
    frame = read_row_scores(store(path, lines, form, batches=form == "parquet").path)
    frame.attrs[SCORE_COLUMNS] = ["m"] if form == "csv" else frame.attrs[SCORE_COLUMNS]
    return frame


def pair_of(ours, theirs, forms, folder, *, by_field=False, fields=()):
    """The frames of two jobs; those of which only numbers are read have them."""
    frames = [
        frame_of(each, form, folder, name, fields) for each, form, name in zip((ours, theirs), forms, "ab", strict=True)
    ]
    if "numbers" in forms:
        files = [(JobScores(AGGREGATE, frames[at], job=name), Path(folder) / name) for at, name in enumerate("ab")]
        add_item_hashes(files, by_field=by_field)
    return frames


def groups(keys):
    """The number of each key, as pandas numbers them."""
    return [list(dict.fromkeys(keys)).index(key) for key in keys]


FORMS = st.tuples(*[st.sampled_from(["rows", "jsonl", "parquet"])] * 2) | st.sampled_from(
    [("numbers", "numbers"), ("partitions", "partitions")]
)
LIMITS = st.sampled_from([2000, 1])


@contextmanager
def at_most(fields):
    """With columns for so many fields of the items."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (own_fields, csv_others):
            for name in ("MOST_FIELDS", "MOST_LATER_FIELDS"):
                patch.setattr(module, name, fields, raising=False)
        yield


def check_pairs(ours, theirs, forms, most):
    same = [at for at, (one, other) in enumerate(zip(ours, theirs, strict=True)) if identity(one) == identity(other)]
    with at_most(most), tempfile.TemporaryDirectory() as folder:
        pairs = pair_rows(*pair_of(ours, theirs, forms, folder))
    assert pairs.candidate.index.tolist() == same
    keys = [identity(ours[at]) + (str(at % 2) if "partitions" in forms else "") for at in same]
    if set(keys) == {"{}"}:  # items without fields say nothing of one another
        keys = list(range(len(keys)))
    assert (list(range(len(keys))) if pairs.items is None else pairs.items.tolist()) == groups(keys)


@settings(max_examples=100, deadline=None)
@given(jobs=jobs(), forms=FORMS, most=LIMITS)
def test_pairs_are_those_of_equal_items(jobs, forms, most):
    check_pairs(*jobs, forms, most)


@settings(max_examples=50, deadline=None)
@given(jobs=jobs(CSV_ITEM), most=LIMITS)
def test_so_are_those_of_csv_as_far_as_it_knows_types(jobs, most):
    # The other job may have got other names and values.
    known = [[{k: v for k, v in each.items() if k in CSV_NAMES and v in CSV_VALUES} for each in job] for job in jobs]
    check_pairs(*known, ("csv", "csv"), most)


@settings(max_examples=50, deadline=None)
@given(jobs=jobs(), forms=FORMS, most=LIMITS, field=st.sampled_from(NAMES))
def test_items_but_for_a_field_are_equal_where_the_others_are(jobs, forms, most, field):
    ours, theirs = jobs
    if "partitions" in forms:
        forms = ("parquet", "jsonl")
    with at_most(most), tempfile.TemporaryDirectory() as folder:
        frames = pair_of(ours, theirs, forms, folder, by_field=True, fields=[field])
        found = np.concatenate([items_without(frame, field) for frame in frames]).tolist()
    assert groups(found) == groups([identity(each, field) for each in [*ours, *theirs]])


@settings(max_examples=50, deadline=None)
@given(
    items=st.lists(ITEM, min_size=1, max_size=4),
    form=st.sampled_from(["rows", "jsonl", "parquet", "partitions", "numbers"]),
    most=LIMITS,
    name=st.sampled_from(NAMES),
)
def test_a_name_of_a_field_finds_that_field_alone(items, form, most, name):
    with at_most(most), tempfile.TemporaryDirectory() as folder:
        frame = frame_of(items, form, folder, "rows", [name])
    wanted = [canonical(item.get(name)) for item in items]
    try:
        assert canonical_column(field_column(frame, name)).tolist() == wanted
    except ScoreNotFound:
        assert set(wanted) == {"null"}


@settings(max_examples=50, deadline=None)
@given(items=st.lists(ITEM, min_size=1, max_size=4), most=LIMITS)
def test_items_are_read_as_they_were(items, most):
    with at_most(most), tempfile.TemporaryDirectory() as folder:
        path = store(Path(folder) / "rows", [line(at, item) for at, item in enumerate(items)]).path
        found = read_items(path, range(len(items)))
    assert [identity(found[at]) for at in range(len(items))] == [identity(item) for item in items]


@pytest.mark.parametrize(
    ("one", "other"),
    [({"a": 1, "b": 2}, {"b": 2, "a": 1}), ([1], [1.0]), (0.0, -0.0), (NAN, None), ([NAN], [None])],
)
def test_equal_values_do_not_show_that_items_differ(tmp_path, one, other):
    import pyarrow.parquet as pq

    path = store(tmp_path / "rows", [line(at, {"x": x}) for at, x in enumerate((one, other, 0.5, ["y"])[:3])]).path
    said = json.loads(pq.read_metadata(path).metadata[b"benchmarks.items"])
    assert "all_differ" not in said


def test_numbers_and_texts_that_differ_do(tmp_path):
    import pyarrow.parquet as pq

    for values in ([0.0, 1.5, -1.5], ["a", "b", "c"], [1, 2, 3]):
        path = store(tmp_path / "rows", [line(at, {"x": x, "y": [1]}) for at, x in enumerate(values)]).path
        assert json.loads(pq.read_metadata(path).metadata[b"benchmarks.items"])["all_differ"] is True


@pytest.mark.parametrize("field", ["sample", "other_fields", "late"])
@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_the_worst_items_are_those_of_the_dataset(tmp_path, field, form):
    items = [{"q": at // 2, field: at % 2} for at in range(8)]
    with at_most(1):
        frames = [frame_of(items, form, tmp_path, name) for name in "ab"]
    frames[0]["m"] = 0.0
    worst = worst_rows(pair_rows(*frames).scores("m", "m", None)[0], higher_is_better=True)
    assert [row["item"] for row in worst] == items
    pairs = pair_items(*frames, (), Repeats(field))
    worst = worst_rows(pairs.scores("m", "m", None)[0], higher_is_better=True)
    assert [row["item"] for row in worst] == [{"q": at} for at in range(4)]


@pytest.mark.parametrize("is_read", [True, False])
def test_repeats_are_named_by_the_field_that_numbers_them(tmp_path, is_read):
    from airflow_provider_benchmarks.gates.row_values import item_columns
    from airflow_provider_benchmarks.scores.unnoticed_repeats import UnnoticedRepeats, find_repeats

    items = [{"q": f"q{at // 4}", "x": at // 4, "sample": at % 4} for at in range(200)]
    frame = frame_of(items, "numbers" if is_read else "jsonl", tmp_path, "rows")
    found = UnnoticedRepeats.from_json(frame.attrs["repeats"]) if is_read else find_repeats(frame, item_columns(frame))
    assert found == UnnoticedRepeats("sample", 50, 4, "number")


def test_numbers_that_python_takes_for_others_are_no_repeats():
    import pandas as pd

    from airflow_provider_benchmarks.scores.unnoticed_repeats import find_repeats

    # Python's hash of -1 is that of -2, and true is 1.
    for one, other in ((-1, -2), (True, 1)):
        rows = pd.DataFrame({"q": np.arange(100) // 2, "x": pd.Series([one, other] * 50, dtype=object)})
        rows["y"] = rows["q"] + 1
        assert find_repeats(rows, ["q", "x", "y"]).field == "x"


def test_a_file_of_before_is_read_by_the_names_of_its_columns(tmp_path):
    """Without the fields' names, and with the first name of the column of all others."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def older(name, metadata, values):
        return pa.field(name, pa.array(values).type, metadata=metadata), pa.array(values)

    columns = [
        older("row_index", None, [0]),
        older("item.sample", None, ["x"]),
        older("item.row_index", {"benchmarks.field": '"item.row_index"'}, ["y"]),
        older("other_fields", {"benchmarks.field": '"\\u0000other_fields"', "benchmarks.json": "1"}, ['{"z": 1}']),
        older("metric_errors", {"benchmarks.json": "1"}, [None]),
    ]
    schema = pa.schema([field for field, _ in columns], metadata={"benchmarks.score_columns": "[]"})
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_arrays([values for _, values in columns], schema=schema), path)
    assert StoredItems(path).read([0]) == {0: {"sample": "x", "item.row_index": "y", "z": 1}}
    frame = read_row_scores(path)
    for name, value in (("sample", "x"), ("item.row_index", "y"), ("z", 1)):
        assert field_column(frame, name).tolist() == [value]
    for name in ("item.sample", "row_index", "other_fields"):
        with pytest.raises(ScoreNotFound):
            field_column(frame, name)
