"""What a Parquet file says of its items: the same for the same items however they came, and never a wrong promise."""

from __future__ import annotations

import json
import string
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.formats import item_digest
from airflow_provider_benchmarks.formats.item_digest import _signatures
from airflow_provider_benchmarks.scores.selected_rows import number_items
from airflow_provider_benchmarks.store import Place, RowFormat, store_rows

#: Of numpy and pandas, and not of sockets that another test in this process has left for Python to collect.
pytestmark = [
    pytest.mark.filterwarnings(f"error::{kind}") for kind in ("RuntimeWarning", "FutureWarning", "DeprecationWarning")
]


def stored(path: Any, items: list[dict[str, Any]], *, score: float = 1.0, pieces: int = 1) -> str:
    lines = b"".join(
        json.dumps({"row_index": at, "item": item, "metrics": {"w/m": [{"name": "m", "value": score}]}}).encode()
        + b"\n"
        for at, item in enumerate(items)
    )
    size = -(-len(lines) // pieces)
    cut = [lines[at : at + size] for at in range(0, len(lines), size)]
    return store_rows(cut, Place(str(path)), row_format=RowFormat(name="parquet")).path


def said_of(path: str) -> dict[str, Any]:
    return json.loads(pq.read_metadata(path).metadata[b"benchmarks.items"])


ITEMS = [{"question": f"How much is {n} and {n}?", "answer": 2 * n, "kind": "sum"} for n in range(3000)]


def test_the_same_items_have_the_same_digest_however_they_came_and_were_scored(tmp_path) -> None:
    one = stored(tmp_path / "one.parquet", ITEMS)
    other = stored(tmp_path / "other.parquet", ITEMS, score=0.5, pieces=700)

    assert said_of(one) == said_of(other)
    assert said_of(one)["all_differ"] is True


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda items: items[:-1], id="a row less"),
        pytest.param(lambda items: [*items[:9], {**items[9], "answer": 0}, *items[10:]], id="another number"),
        pytest.param(lambda items: [*items[:9], {**items[9], "kind": "sun"}, *items[10:]], id="another text"),
        pytest.param(lambda items: [*items[:9], {**items[9], "kind": None}, *items[10:]], id="a value less"),
        pytest.param(lambda items: [items[1], items[0], *items[2:]], id="another order"),
        pytest.param(lambda items: [{**item, "more": 1} for item in items], id="a further field"),
        pytest.param(lambda items: [{**item, "answer": str(item["answer"])} for item in items], id="another type"),
        pytest.param(
            lambda items: [
                {"question": i["question"][:-1], "answer": i["answer"], "kind": "?" + i["kind"]} for i in items
            ],
            id="a character moved to another field",
        ),
    ],
)
def test_other_items_have_another_digest(tmp_path, change) -> None:
    one, other = stored(tmp_path / "one.parquet", ITEMS), stored(tmp_path / "other.parquet", change(ITEMS))

    assert said_of(one)["digest"] != said_of(other)["digest"]


def test_rows_whose_types_change_on_the_way_have_a_digest_too(tmp_path) -> None:
    many = [{"question": f"How much is {n}?" * 9, "answer": n} for n in range(9000)]  # more than one block
    mixed = [*many[:8990], *({**item, "answer": f"many: {item['answer']}"} for item in many[8990:])]

    one, other = (stored(tmp_path / f"{score}.parquet", mixed, score=score) for score in (0.0, 1.0))

    assert pq.read_schema(one).field("answer").metadata[b"benchmarks.json"] == b"1"
    assert said_of(one) == said_of(other)
    assert said_of(one)["all_differ"] is True
    assert said_of(one)["digest"] != said_of(stored(tmp_path / "many.parquet", many))["digest"]


def test_an_item_that_comes_twice_is_not_promised_to_be_distinct(tmp_path) -> None:
    path = stored(tmp_path / "rows.parquet", [*ITEMS, ITEMS[17]])

    assert "all_differ" not in said_of(path)
    (numbers,) = number_items([path])
    assert numbers[17] == numbers[3000]
    assert len(set(numbers.tolist())) == 3000


def test_an_item_is_found_to_come_twice_however_far_apart(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(item_digest, "_SIGNATURE_ROWS", 100)  # 31 parts

    assert said_of(stored(tmp_path / "once.parquet", ITEMS))["all_differ"] is True
    for again in (0, 1499, 2999):
        assert "all_differ" not in said_of(stored(tmp_path / f"{again}.parquet", [*ITEMS, ITEMS[again]]))


def test_files_of_the_same_items_get_the_same_numbers_without_reading_them(tmp_path) -> None:
    paths = [stored(tmp_path / f"{score}.parquet", ITEMS, score=score) for score in (0.0, 1.0)]

    first, second = number_items(paths)

    assert first.tolist() == second.tolist() == list(range(3000))


def test_files_of_which_one_says_nothing_are_compared_item_by_item(tmp_path) -> None:
    known = stored(tmp_path / "known.parquet", ITEMS)
    table = pq.read_table(known)
    metadata = {key: value for key, value in table.schema.metadata.items() if key != b"benchmarks.items"}
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "unknown.parquet")

    first, second = number_items([known, tmp_path / "unknown.parquet"])

    assert first.tolist() == second.tolist()
    assert len(set(first.tolist())) == 3000


@given(
    st.lists(st.text(alphabet=string.ascii_letters + "é€😀\0", max_size=40), min_size=1)
    | st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1)
    | st.lists(st.floats(allow_nan=False), min_size=1)
)
def test_equal_values_have_equal_signatures_wherever_they_stand(values: list[Any]) -> None:
    import pyarrow as pa

    twice = _signatures(pa.array([*values, *reversed(values)]))

    assert twice[: len(values)].tolist() == twice[len(values) :][::-1].tolist()


@given(st.lists(st.text(alphabet="ab", max_size=24), min_size=1, unique=True))
def test_texts_of_up_to_24_bytes_that_differ_have_signatures_that_differ(values: list[str]) -> None:
    import pyarrow as pa

    assert len(set(_signatures(pa.array(values)).tolist())) == len(values)
