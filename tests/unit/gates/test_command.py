"""The gate from a shell."""

from __future__ import annotations

import json

import pytest

from airflow_provider_benchmarks.__main__ import main
from airflow_provider_benchmarks.store import RowFormat, store_rows

POLICY = {"checks": [{"metric": "m", "at_least": 0.5}, {"type": "no_regression", "metric": "m", "margin": 0.02}]}


@pytest.fixture
def scores(tmp_path):
    """Write the scores of a job with so many good rows of a hundred, as they are downloaded."""

    def write(name, good, row_format="parquet"):
        folder = tmp_path / name
        folder.mkdir()
        rows = [
            {"row_index": i, "item": {"q": i}, "metrics": {"w/m": [{"name": "s", "value": float(i < good)}]}}
            for i in range(100)
        ]
        mean = good / 100
        score = {
            "name": "s",
            "count": 100,
            "nan_count": 0,
            "mean": mean,
            "variance": mean * (1 - mean),
            "min": 0,
            "max": 1,
        }
        aggregate = {"results": [{"metric": "w/m", "scores": [score]}]}
        (folder / "aggregate-scores.json").write_text(json.dumps(aggregate))
        lines = [json.dumps(row).encode() + b"\n" for row in rows]
        store_rows(lines, str(folder / f"row-scores.{row_format}"), row_format=RowFormat(name=row_format))
        return str(folder)

    return write


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(POLICY))
    return str(path)


@pytest.mark.parametrize("row_format", ["parquet", "jsonl"])
def test_a_pass(scores, policy, capsys, row_format):
    one, other = scores("one", 80, row_format), scores("other", 80, row_format)
    assert main(["gate", "--policy", policy, "--candidate", one, "--baseline", other]) == 0
    assert capsys.readouterr().out.startswith("PASS: 2 of 2 checks hold (baseline: other)\n")


def test_rows_that_are_parquet_on_one_side_only_are_paired_by_their_whole_items(scores, policy, tmp_path, capsys):
    one, other = scores("one", 80, "parquet"), scores("other", 80, "jsonl")
    assert main(["gate", "--policy", policy, "--candidate", one, "--baseline", other]) == 0

    rows = (tmp_path / "other" / "row-scores.jsonl").read_text().replace('"q": 1', '"q": 7')
    (tmp_path / "other" / "row-scores.jsonl").write_text(rows)
    assert main(["gate", "--policy", policy, "--candidate", one, "--baseline", other]) == 0  # detect: only a warning
    assert "11 of 100 rows have no pair in the other job" in capsys.readouterr().out


def test_a_miss_shows_the_rows_that_got_worse(scores, policy, capsys):
    arguments = ["gate", "--policy", policy, "--candidate", scores("bad", 60), "--baseline", scores("good", 80)]
    assert main(arguments) == 1
    shown = capsys.readouterr().out
    assert "s fell by 20 points" in shown
    assert "q: 60" in shown
    assert main([*arguments, "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["outcome"] == "fail"


def test_aggregate_scores_alone(scores, tmp_path, capsys):
    (tmp_path / "floor.yaml").write_text("checks: [{metric: m, at_least: 0.9}]")
    file = f"{scores('floor', 80)}/aggregate-scores.json"
    assert main(["gate", "--policy", str(tmp_path / "floor.yaml"), "--candidate", file]) == 1
    assert main(["gate", "--policy", str(tmp_path / "floor.yaml"), "--candidate", file, "--format", "markdown"]) == 1
    assert "**FAIL: 0 of 1 checks hold**" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["policy", "candidate", "content"])
def test_what_can_not_be_judged_is_no_miss(scores, policy, tmp_path, capsys, wrong):
    arguments = {"policy": policy, "candidate": scores("one", 80)}
    if wrong == "content":
        (tmp_path / "no.json").write_text("no")
        arguments["candidate"] = str(tmp_path / "no.json")
    else:
        arguments[wrong] = str(tmp_path / "nowhere")
    assert main(["gate", "--policy", arguments["policy"], "--candidate", arguments["candidate"]]) == 2
    assert capsys.readouterr().err.startswith("could not judge: ")
