"""What README.md and docs/ show works as it stands there.

Each test takes the blocks that name it (``documented``).
"""

from __future__ import annotations

import ast
import json
import logging
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_benchmarks.benchmarks import Benchmark, read_benchmark
from airflow_provider_benchmarks.gates import Threshold
from airflow_provider_benchmarks.gates.policy import read_policy
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator
from airflow_provider_benchmarks.store import ScoreStore
from tests.integration.conftest import WORKSPACE, completed_job, only_sync
from tests.support.airflow_runs import REPOSITORY, AirflowHome
from tests.support.documents import Block
from tests.support.stored_scores import store_job

QA_BENCH = f"{WORKSPACE}/qa-bench"


def only(blocks: list[Block], language: str, begin: str = "") -> str:
    """The only code of a language that has a line which begins so."""
    start = re.compile(rf"^{re.escape(begin)}", re.MULTILINE)
    (code,) = {block.code for block in blocks if block.language == language and start.search(block.code)}
    return code


def in_a_shell(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run commands in a folder, those after a prompt where the block has one; the first that fails ends them."""
    typed = re.findall(r"^\$ (.+)$", code, re.MULTILINE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-e", "-c", "\n".join(typed) or code],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": f"{REPOSITORY}", **environment},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )


def test_the_five_minute_dag_passes_the_documented_test(documented, tmp_path):
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "five_minute.py").write_text(only(documented, "python", "def five_minute_gate"))
    (tmp_path / "dags" / "benchmarks").mkdir()
    benchmark_file = tmp_path / "dags" / "benchmarks" / "qa-bench.yaml"
    benchmark_file.write_text(only(documented, "yaml"))
    benchmark = read_benchmark(benchmark_file)
    assert isinstance(benchmark, Benchmark)
    assert benchmark == read_benchmark(REPOSITORY / "example_dags" / "benchmarks" / "qa-bench.yaml")
    first, _, rest = only(documented, "python", "def test_a_bad_model_is_stopped").partition("\n")
    (tmp_path / "conftest.py").write_text(first)
    (tmp_path / "test_five_minute.py").write_text(rest)
    airflow = AirflowHome(tmp_path / "airflow", tmp_path / "dags")
    airflow.prepare()

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_five_minute.py"]
    environment = airflow.environment("http://127.0.0.1:1", PYTHONPATH=f"{tmp_path}:{REPOSITORY}")
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


@only_sync
def test_scores_in_a_notebook(documented, service, client, tmp_path):
    BenchmarkHook().download_row_scores(
        completed_job(client, "my-job"), f"{tmp_path}/row-scores.parquet", format="parquet"
    )
    code = only(documented, "python").replace("https://evaluator.example.com", service.url).replace("nvapi-1", "")
    *statements, aggregate, low, stored = ast.parse(code.replace("s3://scores/my-job", str(tmp_path))).body
    names: dict[str, Any] = {}
    exec(compile(ast.Module(statements, []), "page", "exec"), names)  # noqa: S102
    shown = [eval(ast.unparse(expression), names) for expression in (aggregate, low, stored)]

    assert list(shown[0]["mean"]) == [0.6, 0.8]
    assert [len(frame) for frame in shown[1:]] == [3, 5]
    assert list(shown[2].columns) == ["input", "exact-match"]


def test_a_policy_file(documented):
    policy = read_policy(only(documented, "yaml"))
    assert [check.kind for check in policy.checks] == ["threshold", "no_regression", "no_regression", "no_drift"]
    assert (policy.if_inconclusive, policy.if_no_baseline) == ("fail", "warn")


def test_results_of_another_evaluator_are_judged(documented, pages, task_log):
    run = REPOSITORY / "tests" / "recorded" / "evaluators" / "inspect_ai" / "worse"
    code = only(documented, "python").replace("s3://aws@runs/{{ ds }}", str(run))
    outcome = pages.run(code.replace("s3://aws@scores", pages.store))
    assert (outcome.tasks["results"], outcome.state) == ("success", "failed")
    log = task_log()
    assert "match" in log
    assert "GateFailed" in log


def test_notifiers_send_to_both_chats(documented, monkeypatch):
    from airflow.providers.http.hooks.http import HttpHook
    from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(HttpHook, "run", lambda self, json: sent.append((self.http_conn_id, json)))
    monkeypatch.setattr(SlackWebhookHook, "__init__", lambda self, slack_webhook_conn_id, **options: None)
    answer = SimpleNamespace(status_code=200, api_url="")
    monkeypatch.setattr(SlackWebhookHook, "send", lambda self, text, **rest: sent.append(("slack", text)) or answer)
    names: dict[str, Any] = {}
    exec(compile(only(documented, "python"), "page", "exec"), names)  # noqa: S102
    ti = SimpleNamespace(
        dag_id="d", task_id="gate", run_id="r", map_index=-1, log_url="", xcom_pull=lambda **arguments: None
    )
    context = {"ti": ti, "exception": ValueError("it *broke*"), "dag": None}
    for name in ("tell_slack", "tell_teams"):
        names[name](context)
    (_, slack), (conn_id, message) = sent
    assert slack.startswith("*No verdict: the task failed before*")
    ((attachment,), (block,)) = (message["attachments"], message["attachments"][0]["content"]["body"])
    assert (conn_id, attachment["content"]["type"], block["wrap"]) == ("teams", "AdaptiveCard", True)
    assert "it \\*broke" in block["text"]


def test_the_connection(documented, monkeypatch, tmp_path):
    shown = in_a_shell(f"{only(documented, 'bash')}\nprintenv AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", tmp_path).stdout
    monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", json.dumps(json.loads(shown)))
    config = BenchmarkHook().client.config
    assert (config.base_url, config.token, config.workspace) == (
        "https://evaluator.example.com",
        "the-token",
        "my-workspace",
    )


def test_checks_of_a_nightly_gate(documented):
    comparison, drift = read_policy(only(documented, "yaml")).checks
    assert (comparison.kind, comparison.confidence, comparison.baseline_runs) == ("no_regression", 0.999, 10)
    assert drift.kind == "no_drift"


def test_the_demo(documented):
    command = only(documented, "console")
    recipe = re.search(r"^demo: .+\n\t@\$\(BIN\)/python (.+)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert command == "$ make demo\n"
    done = in_a_shell(f"{sys.executable} {recipe.group(1)}", REPOSITORY)
    assert done.returncode == 0, done.stderr

    def without_chance(text: str) -> str:
        """What every run prints: without its port, names of jobs and folders, and where lines end."""
        text = re.sub(r":\d{5}|-[0-9a-f]{12}|/[^\s']*(?=/\.build/demo)|manual__[^\s']*", "", text)
        return " ".join(text.split())

    page = (REPOSITORY / documented[0].page).read_text()
    (shown,) = re.findall(r"^```text\n(.+?)^```$", page, re.MULTILINE | re.DOTALL)
    printed = without_chance(done.stdout)
    position = 0
    for part in map(without_chance, shown.split("…\n")):
        assert part in printed[position:], part
        position = printed.index(part, position) + len(part)


def test_a_benchmark_from_a_shell(documented, service):
    done = in_a_shell(only(documented, "console"), REPOSITORY / "example_dags")
    assert done.returncode == 0, done.stderr
    assert "my-workspace/exact-match" in done.stdout


@pytest.fixture
def week(tmp_path) -> ScoreStore:
    """A score store with two jobs, the second of which is worse."""
    store = ScoreStore(str(tmp_path / "scores"))
    for day, (name, wrong) in enumerate({"monday": 20, "tuesday": 60}.items(), 1):
        values = [float(row >= wrong) for row in range(100)]
        store_job(store, name, values, metrics=[f"{WORKSPACE}/exact-match"], day=day, benchmark=QA_BENCH)
    return store


def test_commands_on_a_store(documented, week, tmp_path):
    done = in_a_shell(only(documented, "console"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{QA_BENCH}: mean of 2 jobs" in done.stdout
    assert week.pinned(workspace=WORKSPACE, benchmark=QA_BENCH).job == "monday"


@pytest.mark.parametrize(("candidate", "code"), [("monday", 0), ("tuesday", 1)])
def test_a_gate_in_a_shell(documented, week, tmp_path, candidate, code):
    for name, job in (("old", "monday"), ("new", candidate)):
        (tmp_path / name).mkdir()
        for file in ("aggregate-scores.json", "row-scores.parquet"):
            (tmp_path / name / file).symlink_to(next(tmp_path.glob(f"scores/**/{job}/{file}")))
    (tmp_path / "release.yaml").write_text("checks:\n  - {type: no_regression, metric: exact-match, margin: 0.1}\n")
    done = in_a_shell(only(documented, "console"), tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("FAIL" if code else "PASS") in done.stdout


def test_what_a_killed_worker_leaves_is_swept(documented, tmp_path):
    name = f".rows.parquet.{'0a' * 16}.part"
    made = [Path(tempfile.mkdtemp(prefix=prefix)).name for prefix in ("benchmark-rows-", "benchmark-gate-")]
    old = [Path("scores", name), *(Path("temporary", folder, "rows") for folder in made)]
    kept = [Path("scores", name.replace("a", "b")), Path("scores", "rows.parquet")]
    kept += [Path("temporary", folder, "x") for folder in ("others", "gate-tutorial", "benchmark-gate-of-mine")]
    three_days_ago = time.time() - 3 * 86_400
    for path in (tmp_path / each for each in [*old, *kept]):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for path in (old[0], old[1].parent, old[2].parent, kept[1], kept[2].parent):
        os.utime(tmp_path / path, (three_days_ago, three_days_ago))
    code = only(documented, "bash").replace("FOLDER", "scores")
    done = in_a_shell(code, tmp_path, TMPDIR=str(tmp_path / "temporary"))
    assert done.returncode == 0, done.stderr
    assert {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()} == set(kept)


def test_the_pool_of_the_service(documented):
    from airflow.cli.cli_parser import get_parser

    _, *arguments = shlex.split(only(documented, "bash"))
    options = get_parser().parse_args(arguments)
    assert (options.pool, int(options.slots), options.include_deferred) == ("evaluator", 4, True)


def test_the_log_of_the_package(documented, tmp_path):
    shown = in_a_shell(f"{only(documented, 'bash')}\nprintenv AIRFLOW__LOGGING__NAMESPACE_LEVELS", tmp_path).stdout
    levels = dict(pair.split("=") for pair in shown.split())
    gate = BenchmarkGateOperator(task_id="gate", job_name="job", checks=[Threshold("m", at_least=0)])
    for logger in (gate.log, BenchmarkHook().log, logging.getLogger(read_benchmark.__module__)):
        assert any(logger.name.startswith(name) for name in levels), logger.name
