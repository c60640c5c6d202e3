"""``python -m airflow_provider_benchmarks import`` and a gate on what it has stored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_benchmarks.__main__ import main

RECORDED = Path(__file__).parents[2] / "recorded" / "evaluators"


def test_results_are_stored_and_judged(tmp_path, capsys):
    store = str(tmp_path / "store")
    folders = {}
    for run in ("better", "worse"):
        assert main(["import", str(RECORDED / "inspect_ai" / run), "--store", store]) == 0
        said = capsys.readouterr().out
        assert said.startswith(f"inspect_ai/trivia: 18 rows in {store}/inspect_ai/trivia/mockllm-model-20261128-")
        folders[run] = said.strip().rpartition(" ")[2]
    policy = tmp_path / "policy.json"
    limits = {"metric": "match", "max_error_rate": 0.2}
    checks = [{"type": "threshold", "at_least": 0.5, **limits}, {"type": "no_regression", **limits}]
    policy.write_text(json.dumps({"checks": checks}))
    arguments = ["gate", "--policy", str(policy), "--format", "json"]
    assert main([*arguments, "--candidate", folders["worse"], "--baseline", folders["better"]]) == 1
    threshold, comparison = json.loads(capsys.readouterr().out)["results"]
    assert (threshold["observed"], comparison["observed"]) == (0.375, -0.375)


def test_one_benchmark_of_several_gets_a_name(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = str(RECORDED / "lm-eval" / "better")
    arguments = ["import", path, "--store", "store", "--benchmark", "qa/trivia", "--format", "lm-eval"]
    assert main(arguments) == 2
    assert "could not import: " in capsys.readouterr().err
    assert main([*arguments, "--task", "trivia"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("qa/trivia: 9 rows in store/qa/trivia/")
    assert (tmp_path / said.strip().rpartition(" ")[2] / "manifest.json").exists()


def test_an_empty_path_is_not_the_current_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(RECORDED / "nel" / "better")
    assert main(["import", "", "--store", str(tmp_path / "store")]) == 2
    assert capsys.readouterr().err.startswith('could not import: argument "path" is empty')
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("path", ["nowhere", "."])
def test_what_can_not_be_read_is_an_error(tmp_path, capsys, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    assert main(["import", path, "--store", "store"]) == 2
    assert capsys.readouterr().err.startswith(f"could not import: {path}")
    assert not Path("store").exists()


def test_the_help_names_both_commands(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert "judge stored or downloaded scores by a policy file" in said
    assert "put the results of another evaluator into a score store" in said
