"""What databases refuse is replaced visibly, and nothing else is changed."""

from __future__ import annotations

import json
import math
import pickle
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks import exceptions
from airflow_provider_benchmarks.exceptions import BenchmarkError, ServiceError
from airflow_provider_benchmarks.operators.gates import GateFailed, GateInconclusive
from airflow_provider_benchmarks.storable import storable, storable_text

try:
    from airflow.sdk.serde import serialize
except ImportError:  # Airflow before 3.2
    from airflow.serialization.serde import serialize  # type: ignore[no-redef]

REFUSED = re.compile("[\0\ud800-\udfff]")


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("a\0b", "a␀b"),
        ("a\ud800b\udc00", "a�b�"),
        ("\ud83d\ude00", "😀"),
        ("plain ä 😀 ␀ �", "plain ä 😀 ␀ �"),
        ({"a\0": {"b\udfff": ["\0", ("\0",)]}}, {"a␀": {"b�": ["␀", ["␀"]]}}),
        (math.nan, None),
        ([math.inf, -math.inf, 1e400, 1e308, 5e-324, -0.0], [None, None, None, 1e308, 5e-324, -0.0]),
        ([2**63, 2**64 - 1, -(2**63), 2**53 + 1], [2**63, 2**64 - 1, -(2**63), 2**53 + 1]),
        ([2**64, -(2**63) - 1], ["18446744073709551616", "-9223372036854775809"]),
        (10**399, "1" + "0" * 399),
        ([10**5000], [f"a whole number of {(10**5000).bit_length()} bits"]),
        ([True, False, None], [True, False, None]),
    ],
)
def test_what_is_refused_is_replaced(value, stored):
    found = storable(value)
    assert found == stored
    assert json.dumps(found) == json.dumps(stored)  # 1 and True differ here


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ({"a\0": 1, "a␀": 2}, {"a␀ (2)": 1, "a␀": 2}),
        ({"a␀": 2, "a\0": 1}, {"a␀": 2, "a␀ (2)": 1}),
        (
            dict(zip(["\ud800", "\udc00", "�", "� (2)"], range(4), strict=True)),
            {"� (3)": 0, "� (4)": 1, "�": 2, "� (2)": 3},
        ),
        ({"__classname__": "os.system", "__type": "dict", "__var": 1}, None),
    ],
)
def test_keys_that_would_become_equal_lose_no_entry(value, stored):
    found = storable(value)
    assert list(found.values()) == list(value.values())
    assert stored is None or found == stored


def test_a_key_that_airflow_takes_for_its_own_is_renamed():
    assert storable({"__classname__": "x", "__id__": 1, "__type": "dict", "__var": {}}) == {
        "__classname__ (reserved)": "x",
        "__id__ (reserved)": 1,
        "__type (reserved)": "dict",
        "__var": {},
    }


texts = st.text(st.characters(codec=None, categories=None) | st.sampled_from("\0\ud800\udc00␀�"), max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.just("__classname__"), inner, max_size=4),
    max_leaves=10,
)


@given(values)
def test_what_is_storable_passes_every_encoder_on_the_way_and_remains_so(value):
    found = storable(value)
    assert not REFUSED.search(json.loads(json.dumps(json.dumps(found, ensure_ascii=False, allow_nan=False))))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found)) == found
    serialize(found)
    assert storable(found) == found
    assert _entries(found) == _entries(value)


@given(st.text())
def test_a_text_that_any_database_takes_is_not_touched(text):
    assert storable_text(text) == text.replace("\0", "␀")


def _entries(value):
    if isinstance(value, dict):
        return len(value) + sum(map(_entries, value.values()))
    return sum(map(_entries, value)) if isinstance(value, list | tuple) else 0


@pytest.mark.parametrize(
    "kind",
    [
        *(each for each in vars(exceptions).values() if isinstance(each, type) and issubclass(each, BenchmarkError)),
        GateFailed,
        GateInconclusive,
    ],
)
def test_the_message_of_an_error_is_storable_text(kind):
    error = kind("item a\0b, \ud800")
    assert str(error) == "item a␀b, �"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_an_error_keeps_its_fields_when_it_is_reworded():
    error = ServiceError("x", job="j", status_code=404).reworded("y\0")
    assert (str(error), error.job, error.status_code) == ("y␀", "j", 404)
