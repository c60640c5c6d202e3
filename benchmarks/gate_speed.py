"""Compare the time that gates of ten checks take with reading the scores: ``python benchmarks/gate_speed.py``.

Two jobs of a million rows each, with the same items, are stored as Parquet once. Then each way runs in a process of its
own, timed after its imports.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from generate_rows import METRICS, write_rows
from measuring import Way, in_turn, markdown, peak_megabytes

from airflow_provider_benchmarks.gates import Check, NoRegression, Threshold
from airflow_provider_benchmarks.gates.run import run_gate
from airflow_provider_benchmarks.gates.sources import FolderSource

ROUNDS = 5


def plain_checks() -> list[Check]:
    """Ten checks on two scores."""
    return [
        check
        for metric in METRICS
        for check in (
            Threshold(metric, at_least=0.6, confidence=0.95),
            Threshold(metric, statistic="nan_fraction", at_most=0.01),
            NoRegression(metric, margin=0.01),
            NoRegression(metric, margin=0.01, higher_is_better=False),
            NoRegression(metric, margin=0.01, mode="prove"),
        )
    ]


def sliced_checks() -> list[Check]:
    """Ten checks of which four look at slices, 14 comparisons in all."""
    return [
        check
        for metric in METRICS
        for check in (
            Threshold(metric, at_least=0.6, confidence=0.95),
            Threshold(metric, at_least=0.6, where={"difficulty": 4}),
            NoRegression(metric, margin=0.01),
            NoRegression(metric, margin=0.01, mode="prove"),
            NoRegression(metric, margin=0.02, by="difficulty"),
        )
    ]


def read(folder: Path) -> None:
    import pandas as pd

    for side in ("candidate", "baseline"):
        frame = pd.read_parquet(folder / side / "row-scores.parquet", columns=["row_index", *METRICS.values()])
        assert len(frame)


def gate(folder: Path, checks: list[Check]) -> None:
    paths = {"candidate_path": str(folder / "candidate"), "baseline_paths": {"": str(folder / "baseline")}}
    verdict = run_gate(checks, FolderSource(checks=checks, **paths))
    assert len(verdict.results) >= 10
    assert not any("pair" in result.reason for result in verdict.results)


WAYS: dict[str, Callable[[Path], None]] = {
    "reading the score columns": read,
    "a gate of 10 checks": lambda folder: gate(folder, plain_checks()),
    "a gate of 10 checks, 4 on slices": lambda folder: gate(folder, sliced_checks()),
}


def prepare(folder: Path, rows: int) -> None:
    """Store two jobs as a score store would."""
    from airflow_provider_benchmarks.store import Place, RowFormat, store_rows

    for seed, side in enumerate(("candidate", "baseline"), 1):
        (folder / side).mkdir()
        lines = folder / "rows.jsonl"
        aggregate = write_rows(lines, rows, seed=seed)
        for metric in aggregate["results"]:
            for score in metric["scores"]:
                variance = score["mean"] * (1 - score["mean"])
                score |= {"min": 0.0, "max": 1.0, "variance": variance, "std_dev": variance**0.5}
        (folder / side / "aggregate-scores.json").write_text(json.dumps(aggregate))
        with lines.open("rb") as file:
            pieces = iter(lambda: file.read(1024 * 1024), b"")
            store_rows(pieces, Place(str(folder / side / "row-scores.parquet")), row_format=RowFormat(name="parquet"))
        lines.unlink()


def measure(name: str, folder: Path) -> dict[str, Any]:
    import fsspec.implementations.local  # noqa: F401
    import pandas as pd  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    import airflow_provider_benchmarks.gates.statistics
    import airflow_provider_benchmarks.scores.selected_rows  # noqa: F401

    started = time.perf_counter()
    WAYS[name](folder)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "peak_megabytes": peak_megabytes()}


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory(prefix="gate-speed-") as place:
        folder = Path(place)
        prepare(folder, rows)
        ways = [Way(name, [sys.executable, __file__, name, place]) for name in WAYS]
        in_turn(ways, rounds=ROUNDS, environment={})
    base = ways[0]
    print(
        markdown(
            ["work", "against reading the score columns", "peak memory"],
            [[way.name, f"{way.median / base.median:.2f}×", f"{way.peak:.0f} MB"] for way in ways],
        )
    )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
    else:
        main(int(sys.argv[1]) if len(sys.argv) == 2 else 1_000_000)
