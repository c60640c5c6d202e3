"""Jobs with scores on plain data, for the tests of gates."""

from __future__ import annotations

import numpy as np

from airflow_provider_benchmarks.gates import evaluate
from airflow_provider_benchmarks.scores import AggregateScores, JobScores, row_scores_frame
from airflow_provider_benchmarks.scores.rows import RowScore


def job(values, *, name="candidate", items=None, score="s", indices=None):
    """Scores of a job whose rows have these values; None stands for a call that failed."""
    items = items or [{"q": f"q{i}", "part": "ab"[i % 2], "text": i // 5} for i in range(len(values))]
    rows = [
        RowScore(
            row_index=(indices or range(len(values)))[i],
            item=items[i],
            sample={} if value is not None else {"inference_error": "503"},
            metrics={"w/m": {score: float("nan") if value is None else value}},
        )
        for i, value in enumerate(values)
    ]
    known = np.array([v for v in values if isinstance(v, int | float) and np.isfinite(v)], dtype=float)
    figures = {"count": len(known), "nan_count": len(values) - len(known)}
    if len(known):
        figures |= {"mean": known.mean(), "std_dev": known.std(), "variance": known.var()}
        figures |= {"min": known.min(), "max": known.max()}
    scores = [{"name": score, "score_type": "range", **figures}]
    aggregate = AggregateScores.from_json({"results": [{"metric": "w/m", "scores": scores}]})
    return JobScores(aggregate, row_scores_frame(rows), job=name)


def flips(n, lost, gained=0, ones=0.7):
    """0/1 scores of a baseline, and of a candidate that lost and gained these numbers of rows."""
    base = np.zeros(n)
    base[: int(n * ones)] = 1
    candidate = base.copy()
    candidate[:lost] = 0
    if gained:
        candidate[-gained:] = 1
    return job(candidate), job(base, name="baseline")


def judge(check, candidate, baseline, **options):
    (result,) = evaluate([check], candidate, baseline, **options).results
    return result
