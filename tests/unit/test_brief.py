"""What messages show of values and names that others chose."""

from __future__ import annotations

import pytest

from airflow_provider_benchmarks.brief import did_you_mean


@pytest.mark.parametrize(
    ("name", "names", "meant"),
    [
        ("acuracy", ["f1", "accuracy"], "accuracy"),
        ("F1", ["f1", "accuracy"], "f1"),
        ("latency", ["f1", "accuracy"], ""),
        ("f1", [], ""),
        (None, ["f1"], ""),
        ("f1", [1, "f1"], "f1"),
        ("x" * 101, ["x" * 100], ""),
        ("x" * 100, ["x" * 101], ""),
        ("accuracy", (f"accurac{i}" for i in range(10_000)), "accurac9"),
    ],
)
def test_did_you_mean(name, names, meant):
    assert did_you_mean(name, names) == (f'. Did you mean "{meant}"?' if meant else "")
