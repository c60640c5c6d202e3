"""Which rows are the same, in whatever form two jobs are stored: exact values decide."""

from __future__ import annotations

import json

import pytest

from airflow_provider_benchmarks.gates import NoRegression
from airflow_provider_benchmarks.gates.run import run_gate
from airflow_provider_benchmarks.gates.sources import FolderSource
from airflow_provider_benchmarks.store import Place, RowFormat, store_rows

BIG = 2**53
ROWS = 60
FORMATS = ("parquet", "jsonl")
#: What two jobs have in the place of an id, and whether it is the same.
IDS = {
    "large numbers": (lambda i: BIG + 4 * i, lambda i: BIG + 4 * i + 1, False),
    "large numbers beside a missing one": (
        lambda i: BIG + 4 * i if i else None,
        lambda i: BIG + 4 * i + 1 if i else None,
        False,
    ),
    "the same large numbers beside a missing one": (
        lambda i: BIG + 4 * i if i else None,
        lambda i: BIG + 4 * i if i else None,
        True,
    ),
    "whole numbers as floats": (lambda i: i, lambda i: float(i), True),
    "whole numbers beside a fraction": (lambda i: i if i else 0.5, lambda i: float(i) if i else 0.5, True),
    "a missing number on one side only": (lambda i: i, lambda i: i if i else None, 1),
    "a list in one row": (lambda i: f"t{i}", lambda i: f"t{i}" if i else ["t0"], 1),
    "keys in another order": (lambda i: {"a": i, "b": 1}, lambda i: {"b": 1, "a": i}, True),
    "numbers as text": (lambda i: i, lambda i: str(i), False),
    "true for 1": (lambda i: 1 if i == 1 else i + 2, lambda i: True if i == 1 else i + 2, 1),
}


def stored(folder, ids, form):
    """A job with such ids, stored as files."""
    folder.mkdir()
    values = [float(i % 5 > 0) for i in range(ROWS)]
    lines = [
        json.dumps(
            {"row_index": i, "item": {"id": ids(i)}, "sample": {}, "metrics": {"w/m": [{"name": "m", "value": value}]}}
        ).encode()
        + b"\n"
        for i, value in enumerate(values)
    ]
    store_rows(lines, Place(str(folder / f"row-scores.{form}")), row_format=RowFormat(name=form))
    score = {
        "name": "m",
        "count": ROWS,
        "nan_count": 0,
        "mean": 0.8,
        "std_dev": 0.4,
        "variance": 0.16,
        "min": 0,
        "max": 1,
    }
    (folder / "aggregate-scores.json").write_text(json.dumps({"results": [{"metric": "w/m", "scores": [score]}]}))
    return str(folder)


@pytest.mark.parametrize("forms", [(one, other) for one in FORMATS for other in FORMATS], ids="-".join)
@pytest.mark.parametrize("key", ["id", None])
@pytest.mark.parametrize("ids", IDS.values(), ids=list(IDS))
def test_rows_pair_by_exact_values(tmp_path, ids, key, forms):
    mine, theirs, same = ids
    paths = stored(tmp_path / "candidate", mine, forms[0]), stored(tmp_path / "baseline", theirs, forms[1])
    checks = [NoRegression("m", margin=0.05, key=key, max_unpaired=1)]
    source = FolderSource(checks=checks, candidate_path=paths[0], baseline_paths={"": paths[1]})
    (result,) = run_gate(checks, source).results
    others = 0 if same is True else ROWS if same is False else same
    # The one row without an id pairs with the other one.
    pairs = ROWS - others if others < ROWS or mine(0) is not None else 1
    assert result.details["pairs"] == pairs
    assert result.outcome == ("pass" if pairs > 1 else "fail")
