"""What is read by the decoder for uniform rows must be what is read in general."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.scores.columns import Columns
from airflow_provider_benchmarks.scores.completeness import RowCheck
from airflow_provider_benchmarks.scores.row_decoder import RowDecoder, columns_of, decode_rows


def row(index: int | None, item: Any, **scores: Any) -> dict[str, Any]:
    metrics = {f"ws/{name}": [{"name": name, "value": value}] for name, value in scores.items()}
    return {"row_index": index, "item": item, "sample": {"n": index}, "metrics": metrics, "metric_errors": None}


def block(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def filled(columns: Columns) -> dict[str, Any]:
    """The columns that hold anything, in any order: a known shape has its columns even without a value in a block."""

    def held(named: dict[Any, list[Any]]) -> str:
        return repr(sorted((k, v) for k, v in named.items() if set(map(type, v)) != {type(None)}))

    return {
        "rows": columns.rows,
        "row_index": columns.row_index,
        "items": held(columns.items),
        "scores": held(columns.scores),
        "errors": columns.metric_errors,
        "sample": columns.sample,
    }


def read_both_ways(blocks: list[bytes]) -> tuple[list[Any], list[Any]]:
    reader, check, general = RowDecoder(with_sample=True), RowCheck(), RowCheck()
    uniform = [filled(reader.decode(block, check)) for block in blocks]
    return uniform, [filled(columns_of(decode_rows(block, general), with_sample=True)) for block in blocks]


SECOND_BLOCKS = {
    "more of the same": row(1, {"q": "b", "n": 2}, match=0.5),
    "a new field": row(1, {"q": "b", "n": 2, "new": [1]}, match=0.5),
    "a missing field": row(1, {"q": "b"}, match=0.5),
    "another type": row(1, {"q": 7, "n": "x"}, match="label"),
    "no item": row(1, None, match=0.5),
    "NaN in words": row(1, {"q": "b", "n": 2}, match="NaN"),
    "a bare NaN": row(1, {"q": "b", "n": 2}, match=float("nan")),
    "a new metric": row(1, {"q": "b", "n": 2}, match=0.5, other=1),
    "a missing metric": row(1, {"q": "b", "n": 2}),
    "no row index": row(None, {"q": "b", "n": 2}, match=0.5),
    "a quotation mark in a name": row(1, {'q"': "b"}, **{'mat"ch': 0.5}),
    "errors": {**row(1, {"q": "b", "n": 2}, match=None), "metric_errors": {"ws/match": "no answer"}},
    "a new score": {
        **row(1, {"q": "b", "n": 2}),
        "metrics": {"ws/match": [{"name": "match", "value": 1}, {"name": "strict", "value": 0}]},
    },
    "another score": {**row(1, {"q": "b", "n": 2}), "metrics": {"ws/match": [{"name": "strict", "value": 0}]}},
    "no scores": {**row(1, {"q": "b", "n": 2}), "metrics": {"ws/match": []}},
}


@pytest.mark.parametrize("second", SECOND_BLOCKS.values(), ids=SECOND_BLOCKS.keys())
def test_nothing_is_lost_that_the_first_block_did_not_have(second):
    first = row(0, {"q": "a", "n": 1}, match=1.0)
    blocks = [block(first), block(second), block(second | {"row_index": 2}), block(first | {"row_index": 3})]
    if second["row_index"] is None:
        blocks = [block(first | {"row_index": None}), block(second)]
    uniform, general = read_both_ways(blocks)
    assert uniform == general


def test_a_score_that_stands_twice_is_an_error_in_both_ways():
    reader, check = RowDecoder(), RowCheck()
    reader.decode(block(row(0, {"q": "a"}, match=1.0)), check)
    twice = row(1, {"q": "a"}) | {"metrics": {"ws/match": [{"name": "match", "value": 1}] * 2}}
    with pytest.raises(IncompleteResults, match='"match" of ws/match stands twice in row 1'):
        reader.decode(block(twice), check)


def test_a_line_that_is_no_row_is_an_error_with_its_number():
    reader, check = RowDecoder(), RowCheck()
    reader.decode(block(row(0, {"q": "a"}, match=1.0)), check)
    with pytest.raises(IncompleteResults, match="row 3"):
        reader.decode(block(row(1, {"q": "a"}, match=1.0)) + b"{}\n", check)


VALUES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5)
ITEMS = st.dictionaries(
    st.sampled_from(["a", "b", "é", 'c"', "match"]), VALUES | st.lists(VALUES, max_size=2), max_size=4
)
SCORES = st.dictionaries(st.sampled_from(["match", "bleu"]), VALUES, max_size=2)


@given(st.lists(st.lists(st.tuples(ITEMS, SCORES), min_size=1, max_size=4), min_size=1, max_size=5))
def test_both_ways_agree_on_any_rows(parts):
    numbers = iter(range(100))
    uniform, general = read_both_ways(
        [block(*(row(next(numbers), item, **scores) for item, scores in part)) for part in parts]
    )
    assert uniform == general
