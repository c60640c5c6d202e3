"""The gate from a shell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from airflow_provider_benchmarks.__main__ import main
from airflow_provider_benchmarks.store import Place, RowFormat, store_rows

POLICY = {"checks": [{"metric": "m", "at_least": 0.5}, {"type": "no_regression", "metric": "m", "margin": 0.02}]}


@pytest.fixture
def scores(tmp_path):
    """Write the scores of a job with a number of good rows of a hundred, as they are downloaded."""

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
        store_rows(lines, Place(str(folder / f"row-scores.{row_format}")), row_format=RowFormat(name=row_format))
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
    assert main(["gate", "--policy", policy, "--candidate", one, "--baseline", other]) == 1
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


@pytest.mark.parametrize("path", ["nosuch.yaml", ".", f"{'p' * 300}.yaml"])
def test_a_policy_that_is_not_there_is_told_with_what_to_do(scores, capsys, path):
    assert main(["gate", "--policy", path, "--candidate", scores("one", 80)]) == 2
    told = capsys.readouterr().err
    assert f"could not judge: there is no policy file {path[:50]}" in told
    assert "Correct --policy" in told


@pytest.mark.parametrize("wrong", ["policy", "candidate", "baseline", "content"])
def test_what_can_not_be_judged_is_no_miss(scores, policy, tmp_path, capsys, wrong):
    arguments = {"policy": policy, "candidate": scores("one", 80), "baseline": scores("other", 80)}
    if wrong == "content":
        (tmp_path / "no.json").write_text("no")
        arguments["candidate"] = str(tmp_path / "no.json")
    else:
        arguments[wrong] = str(tmp_path / "nowhere")
    assert main(["gate", *(f"--{name}={value}" for name, value in arguments.items())]) == 2
    told = {"policy": "nowhere", "candidate": "nowhere", "baseline": "nowhere", "content": "no.json"}
    assert re.match(f"could not judge: .*{told[wrong]}", capsys.readouterr().err)


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b[:60] + b"\0" * 200 + b[260:]])
def test_a_damaged_file_is_no_miss_and_is_named(scores, policy, tmp_path, capsys, damage):
    folder = scores("one", 80)
    file = Path(folder, "row-scores.parquet")
    file.write_bytes(damage(file.read_bytes()))
    assert main(["gate", "--policy", policy, "--candidate", folder, "--baseline", scores("other", 80)]) == 2
    assert f"could not judge: {file} can't be read as Parquet" in capsys.readouterr().err


def test_a_fault_of_the_program_itself_is_no_miss(scores, policy, monkeypatch, capsys):
    monkeypatch.setattr("airflow_provider_benchmarks.gates.run.evaluate", lambda *_, **__: 1 / 0)
    arguments = ["gate", "--policy", policy, "--candidate", scores("one", 80), "--baseline", scores("other", 80)]
    assert main(arguments) == 2
    assert "could not judge: ZeroDivisionError" in capsys.readouterr().err


class TestBaselines:
    """Which scores a comparison of the policy is made with."""

    @pytest.fixture
    def judge(self, scores, tmp_path, monkeypatch):
        """Judge a candidate with 60 good rows, with checks that name these baselines."""
        monkeypatch.chdir(tmp_path)
        candidate = scores("new", 60)

        def run(names, *options, **policy):
            checks = [
                {"type": "no_regression", "metric": "m", **({"baseline": name} if name else {})} for name in names
            ]
            (tmp_path / "policy.json").write_text(json.dumps({"checks": checks, **policy}))
            given = [f"--baseline={option}" for option in options]
            return main(["gate", "--policy", "policy.json", "--candidate", candidate, "--format", "json", *given])

        return run

    @pytest.fixture
    def found(self, capsys):
        """The difference to its baseline that each check found."""
        return lambda: [round(r["observed"], 2) for r in json.loads(capsys.readouterr().out)["results"]]

    @pytest.mark.parametrize("name", [None, "pinned", "last_passed", "previous"])
    def test_a_path_serves_those_that_name_no_job(self, judge, scores, found, name):
        assert judge([name], scores("old", 80)) == 1
        assert found() == [-0.2]

    def test_each_name_has_its_own(self, judge, scores, found):
        old, released, best = scores("old", 50), scores("released", 70), scores("best", 80, "jsonl")
        names = [None, "release-7", "best", "pinned"]
        assert judge(names, old, f"release-7={released}", f"best={best}") == 1
        assert found() == [0.1, -0.1, -0.2, 0.1]
        assert judge(names, f"pinned={best}", f"best={best}", f"release-7={released}", old) == 1
        assert found() == [0.1, -0.1, -0.2, -0.2]

    def test_a_name_has_what_the_policy_names_and_the_rest_is_the_path(self, judge, scores, found):
        assert judge([None, "day=1"], scores("day=2", 50), f"day=1={scores('x=y', 70)}") == 1
        assert found() == [0.1, -0.1]

    def test_a_folder_that_the_policy_names_is_read(self, judge, scores, found):
        Path("runs").mkdir()
        scores("runs/old", 80)
        assert judge(["runs/old"]) == 1
        assert found() == [-0.2]
        assert judge(["runs/old"], f"runs/old={scores('other', 50)}") == 0
        assert found() == [0.1]

    @pytest.mark.parametrize(
        ("names", "given", "told"),
        [
            ([None], [], "not given: add --baseline PATH, or let the policy say"),
            (["pinned", None], [], "add --baseline PATH, or"),
            (["release-7"], [], "add --baseline release-7=PATH, or"),
            ([None, "release-7", "best"], ["best=old"], "add --baseline PATH --baseline release-7=PATH, or"),
            (["release-7"], ["old"], "add --baseline release-7=PATH, or"),
            (["release-7"], ["relese-7=old"], "add --baseline release-7=PATH, or"),
            ([None], ["old", "old"], "the baseline without a name is there twice"),
            (["a"], ["a=old", "a=old"], 'the baseline "a" is there twice'),
            (["a"], ["a="], 'the baseline "a" has no path'),
            ([None], [""], 'argument "baseline" is empty'),
        ],
    )
    def test_what_is_not_given_can_not_be_judged(self, judge, scores, capsys, names, given, told):
        scores("old", 80)
        assert judge(names, *given) == 2
        shown = capsys.readouterr()
        assert (shown.out, shown.err.startswith("could not judge: ")) == ("", True)
        assert told in shown.err

    @pytest.mark.parametrize(("rule", "code"), [("warn", 0), ("pass", 0), ("fail", 1)])
    def test_a_policy_that_foresees_it_holds(self, judge, scores, capsys, rule, code):
        assert judge([None, "release-7"], if_no_baseline=rule) == code
        results = json.loads(capsys.readouterr().out)["results"]
        assert [result["reason"] for result in results] == [
            "there is no baseline yet to compare with",
            'there is no baseline "release-7" yet to compare with',
        ]
        assert judge([None, "release-7"], scores("old", 60), if_no_baseline=rule) == code

    def test_a_policy_that_compares_nothing_needs_none(self, scores, tmp_path):
        (tmp_path / "floor.yaml").write_text("checks: [{metric: m, at_least: 0.5}]")
        assert main(["gate", "--policy", str(tmp_path / "floor.yaml"), "--candidate", scores("new", 60)]) == 0

    def test_one_that_has_no_rows_does_not_change_how_the_others_are_paired(self, judge, scores, capsys):
        old, bare = scores("old", 80), scores("bare", 50)
        Path(bare, "row-scores.parquet").unlink()
        rows = [
            {"row_index": i, "item": {"q": -i}, "metrics": {"w/m": [{"name": "s", "value": float(i < 80)}]}}
            for i in range(100)
        ]
        lines = [json.dumps(row).encode() + b"\n" for row in rows]
        store_rows(lines, Place(f"{old}/row-scores.parquet"), row_format=RowFormat(name="parquet"))
        judge([None, "bare"], old, f"bare={bare}")
        assert "99 of 100 rows have no pair" in json.loads(capsys.readouterr().out)["results"][0]["reason"]


class TestHistory:
    """What a policy that needs the history is judged by."""

    @pytest.fixture(params=[{"type": "within_history"}, {"type": "no_drift", "reference": 5}], ids=["window", "drift"])
    def judge(self, request, scores, tmp_path):
        candidate = scores("new", 60)

        def run(*options, **policy):
            checks = [{"metric": "m", **request.param}]
            (tmp_path / "policy.json").write_text(json.dumps({"checks": checks, **policy}))
            return main(["gate", "--policy", str(tmp_path / "policy.json"), "--candidate", candidate, *options])

        return run

    @pytest.mark.parametrize("given", [[], ["--history"]])
    def test_without_one_nothing_can_be_judged(self, judge, capsys, given):
        assert judge(*given) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err == (
            "could not judge: the policy looks at the history of m, which is not given: add --history NEW OLDER …, "
            "or let "
            "the policy say what holds without one (if_inconclusive: warn, fail or pass)\n"
        )

    @pytest.mark.parametrize(("rule", "code"), [("warn", 0), ("pass", 0), ("fail", 1)])
    def test_a_policy_that_foresees_it_holds(self, judge, rule, code):
        assert judge(if_inconclusive=rule) == code

    def test_one_that_is_too_short_only_warns(self, judge, scores, capsys):
        assert judge("--history", scores("old", 80)) == 0
        assert re.search("1 (earlier jobs|jobs that passed) have this score, 5 are needed", capsys.readouterr().out)

    @pytest.mark.parametrize(("usual", "code"), [(60, 0), (80, 1)])
    def test_jobs_that_passed(self, judge, scores, usual, code):
        assert judge("--history", *(scores(f"old-{number}", usual) for number in range(5))) == code


class TestPrinting:
    @pytest.fixture
    def run(self, scores, policy):
        """Run the gate in a process of its own."""

        def run(good, *options, **how):
            command = [sys.executable, "-m", "airflow_provider_benchmarks", "gate", "--policy", policy, *options]
            command += ["--candidate", scores("new", good), "--baseline", scores("old", 80)]
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
            return subprocess.run(command, check=False, **{**pipes, **how})

        return run

    @pytest.mark.parametrize(
        ("encoding", "form"),
        [
            *(("ascii", form) for form in ("table", "markdown", "html", "json")),
            ("cp1252", "table"),
            ("utf-16", "table"),
        ],
    )
    def test_any_encoding_will_do(self, run, encoding, form):
        done = run(80, "--format", form, env={**os.environ, "PYTHONIOENCODING": encoding})
        assert (done.returncode, done.stderr) == (0, b"")
        assert "0.5" in done.stdout.decode(encoding)

    def test_items_may_have_what_json_has_no_word_for(self, scores, policy, capsys):
        import pyarrow as pa
        import pyarrow.parquet as pq

        folders = [scores("new", 60), scores("old", 80)]
        for folder in folders:
            file = Path(folder, "row-scores.parquet")
            table = pq.read_table(file)
            days = pa.array([date(2024, 1, 1)] * table.num_rows)
            pq.write_table(table.append_column("day", days).replace_schema_metadata(table.schema.metadata), file)
        arguments = ["gate", "--policy", policy, "--candidate", folders[0], "--baseline", folders[1]]
        assert main([*arguments, "--format", "json"]) == 1
        assert '"day": "2024-01-01"' in capsys.readouterr().out

    @pytest.mark.parametrize("good", [60, 80])
    def test_what_can_not_be_printed_is_no_verdict(self, run, good):
        with open("/dev/full", "wb") as full:
            done = run(good, stdout=full)
            assert done.returncode == 2
            assert done.stderr.decode().startswith("could not judge: ")
            assert "No space left" in done.stderr.decode()

    def test_what_can_not_even_be_complained_about_is_no_miss(self, run):
        with open("/dev/full", "wb") as full:
            assert run(80, stdout=full, stderr=full).returncode == 2

    @pytest.mark.parametrize(("good", "code"), [(60, 1), (80, 0)])
    def test_a_reader_that_goes_away_does_not_change_the_exit_code(self, run, good, code):
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "wb") as closed:
            done = run(good, stdout=closed)
        assert (done.returncode, done.stderr) == (code, b"")
