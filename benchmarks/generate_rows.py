"""Write any number of row scores as the service stores them: ``python benchmarks/generate_rows.py 1000000 rows.jsonl``.

A row has about 1.4 kB, as a row of a question-answering benchmark with a reference has: the item with two long texts,
a number and a category, two metrics with a score each, and no model response (the evaluation was offline).
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

METRICS = {"my-workspace/exact-match": "exact-match", "my-workspace/string-check": "string-check"}
_TEXT = (
    "the model answers a question about one of many things which people ask when they want to know how something "
    "works and where it comes from what it costs who made it and why it is there at all"
)


def write_rows(path: Path, count: int, *, short: bool = False, seed: int = 1) -> dict[str, Any]:
    """Write row scores and give the aggregate scores that belong to them.

    :param count: rows
    :param short: rows of 0.4 kB, with texts of a line
    :param seed: of the scores; the items are always the same
    :return: the service's answer for the aggregate scores
    """
    chance = random.Random(1)
    words = _TEXT.split()
    # Texts repeat every 4,999 rows, as making them takes longer than all that is measured.
    texts = [" ".join(chance.choices(words, k=210)) for _ in range(4999)]
    chance.seed(seed)
    sums = dict.fromkeys(METRICS, 0.0)
    with path.open("wb") as file:
        for index in range(count):
            row = _row(index, texts[index % len(texts)][: 100 if short else None], chance)
            for metric, scores in row["metrics"].items():
                sums[metric] += scores[0]["value"]
            file.write(json.dumps(row, separators=(",", ":")).encode())
            file.write(b"\n")
    return {
        "results": [
            {
                "metric": metric,
                "scores": [{"name": name, "count": count, "nan_count": 0, "mean": sums[metric] / count}],
            }
            for metric, name in METRICS.items()
        ]
    }


def _row(index: int, text: str, chance: random.Random) -> dict[str, Any]:
    item = {
        "input": f"Question {index}: {text[:600]}?",
        "output": f"Answer {index}: {text[200:620]}",
        "reference": text[620:700],
        "difficulty": index % 5,
        "category": f"category-{index % 17}",
    }
    return {
        "row_index": index,
        "item": item,
        "sample": {},
        "metrics": {
            metric: [{"name": name, "value": float(chance.random() < 0.7)}] for metric, name in METRICS.items()
        },
        "requests": [],
        "metric_errors": None,
    }


if __name__ == "__main__":
    print(json.dumps(write_rows(Path(sys.argv[2]), int(sys.argv[1])), indent=2))
