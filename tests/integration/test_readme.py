"""What README.md shows works as it stands there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_benchmarks.benchmarks import Benchmark, read_benchmark
from airflow_provider_benchmarks.gates.policy import read_policy
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from tests.integration.conftest import completed_job, only_sync
from tests.support.airflow_runs import REPOSITORY, AirflowHome

README = (REPOSITORY / "README.md").read_text()
if not AIRFLOW_V_3_0_PLUS:  # as its comments tell the users of Airflow 2
    README = re.sub(r"^.+  # Airflow 2: (.+)$", r"\1", README, flags=re.MULTILINE)


def block(language: str, begin: str) -> str:
    """The only code block of a language that has a line which begins so."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    (found,) = [each for each in blocks if re.search(rf"^{re.escape(begin)}", each, flags=re.MULTILINE)]
    return found


def test_every_block_of_python_is_tested_here():
    assert len(re.findall(r"^```python$", README, flags=re.MULTILINE)) == 5


def test_the_five_minute_dag_passes_the_documented_test(tmp_path):
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "five_minute.py").write_text(block("python", "def five_minute_gate"))
    (tmp_path / "dags" / "benchmarks").mkdir()
    (tmp_path / "dags" / "benchmarks" / "qa-bench.yaml").write_text(block("yaml", "# benchmarks/qa-bench.yaml"))
    first, _, rest = block("python", "def test_a_bad_model_is_stopped").partition("\n")
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
def test_scores_in_a_notebook(service, client, tmp_path):
    BenchmarkHook().download_row_scores(
        completed_job(client, "my-job"), f"{tmp_path}/row-scores.parquet", format="parquet"
    )
    code = block("python", "client = ").replace("https://evaluator.example.com", service.url).replace("nvapi-1", "")
    *statements, aggregate, low, stored = ast.parse(code.replace("s3://scores/my-job", str(tmp_path))).body
    names: dict[str, Any] = {}
    exec(compile(ast.Module(statements, []), "README.md", "exec"), names)  # noqa: S102
    shown = [eval(ast.unparse(expression), names) for expression in (aggregate, low, stored)]

    assert list(shown[0]["mean"]) == [0.6, 0.8]
    assert [len(frame) for frame in shown[1:]] == [3, 5]
    assert list(shown[2].columns) == ["input", "exact-match"]


def test_a_policy_file():
    policy = read_policy(block("yaml", "if_inconclusive: fail"))
    assert [check.kind for check in policy.checks] == ["threshold", "no_regression", "no_regression", "no_drift"]
    assert (policy.if_inconclusive, policy.if_no_baseline) == ("fail", "warn")


def test_the_benchmark_file_is_that_of_the_example_dags(tmp_path):
    (tmp_path / "qa-bench.yaml").write_text(block("yaml", "# benchmarks/qa-bench.yaml"))
    benchmark = read_benchmark(tmp_path / "qa-bench.yaml")
    assert isinstance(benchmark, Benchmark)
    assert benchmark == read_benchmark(REPOSITORY / "example_dags" / "benchmarks" / "qa-bench.yaml")


def test_results_of_another_evaluator_are_judged(tmp_path):
    run = REPOSITORY / "tests" / "recorded" / "evaluators" / "inspect_ai" / "worse"
    code = block("python", "with DAG(").replace("s3://aws@runs/{{ ds }}", str(run))
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "judge.py").write_text(code.replace("s3://aws@scores", f"file://{tmp_path}/scores"))
    airflow = AirflowHome(tmp_path / "airflow", tmp_path / "dags")
    airflow.prepare()

    outcome = airflow.test_dag("judge_results", "http://127.0.0.1:1")
    assert (outcome.tasks["results"], outcome.state) == ("success", "failed"), outcome.log
    assert "match" in outcome.log
    assert "GateFailed" in outcome.log


def test_notifiers_send_to_both_chats(monkeypatch):
    from airflow.providers.http.hooks.http import HttpHook
    from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(HttpHook, "run", lambda self, json: sent.append((self.http_conn_id, json["text"])))
    monkeypatch.setattr(SlackWebhookHook, "__init__", lambda self, slack_webhook_conn_id, **options: None)
    answer = SimpleNamespace(status_code=200, api_url="")
    monkeypatch.setattr(SlackWebhookHook, "send", lambda self, text, **rest: sent.append(("slack", text)) or answer)
    names: dict[str, Any] = {}
    exec(compile(block("python", "tell_slack = "), "README.md", "exec"), names)  # noqa: S102
    ti = SimpleNamespace(
        dag_id="d", task_id="gate", run_id="r", map_index=-1, log_url="", xcom_pull=lambda **arguments: None
    )
    context = {"ti": ti, "exception": ValueError("it *broke*"), "dag": None}
    for name in ("tell_slack", "tell_teams"):
        names[name](context)
    (_, slack), (conn_id, teams) = sent
    assert slack.startswith("*No verdict: the task failed before*")
    assert (conn_id, "it \\*broke" in teams) == ("teams", True)
