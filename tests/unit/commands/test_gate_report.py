"""A gate's page in a shell: it has both answers, whatever files the rows are in."""

from __future__ import annotations

import html
import json
import re

import pytest

from airflow_provider_benchmarks.__main__ import main
from airflow_provider_benchmarks.scores import AggregateScores
from tests.support.stored_rows import line, store

pytest.importorskip("matplotlib")
ROWS = 60
FORMATS = {
    "row-scores.parquet": {"name": "parquet", "with_sample": True},
    "row-scores.jsonl": {"name": "jsonl"},
    "row-scores.jsonl.gz": {"name": "jsonl", "compression": "gzip"},
    "row-scores.jsonl.zst": {"name": "jsonl", "compression": "zstd"},
}


@pytest.fixture
def folder(tmp_path):
    """Write a folder of scores, of which the first rows are lost; return its path."""

    def write(name: str, file: str, *, lost: int) -> str:
        place = tmp_path / name
        place.mkdir()
        values = [float(index >= lost) for index in range(ROWS)]
        mean = sum(values) / ROWS
        score = {"name": "m", "count": ROWS, "nan_count": 0, "mean": mean, "std_dev": (mean * (1 - mean)) ** 0.5}
        aggregate = AggregateScores.from_json({"results": [{"metric": "w/m", "scores": [score]}]})
        (place / "aggregate-scores.json").write_text(json.dumps(aggregate.to_json()))
        lines = [
            line(
                index,
                {"question": f"question {index}"},
                {"w/m": {"m": value}},
                sample={"output_text": f"{name} {index}"},
            )
            for index, value in enumerate(values)
        ]
        store(place / file, lines, **FORMATS[file])
        return str(place)

    return write


@pytest.mark.parametrize("candidate", FORMATS)
@pytest.mark.parametrize("baseline", ["row-scores.parquet", "row-scores.jsonl"])
def test_both_answers_stand_side_by_side(folder, tmp_path, capsys, candidate, baseline):
    (tmp_path / "policy.json").write_text(json.dumps({"checks": [{"type": "no_regression", "metric": "m"}]}))
    paths = ["--candidate", folder("new", candidate, lost=20), "--baseline", folder("old", baseline, lost=0)]
    assert main(["gate", "--policy", str(tmp_path / "policy.json"), *paths, "--format", "html"]) == 1
    text = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", capsys.readouterr().out)).split())
    row = text.split("Rows that got worse most row 0 ")[1].split(" row 1 ")[0]
    assert "output_text old 0" in row
    assert "output_text new 0" in row
    assert "question question 0" in row
