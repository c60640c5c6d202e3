"""Which rows look like repeats of items, and which field numbers them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from airflow_provider_benchmarks.scores.unnoticed_repeats import RepeatSample, UnnoticedRepeats, find_repeats


def found_in(items):
    frame = pd.DataFrame(items)
    return find_repeats(frame, list(frame.columns))


def product(items, repeats, **fields):
    return [{name: make(i, s) for name, make in fields.items()} for i in range(items) for s in range(repeats)]


QUESTION = {"q": lambda i, s: f"question {i}", "part": lambda i, s: i % 5}
SEED = {"seed": lambda i, s: s}


@pytest.mark.parametrize(
    ("items", "wanted"),
    [
        (product(100, 10, **QUESTION, **SEED), ("seed", 100, 10, "number")),
        (product(20, 32, q=lambda i, s: i, **SEED), ("seed", 20, 32, "number")),
        (product(100, 2, **QUESTION, number=lambda i, s: s), ("number", 100, 2, "number")),
        (product(100, 10, **QUESTION, uuid=lambda i, s: f"{i * 17 + s * 7919}"), ("uuid", 100, 10, "all")),
        (product(100, 10, id=lambda i, s: f"q{i}-{s}", **QUESTION), ("id", 100, 10, "all")),
        (product(100, 10, id=lambda i, s: f"q{i}-{s}"), ("id", 100, 10, "prefix")),
        (
            product(30, 10, q=lambda i, s: i, random_seed=lambda i, s: f"{i * 17 + s * 7919}"),
            ("random_seed", 30, 10, "all"),
        ),
        (product(200, 20, **QUESTION, uuid=lambda i, s: f"{i * 17 + s * 7919}"), ("uuid", 200, 20, "all")),
        (product(100, 10, q=lambda i, s: f"question {i}"), ("", 100, 10, "copies")),
        ([{"q": i // 2, "x": [1, {"a": None}]} for i in range(100)], ("", 50, 2, "copies")),
        (product(100, 10, id=lambda i, s: f"q{i}/{s}", part=lambda i, s: i % 5), ("id", 100, 10, "prefix")),
    ],
)
def test_repeats_are_found(items, wanted):
    assert found_in(items) == UnnoticedRepeats(*wanted)
    shuffled = np.random.default_rng(1).permutation(len(items))
    assert found_in([items[place] for place in shuffled]) == UnnoticedRepeats(*wanted)


@pytest.mark.parametrize(
    "items",
    [
        product(1000, 1, **QUESTION),
        product(1000, 1, id=lambda i, s: f"mmlu-{i}"),
        product(1000, 1, id=lambda i, s: i, part=lambda i, s: i % 5),
        product(1000, 1, id=lambda i, s: f"subject{i % 57}-{i // 57}", q=lambda i, s: f"question {i}"),
        product(100, 4, src=lambda i, s: f"text {i}", lang=lambda i, s: ["de", "fr", "es", "it"][s]),
        product(200, 2, s=lambda i, s: f"text {i}", target=lambda i, s: s),
        product(20, 20, depth=lambda i, s: i, length=lambda i, s: s),
        product(20, 20, subject=lambda i, s: f"s{i}", question=lambda i, s: f"{i} {s}"),
        product(20, 20, id=lambda i, s: f"s{i}-{s}"),
        product(57, 20, id=lambda i, s: f"s{i}-{s}"),
        product(4, 50, q=lambda i, s: f"s{i}"),
        product(20, 20, subject=lambda i, s: f"s{i}"),
        product(9, 2, **QUESTION, **SEED),
        [{}] * 100,
    ],
)
def test_others_are_none(items):
    assert found_in(items) is None


def test_missing_values_are_equal():
    items = [{**item, "x": float("nan")} for item in product(100, 10, **QUESTION, **SEED)]
    sample = RepeatSample()
    sample.add(len(items), lambda places: {name: [items[p][name] for p in places] for name in items[0]})
    assert sample.find() == UnnoticedRepeats("seed", 100, 10, "number")


def test_a_hint_says_how_to_name_them():
    assert found_in(product(100, 10, **QUESTION, **SEED)).hint == (
        'each of 100 items seems to come 10 times, numbered by seed: name it with repeat_by="seed"'
    )
    assert found_in(product(100, 2, **QUESTION, number=lambda i, s: s)).hint == (
        "each of 100 items seems to come 2 times: if rows that differ in number alone are repeats, name it with "
        'repeat_by="number"; if they belong together in another way, name the field that they share with cluster_by='
    )
    assert 'repeat_by="sample"' in UnnoticedRepeats("sample", 3, 20, "number").hint
    assert "cluster_by=" in found_in(product(100, 10, id=lambda i, s: f"q{i}-{s}")).hint


@pytest.mark.parametrize(("items", "repeats"), [(30_000, 2), (10_000, 10), (60_000, 1)])
@pytest.mark.parametrize("order", ["by item", "by repeat"])
def test_of_many_rows_a_sample_is_enough(items, repeats, order):
    numbers = np.arange(items * repeats)
    item, seed = (numbers // repeats, numbers % repeats) if order == "by item" else (numbers % items, numbers // items)
    found = find_repeats(pd.DataFrame({"q": item, "x": item % 7, "seed": seed}), ["q", "x", "seed"])
    if repeats == 1:
        assert found is None
    else:
        assert (found.field, found.kind) == ("seed", "number")
        assert found.items == pytest.approx(items, rel=0.5)


def test_it_does_not_matter_how_rows_are_cut_into_batches():
    rows = [{"q": i // 2, "seed": i % 2} for i in range(50_000)]

    def found(size):
        sample = RepeatSample()
        for first in range(0, len(rows), size):
            batch = rows[first : first + size]
            sample.add(len(batch), lambda places, of=batch: {k: [of[p][k] for p in places] for k in ("q", "seed")})
        return sample.find()

    assert found(50_000) == found(4_321) == found(333)
    assert found(50_000).field == "seed"
