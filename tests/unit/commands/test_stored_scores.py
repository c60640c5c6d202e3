"""``benchmarks history``, ``compare``, ``show`` and ``pin`` on a score store."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_benchmarks.__main__ import main
from airflow_provider_benchmarks.benchmarks import read_benchmark
from airflow_provider_benchmarks.exceptions import ConfigurationError, IncompleteResults
from airflow_provider_benchmarks.gates import NoRegression, Threshold, evaluate
from airflow_provider_benchmarks.gates.sources import FolderSource, load_scores
from airflow_provider_benchmarks.scores import read_results, read_row_scores

BENCHMARK = "w/b"


class TestHistory:
    def test_newest_first_with_what_gates_said(self, command, capsys):
        assert command("history", BENCHMARK, "--metric", "exact-match") == 0
        title, head, _, *rows = capsys.readouterr().out.splitlines()
        assert title == "w/b: mean of 3 jobs, newest first"
        assert head.split() == ["job", "created", "(UTC)", "gates", "baseline", "w/exact-match/s"]
        assert [row.split() for row in rows] == [
            ["night-2", "2026-03-03", "02:00", "fail", "0.5"],
            ["night-1", "2026-03-02", "02:00", "pass", "0.78"],
            ["release-7", "2026-03-01", "02:00", "pass", "0.8"],
        ]

    def test_as_json(self, command, capsys):
        assert command("history", BENCHMARK, "--limit", "1", "--format", "json") == 0
        (job,) = json.loads(capsys.readouterr().out)
        assert (job["job"], job["gates"], job["pinned"]) == ("night-2", {"nightly.gate": "fail"}, False)
        assert [score["mean"] for score in job["scores"]] == [0.5, 0.5]

    def test_json_has_what_the_table_shows(self, command, capsys):
        options = ("--metric", "exact-match", "--statistic", "count", "--limit", "1")
        assert command("history", BENCHMARK, *options, "--format", "json") == 0
        (job,) = json.loads(capsys.readouterr().out)
        assert job["scores"] == [{"metric_ref": "w/exact-match", "name": "s", "count": 100}]
        assert command("history", BENCHMARK, *options) == 0
        assert "w/b: count of 1 job" in capsys.readouterr().out
        assert command("history", BENCHMARK, "--metric", "exact-mach", "--format", "json") == 2
        assert 'has metric "exact-mach". Did you mean "exact-match"? They have: w/exact' in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["w/bb"], 'has no jobs of benchmark "w/bb". Did you mean "w/b"?'),
            (["b"], "a benchmark is WORKSPACE/NAME, found b"),
            ([BENCHMARK, "--limit", "0"], "--limit must be 1 or more, found 0"),
            ([BENCHMARK, "--metric", "f1"], 'no job has metric "f1". They have: w/exact-match, '),
        ],
    )
    def test_what_is_not_there_is_told(self, command, capsys, arguments, message):
        assert command("history", *arguments) == 2
        out, err = capsys.readouterr()
        assert (out, err.startswith("could not show the history: ")) == ("", True)
        assert message in err

    def test_a_store_is_needed_and_may_be_airflows(self, store, monkeypatch, capsys):
        assert main(["history", BENCHMARK]) == 2
        assert "add --store FOLDER, or set AIRFLOW__BENCHMARKS__SCORE_STORE" in capsys.readouterr().err
        monkeypatch.setenv("AIRFLOW__BENCHMARKS__SCORE_STORE", store.root)
        assert main(["history", BENCHMARK]) == 0


class TestCompare:
    def test_differences_are_of_pairs_and_as_a_gate_finds_them(self, command, store, capsys):
        assert command("compare", "release-7", "night-2", "--format", "json") == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["first"], found["second"]) == ("release-7", "night-2")
        score = found["scores"][0]
        assert (score["metric_ref"], score["first"], score["second"], score["count"]) == (
            "w/exact-match",
            0.8,
            0.5,
            100,
        )
        jobs = [store.scores(store.find(name, workspace="w")) for name in ("night-2", "release-7")]
        (expected,) = evaluate([NoRegression("exact-match", confidence=0.975)], *jobs).results
        assert math.isclose(score["difference"], expected.observed)
        assert score["interval"] == pytest.approx(expected.interval)

    def test_folders_and_files_are_jobs_too(self, command, store, capsys, tmp_path):
        folder = shutil.copytree(Path(store.root, "w", "b", "night-1"), tmp_path / "download")
        for name in ("manifest.json", "job.json"):  # a download has neither
            (folder / name).unlink()
        assert command("compare", str(folder), "night-2") == 0
        assert capsys.readouterr().out.startswith("download (first) → night-2 (second)\n")
        assert main(["compare", f"{folder}/aggregate-scores.json", f"{store.root}/w/b/night-2"]) == 0
        assert "0.78" in capsys.readouterr().out

    def test_rows_without_a_pair_are_told(self, capsys, tmp_path):
        """Items that hold the model's output differ where the answers do: what is left is no difference."""
        for job, right in (("a", 20), ("b", 12)):
            values = [float(i < right) for i in range(30)]
            rows = [
                {"row_index": i, "item": {"q": f"{i}", "output": v}, "metrics": {"w/m": [{"name": "s", "value": v}]}}
                for i, v in enumerate(values)
            ]
            score = {"name": "s", "mean": right / 30, "count": 30, "nan_count": 0}
            (tmp_path / job).mkdir()
            (tmp_path / job / "row-scores.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
            (tmp_path / job / "aggregate-scores.json").write_text(
                json.dumps({"results": [{"metric": "w/m", "scores": [score]}]})
            )

        def compared(*options: str) -> dict[str, object]:
            assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--format", "json", *options]) == 0
            return json.loads(capsys.readouterr().out)["scores"][0]

        found = compared()
        assert (found["difference"], found["count"]) == (0, 22)
        assert found["note"].startswith("without 8 rows that have no pair with the same item: --key ")
        found = compared("--key", "q")
        assert (round(found["difference"], 3), found["count"], found["note"]) == (-0.267, 30, "")

    def test_without_scipy_there_are_no_intervals(self, command, capsys, monkeypatch):
        find = sys.modules["importlib.util"].find_spec
        monkeypatch.setattr(
            "airflow_provider_benchmarks.extras.find_spec", lambda name: None if name == "scipy" else find(name)
        )
        assert command("compare", "release-7", "night-2") == 0
        head, _, row = capsys.readouterr().out.splitlines()[1:4]
        assert head.split() == ["score", "first", "second", "difference"]
        assert row.split() == ["w/exact-match/s", "0.8", "0.5", "-0.3"]

    def test_a_score_of_one_job_is_shown(self, command, capsys, tmp_path):
        for name in ("a", "b"):
            score = {"name": "s", "mean": 0.5, "count": 1, "nan_count": 0}
            scores = {"results": [{"metric": f"w/{name}", "scores": [{**score, "name": name}]}]}
            (tmp_path / f"{name}.json").write_text(json.dumps(scores))
        assert command("compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")) == 0
        assert [line.split() for line in capsys.readouterr().out.splitlines()[3:]] == [
            ["a", "0.5", "–", "–", "only", "the", "first", "job", "has", "it"],
            ["b", "–", "0.5", "–", "only", "the", "second", "job", "has", "it"],
        ]

    @pytest.mark.parametrize("option", ["--key", "--cluster-by", "--repeat-by"])
    def test_a_field_that_no_item_has_is_told(self, command, store, capsys, option):
        field = next(name for name in store.scores(store.find("night-2", workspace="w")).rows.columns if name[0] != "w")
        assert command("compare", "release-7", "night-2", option, f"{field}x") == 2
        out, err = capsys.readouterr()
        assert (out, f'release-7: the items have no field "{field}x"; they have: ' in err) == ("", True)
        assert f'Did you mean "{field}"?' in err

    @pytest.mark.parametrize("name", ["nowhere", "no/where"])
    def test_a_job_that_is_not_there_is_told(self, command, capsys, name):
        assert command("compare", name, "night-2") == 2
        assert capsys.readouterr().err.startswith("could not compare: ")


#: A row of a verdict.
ROW = {"row_index": 0, "candidate": 0.0, "baseline": 1.0, "item": {}}


class TestShow:
    def test_a_job_with_its_gates(self, command, capsys):
        assert command("show", "night-2") == 0
        shown = capsys.readouterr().out
        assert shown.startswith("job night-2, benchmark w/b, created 2026-03-03 02:00 UTC, rows 100\n")
        assert "nightly.gate  fail" in shown

    def test_the_verdict_of_a_gate(self, command, capsys):
        assert command("show", "night-2", "--gate", "nightly.gate") == 0
        assert capsys.readouterr().out.startswith("FAIL: 0 of 1 checks hold\n")
        assert command("show", "night-2", "--gate", "other") == 2
        assert 'gate "other" has not judged job "night-2"' in capsys.readouterr().err

    def test_a_report(self, command, store, capsys):
        report = f"{store.root}/w/b/night-1/verdict-nightly.gate.json"
        assert main(["show", report, "--format", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["outcome"] == "pass"

    def test_a_report_that_is_damaged_is_told(self, command, store, capsys):
        report = Path(store.root, "w/b/night-1/verdict-nightly.gate.json")
        report.write_text(json.dumps({"outcome": "pass", "results": [{"check": {"type": "threshold"}}]}))
        assert main(["show", str(report)]) == 2
        assert "holds no verdict: results[0] has no outcome" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("path", "value", "told"),
        [
            (("results", 0, "observed"), "x", "results[0].observed must be a number, or null, found 'x'"),
            (("results", 0, "interval"), [1], "results[0].interval must be two numbers"),
            (("results", 0, "outcome"), "good", "results[0].outcome must be one of pass, "),
            (("results", 0, "reason"), None, "results[0].reason must be a text"),
            (("results", 0, "details"), [1], "results[0].details must be a mapping"),
            (("results", 0, "details"), {"comparisons": "many"}, "results[0].details must be a mapping, with a whole"),
            (("results", 0, "worst"), 1, "results[0].worst must be a list of rows"),
            (("results", 0, "worst"), [1], "results[0].worst[0] must be a mapping, found 1"),
            (("results", 0, "worst"), [ROW, {"row_index": 1}], "results[0].worst[1] has no candidate"),
            (("results", 0, "worst"), [{**ROW, "candidate": "x"}], "results[0].worst[0].candidate must be a number"),
            (("results", 0, "worst"), [{**ROW, "candidate": None}], "results[0].worst[0].candidate must be a number"),
            (("results", 0, "worst"), [{**ROW, "baseline": [1]}], "results[0].worst[0].baseline must be a number"),
            (("results", 0, "worst"), [{**ROW, "row_index": {}}], "results[0].worst[0].row_index must be a number, a "),
            (("results", 0, "worst"), [{**ROW, "item": "x"}], "results[0].worst[0].item must be a mapping, found 'x'"),
            (("results", 0), 5, "results[0] must be a mapping, found 5"),
            (("results",), {}, "expected a mapping with a list of results"),
            (("job",), 3, "job must be a text, found 3"),
            (("left_out",), {"pass": "x"}, "left_out must be a mapping of counts by pass, warn, "),
            (("left_out",), {"nonsense": 3}, "left_out must be a mapping of counts by pass, warn, "),
            (("left_out",), {"fail": -1}, "left_out must be a mapping of counts by pass, warn, "),
        ],
    )
    def test_of_a_damaged_report_the_part_is_told(self, command, store, capsys, path, value, told):
        report = Path(store.root, "w/b/night-1/verdict-nightly.gate.json")
        data = json.loads(report.read_text())
        *outer, last = path
        part = data
        for step in outer:
            part = part[step]
        part[last] = value
        report.write_text(json.dumps(data))
        for arguments in ([str(report)], ["night-1", "--gate", "nightly.gate"]):
            assert command("show", *arguments) == 2
            assert f"verdict-nightly.gate.json holds no verdict: {told}" in capsys.readouterr().err

    def test_a_report_has_no_gates(self, store, capsys):
        assert main(["show", f"{store.root}/w/b/night-1/verdict-nightly.gate.json", "--gate", "nightly.gate"]) == 2
        assert "is a verdict: leave --gate out" in capsys.readouterr().err

    def test_jobs_of_one_name_are_told_apart(self, store, capsys):
        shutil.copytree(Path(store.root, "w"), Path(store.root, "v"))
        manifest = Path(store.root, "v/b/night-1/manifest.json")
        manifest.write_text(manifest.read_text().replace('"workspace": "w"', '"workspace": "v"').replace("w/b", "v/b"))
        assert main(["show", "night-1", "--store", store.root, "--workspace", "w"]) == 0
        assert main(["show", "night-1", "--store", store.root]) == 2
        assert 'job "night-1" is in several workspaces' in capsys.readouterr().err


class TestPin:
    def test_none_is_pinned_until_one_is(self, command, store, capsys):
        assert command("pin", BENCHMARK) == 1
        assert capsys.readouterr().out == "w/b: no job is pinned\n"
        assert command("pin", BENCHMARK, "--job", "release-7", "--by", "Ada") == 0
        assert store.pinned(workspace="w", benchmark=BENCHMARK).job == "release-7"
        capsys.readouterr()
        assert command("pin", BENCHMARK, "--format", "json") == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["job"], found["pinned_by"]) == ("release-7", "Ada")
        assert command("history", BENCHMARK) == 0
        assert "pinned" in capsys.readouterr().out.splitlines()[-1]

    def test_a_job_that_missed_its_gate_is_pinned_with_a_warning(self, command, store, capsys):
        assert command("pin", BENCHMARK, "--job", "night-2") == 0
        assert "though it did not pass nightly.gate (fail)" in capsys.readouterr().err

    @pytest.mark.parametrize("damaged", [False, True])
    def test_what_can_be_no_baseline_leaves_the_pin_as_it_is(self, command, store, capsys, damaged):
        command("pin", BENCHMARK, "--job", "release-7")
        if damaged:
            Path(store.root, "w/b/night-1/row-scores.parquet").unlink()
        assert command("pin", BENCHMARK, "--job", "night-1" if damaged else "nowhere") == 2
        message = "its row scores are not in the score store any more" if damaged else "is not in the score store"
        assert message in capsys.readouterr().err
        assert store.pinned(workspace="w", benchmark=BENCHMARK).job == "release-7"

    def test_another_job_mends_a_damaged_pin(self, command, store, capsys):
        Path(store.root, "w/b/_pinned.json").write_text("no")
        assert command("pin", BENCHMARK) == 2
        with pytest.raises(IncompleteResults):
            store.pinned(workspace="w", benchmark=BENCHMARK)
        assert command("pin", BENCHMARK, "--job", "release-7") == 0
        assert "warning: the pin before: " in capsys.readouterr().err
        assert store.pinned(workspace="w", benchmark=BENCHMARK).job == "release-7"

    def test_another_job_replaces_one_that_has_gone(self, command, store, capsys):
        assert command("pin", BENCHMARK, "--job", "release-7") == 0
        Path(store.root, "w/b/release-7/manifest.json").unlink()
        assert command("pin", BENCHMARK, "--job", "night-1") == 0
        said = capsys.readouterr().err
        assert 'note: the pin before, "release-7", is not in the score store any more\n' in said
        assert "Restore" not in said


class TestWhatIsMissing:
    @pytest.mark.parametrize(
        "arguments", [("history", BENCHMARK), ("pin", BENCHMARK), ("show", "x"), ("compare", "x", "y")]
    )
    def test_a_folder_of_the_store_that_is_not_there_is_told(self, store, tmp_path, capsys, arguments):
        assert main([*arguments, "--store", str(tmp_path / "nowhere")]) == 2
        assert f"the folder of the score store, {tmp_path}/nowhere, is not there" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("arguments", "name"),
        [
            (["gate", "--policy", "p.yaml", "--candidate", ""], "candidate"),
            (["gate", "--policy", "", "--candidate", "."], "policy"),
            (["gate", "--policy", "p.yaml", "--candidate", ".", "--history", ".", ""], "history"),
            (["show", ""], "what"),
            (["compare", "", ""], "first"),
            (["history", BENCHMARK, "--store", ""], "store"),
            (["import", ""], "path"),
            (["run", "--benchmark", "w/b", "--store", ""], "store"),
        ],
    )
    def test_an_empty_argument_is_not_the_current_folder(self, command, store, monkeypatch, capsys, arguments, name):
        monkeypatch.chdir(Path(store.root, "w/b/night-1"))
        Path("p.yaml").write_text("checks: [{metric: exact-match, at_least: 0.5}]")
        assert main(arguments) == 2
        assert f'argument "{name}" is empty' in capsys.readouterr().err

    @pytest.mark.parametrize("path", ["", " "])
    def test_nor_is_an_empty_path(self, store, monkeypatch, path):
        monkeypatch.chdir(Path(store.root, "w/b/night-1"))
        checks = [Threshold("exact-match", at_least=0.5)]
        source = FolderSource(checks=checks, candidate_path=path, baseline_paths={"": path}, history_paths=[path])
        for read in (
            source.candidate,
            lambda: source.baselines([""]),
            lambda: source.history(1),
            lambda: load_scores(path, ()),
            lambda: read_row_scores(path),
            lambda: read_results(path),
            lambda: read_benchmark(path),
        ):
            with pytest.raises(ConfigurationError):
                read()


class TestProcess:
    """What only a process of its own shows."""

    PROGRAM = (sys.executable, "-m", "airflow_provider_benchmarks")

    def test_a_verdict_that_nobody_can_read_is_no_pass(self, store, tmp_path):
        (tmp_path / "p.yaml").write_text("checks: [{metric: exact-match, at_least: 0.5}]")
        arguments = ["gate", "--policy", str(tmp_path / "p.yaml"), "--candidate", f"{store.root}/w/b/night-1"]
        assert (
            subprocess.run([*self.PROGRAM, *arguments], capture_output=True, timeout=100, check=False).returncode == 0
        )
        closed = subprocess.run(
            ["sh", "-c", '"$@" >&-', "sh", *self.PROGRAM, *arguments], stderr=subprocess.PIPE, timeout=100, check=False
        )
        assert (closed.returncode, b"the standard output is closed" in closed.stderr) == (2, True)

    def test_an_interrupt_while_modules_are_imported_is_told(self, monkeypatch, capsys):
        def interrupted(name):
            raise KeyboardInterrupt

        monkeypatch.setattr("airflow_provider_benchmarks.__main__.import_module", interrupted)
        assert main(["history", BENCHMARK]) == 130
        assert capsys.readouterr().err == "interrupted\n"

    def test_nothing_heavy_is_imported_before_an_interrupt_can_be_told(self):
        code = "import sys, airflow_provider_benchmarks.__main__; print(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
        heavy = {
            "airflow",
            "rich",
            "msgspec",
            "airflow_provider_benchmarks.scores",
            "airflow_provider_benchmarks.commands",
        }
        assert heavy & set(done.stdout.split()) <= {"msgspec"}

    def test_a_locale_that_airflow_can_not_read_its_files_in_is_named(self, store):
        variables = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
        done = subprocess.run(
            [*self.PROGRAM, "history", BENCHMARK, "--store", store.root],
            env=variables,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0 or "in the encoding of the locale" in done.stderr
        assert "UnicodeDecodeError" not in done.stderr


class TestGate:
    @pytest.fixture
    def policy(self, tmp_path):
        path = tmp_path / "policy.json"
        path.write_text('{"checks": [{"type": "no_regression", "metric": "w/exact-match", "margin": 0.02}]}')
        return str(path)

    def test_jobs_of_the_store_by_their_names(self, command, policy, capsys):
        assert command("gate", "--policy", policy, "--candidate", "night-1", "--baseline", "release-7") == 0
        assert "(baseline: release-7)" in capsys.readouterr().out
        assert command("gate", "--policy", policy, "--candidate", "night-2", "--baseline", "release-7") == 1
        assert "fell by 30 points" in capsys.readouterr().out

    def test_a_baseline_of_a_name(self, command, policy, store, capsys):
        folder = store.job_folder(store.find("night-1", workspace="w"))
        arguments = ["gate", "--policy", policy, "--candidate", folder, "--baseline", "pinned=night-2"]
        (text := Path(policy)).write_text(text.read_text().replace('"margin"', '"baseline": "pinned", "margin"'))
        assert command(*arguments) == 0
        assert "night-2" in capsys.readouterr().out

    def test_a_job_that_nobody_has_stored(self, command, policy, store, capsys):
        assert command("gate", "--policy", policy, "--candidate", "night-9", "--baseline", "release-7") == 2
        assert f'"night-9" is neither a folder nor a job in the score store {store.root}' in capsys.readouterr().err
