"""Measure what ``by=`` costs with thousands of groups: ``python benchmarks/many_groups.py``.

Each figure is of one check on 0/1 scores, ten rows a group, with the verdict as JSON.
"""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd
from measuring import markdown

from airflow_provider_benchmarks.gates import Check, NoRegression, Threshold, evaluate
from airflow_provider_benchmarks.scores import AggregateScores, JobScores
from airflow_provider_benchmarks.scores.frames import SCORE_COLUMNS

GROUPS = (100, 1_000, 10_000, 100_000)
ROWS_OF_GROUP = 10
CHECKS: dict[str, Check] = {
    "threshold": Threshold("m", at_least=0.1, by="group"),
    "comparison": NoRegression("m", margin=0.9, by="group"),
}


def scores(groups: int, seed: int) -> JobScores:
    rows = groups * ROWS_OF_GROUP
    values = (np.random.default_rng(seed).random(rows) < 0.7).astype(float)
    columns = {"q": np.arange(rows), "group": [f"g{row % groups}" for row in range(rows)], "s": values}
    frame = pd.DataFrame(columns, index=pd.RangeIndex(rows, name="row_index"))
    frame.attrs[SCORE_COLUMNS] = ["s"]
    score = {"name": "s", "count": rows, "nan_count": 0, "mean": values.mean(), "std_dev": values.std()}
    return JobScores(
        AggregateScores.from_json({"results": [{"metric": "w/m", "scores": [score]}]}), frame, job=str(seed)
    )


def main() -> None:
    rows = []
    for groups in GROUPS:
        candidate, baseline = scores(groups, 1), scores(groups, 2)
        for name, check in CHECKS.items():
            begin = time.perf_counter()
            verdict = evaluate([check], candidate, baseline)
            seconds = time.perf_counter() - begin
            size = len(json.dumps(verdict.to_dict()))
            rows.append([f"{groups:,}", name, str(len(verdict.results)), f"{seconds:.1f}", f"{size / 1e6:.2f}"])
    print(markdown(["groups", "check", "results", "seconds", "MB of the verdict"], rows))


if __name__ == "__main__":
    main()
