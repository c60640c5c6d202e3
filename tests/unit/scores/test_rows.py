from __future__ import annotations

import json
import math

import pytest

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores import RowScore
from airflow_provider_benchmarks.scores.rows import read_rows
from airflow_provider_benchmarks.store import Place, RowFormat, store_rows


def rows_of(content: bytes) -> list[RowScore]:
    return list(read_rows(content.split(b"\n")))


def line(**fields) -> bytes:
    return json.dumps({"row_index": 0, "item": {}, "metrics": {}, **fields}).encode()


def test_rows_of_a_job(recorded):
    rows = rows_of(recorded(38))
    assert [row.row_index for row in rows] == [0, 1, 2, 3, 4]
    assert rows[2].item["input"] == "Color of sky?"
    assert rows[2].metrics == {
        "my-workspace/exact-match": {"exact-match": 1},
        "my-workspace/string-check": {"string-check": 1.0},
    }
    assert rows[2].sample == {}


def test_the_word_nan_is_a_nan(recorded):
    values = [row.metrics["my-workspace/judge-garbage"]["quality"] for row in rows_of(recorded(100))]
    assert all(isinstance(value, float) and math.isnan(value) for value in values)


def test_labels_and_their_absence(recorded):
    rows = rows_of(recorded(136))
    assert rows[0].metrics["my-workspace/judge"]["correct.label"] == "no"
    assert "correct.label" not in rows[2].metrics["my-workspace/judge"]
    assert rows[3].metrics["my-workspace/judge"]["correct.label"] == ""


def test_odd_items_stay_as_they_are(recorded):
    item = rows_of(recorded(122))[0].item
    assert item["big"] == 123456789012345678901234567890
    assert item[""] == "empty key"
    assert item["metrics"] == "clash"
    assert item["output"] == "\0nul \u2028 sep"


@pytest.mark.parametrize("value", [0, 1.5, True, None, "label", "", [1, "a"], {"nested": [None]}, 10**30])
def test_a_value_may_be_any_json(value):
    row = RowScore.from_json(line(metrics={"w/m": [{"name": "s", "value": value}]}))
    assert row.metrics["w/m"]["s"] == value
    assert type(row.metrics["w/m"]["s"]) is type(value)


def test_bare_nan_and_infinity_are_taken():
    row = RowScore.from_json(
        b'{"item": {}, "metrics": {"w/m": [{"name": "s", "value": NaN}, {"name": "t", "value": -Infinity}]}}'
    )
    assert math.isnan(row.metrics["w/m"]["s"])
    assert row.metrics["w/m"]["t"] == -math.inf
    assert row.row_index is None


def test_a_row_goes_back_to_json(recorded):
    for row, original in zip(rows_of(recorded(97)), recorded(97).splitlines(), strict=True):
        assert row.to_dict() == json.loads(original)


def test_nan_goes_back_as_null():
    row = RowScore.from_json(line(metrics={"w/m": [{"name": "s", "value": "NaN"}]}))
    assert row.to_dict()["metrics"] == {"w/m": [{"name": "s", "value": None}]}


def test_the_error_line_of_a_damaged_file_is_a_failure(recorded):
    rows = read_rows(recorded(171).splitlines())
    assert [next(rows).row_index, next(rows).row_index] == [0, 1]
    with pytest.raises(IncompleteResults, match="damaged at line 3: JSONDecodeError: Unterminated string"):
        next(rows)


def test_rows_that_lack_a_field_of_the_service_are_not_damaged():
    message = "1 validation error for RowScore\nsample\n  Field required"
    end = json.dumps({"error": {"type": "ValidationError", "line": 1, "message": message}}).encode()
    with pytest.raises(IncompleteResults) as caught:
        RowScore.from_json(end)
    told = str(caught.value)
    assert told.startswith("the service can't read its own row scores from line 1 on, as rows lack a field")
    assert "sample" in told
    assert "a download to a destination, need no such field" in told
    assert "Run the job again" not in told


def test_an_item_named_error_is_a_row():
    assert RowScore.from_json(line(item={"error": {"line": 1}})).item == {"error": {"line": 1}}


@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b"[]",
        b"1",
        b'{"item": {}}',
        b"\xff",
        line(item=["a"]),
        line(metrics={"w/m": {"s": 1}}),
        line(metrics={"w/m": [{"value": 1}]}),
        line(metrics={"w/m": [{"name": "s", "value": 1}, {"name": "s", "value": 2}]}),
    ],
)
def test_what_is_not_a_row_is_refused_with_its_line_number(bad):
    with pytest.raises(IncompleteResults, match="line 3: "):
        list(read_rows([line(), b"", bad]))


DEEP = b"[" * 5000 + b"]" * 5000
ROW = b'{"row_index":1,"item":{"a":%s},"sample":%s,"metrics":{"w/m":[{"name":"m","value":%s}]}}\n'


@pytest.mark.parametrize("format", ["jsonl", "parquet", "csv"])
@pytest.mark.parametrize("place", range(4))
def test_what_is_nested_too_deeply_is_no_row(tmp_path, format, place):
    parts = [b"1"] * 3
    parts[place % 3] = DEEP
    lines = [ROW % (b"1", b"1", b"1"), DEEP if place == 3 else ROW % tuple(parts)]
    with pytest.raises(IncompleteResults, match="row 2: .*nested too deeply") as caught:
        store_rows([b"".join(lines)], Place(str(tmp_path / "rows")), row_format=RowFormat(name=format))
    assert len(str(caught.value)) < 500
