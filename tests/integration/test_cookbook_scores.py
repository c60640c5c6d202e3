"""The answers of docs/cookbook.md about jobs, scores and settings do what they say, as they stand there."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.scores import read_row_scores
from airflow_provider_benchmarks.store import ScoreStore
from airflow_provider_benchmarks.testing import EvaluationService
from tests.integration.conftest import BENCHMARK, WORKSPACE
from tests.support.airflow_runs import REPOSITORY, AirflowHome
from tests.support.contexts import task_context, until
from tests.support.documents import blocks_of
from tests.support.page_commands import run_commands
from tests.support.page_dags import PageDags
from tests.support.page_jobs import give, run_job, share
from tests.support.s3_server import BUCKET
from tests.support.tls_front import tls_front
from tests.support.watchers import polls

OF_BENCHMARK = {"workspace": WORKSPACE, "benchmark": BENCHMARK}
GOOD, BAD = share(100), share(60)


@pytest.fixture
def dags(pages: PageDags) -> PageDags:
    """The folder of the DAGs, with the benchmark files."""
    for name, block in zip(("qa-bench", "qa-online"), blocks_of("test_the_benchmark_file"), strict=True):
        pages.write(f"benchmarks/{name}.yaml", block.code)
    return pages


@pytest.fixture
def stored(dags, service, tmp_path) -> ScoreStore:
    """A score store with the jobs qa-41 and qa-42, the second of which is worse at math."""
    dry_run = blocks_of("test_a_dry_run")[0].code.replace("/tmp/", f"{tmp_path}/")
    for name, values in (("qa-41", GOOD), ("qa-42", [value * (i % 4 != 1) for i, value in enumerate(GOOD)])):
        run_job(service, name, values)
        assert dags.run(dry_run, {"job": name}).state == "success"
    return ScoreStore(dags.store)


def execute(code: str) -> dict[str, object]:
    """Run a script; return its variables."""
    names: dict[str, object] = {}
    exec(compile(code, "cookbook.md", "exec"), names)  # noqa: S102
    return names


def submitted(service: EvaluationService) -> list[dict[str, object]]:
    return [json.loads(each.body) for each in service.requests if each.path.endswith("/benchmark-jobs") and each.body]


def test_long_jobs(documented, dags, service):
    (block,) = documented
    assert dags.run(block.code).state == "success"
    service.hold_jobs("active")
    short = block.code.replace("timedelta(hours=6)", "0.2").replace("retries=1", "retries=0")
    assert dags.run(short).state == "failed"
    assert [request.method for request in service.requests if request.path.endswith("/cancel")] == ["POST"]


def test_a_smoke_run(documented, dags, service, tmp_path):
    (block,) = documented
    run = dags.run(block.code)
    assert (run.state, run.xcoms["gate", "verdict"]["results"][0]["count"]) == ("failed", 3)
    assert dags.run(block.code, {"limit_samples": 5}).state == "success"
    assert [body["spec"]["params"]["limit_samples"] for body in submitted(service)] == [3, 5]
    assert not (tmp_path / "scores").exists()


async def test_start_on_a_finished_job(documented, dags, service):
    (block,) = documented
    if not AIRFLOW_V_3_0_PLUS:
        with pytest.raises(AssertionError, match="airflow.sdk"):
            dags.load(block.code)
        return
    dag = dags.load(block.code)
    trigger = execute(block.code)["trigger"]
    trigger.poll_interval = 0.05
    events = trigger.run()
    first = asyncio.ensure_future(anext(events))
    await until(lambda: polls(service) >= 2)
    await asyncio.to_thread(run_job, service, "qa-42", GOOD)
    event = await asyncio.wait_for(first, 60)
    await events.aclose()
    assert event.payload["job_name"] == "qa-42"
    assert {task.task_id for task in dag.tasks} == {"job_names", "gate"}


def test_scores_in_the_next_task(documented, dags, service, capsys):
    (block,) = documented
    run = dags.run(block.code, {"job": run_job(service, "qa-42", share(90))})
    assert run.xcoms["tell", "return_value"] == {"my-workspace/exact-match": 0.75}
    assert "exact-match: 75.0%" in capsys.readouterr().out


def test_rows_in_s3(documented, dags, service, s3, monkeypatch):
    (block,) = documented
    monkeypatch.setenv("AIRFLOW_CONN_AWS", s3.connection)
    code = block.code.replace("benchmark-scores", BUCKET)
    run = dags.run(code, {"job": run_job(service, "qa-42", GOOD)})
    stored = run.xcoms["rows", "return_value"]
    assert (run.state, stored["rows"]) == ("success", 120)
    assert "rows/qa-42.jsonl.gz" in s3.list_keys()
    assert list(read_row_scores(stored["path"])["exact-match"]) == GOOD


def test_partitioned_parquet(documented, dags, service, s3, monkeypatch):
    (block,) = documented
    monkeypatch.setenv("AIRFLOW_CONN_AWS", s3.connection)
    code = block.code.replace("benchmark-scores", BUCKET)
    run = dags.run(code, {"job": run_job(service, "qa-42", GOOD)})
    path = run.xcoms["rows", "return_value"]["path"]
    keys = [key.removeprefix("by-category/qa-42/") for key in s3.list_keys() if key.startswith("by-category/qa-42/")]
    assert sorted(re.sub(r"rows-.*\.", "rows-….", key) for key in keys) == [
        "_manifest.json",
        "category=math/rows-….parquet",
        "category=prose/rows-….parquet",
    ]
    assert list(read_row_scores(path)["exact-match"]) == GOOD


def test_a_notebook(documented, stored, service, capsys):
    (block,) = documented
    code = block.code.replace("https://evaluator.example.com", service.url)
    code = code.replace("s3://aws@benchmark-scores", stored.root)
    capsys.readouterr()
    names = execute(code.replace('"the-token"', "None"))
    assert len(names["rows"]) == 120
    assert names["scores"]["metric_ref"].tolist() == ["my-workspace/exact-match"]
    assert (names["bad"]["exact-match"] == 0).all()
    assert "category = math" in capsys.readouterr().out


def test_sql_on_the_store(documented, stored, tmp_path, capsys):
    (block,) = documented
    found = execute(block.code.replace("/srv/scores", f"{tmp_path}/scores"))["by_job"]
    assert found[["job", "category"]].to_numpy().tolist() == [
        ["qa-41", "math"],
        ["qa-41", "prose"],
        ["qa-42", "math"],
        ["qa-42", "prose"],
    ]
    assert found["number"].tolist() == [60] * 4
    assert found["mean"][2] < found["mean"][0]
    assert found["mean"][3] == found["mean"][1]


def test_another_evaluator(documented, dags):
    (block,) = documented
    run = dags.run(block.code, {"run": str(REPOSITORY / "tests" / "recorded" / "evaluators" / "lm-eval" / "better")})
    assert run.tasks["results"] == "success"
    assert run.xcoms["gate", "verdict"]["results"][0]["metric"].endswith("exact_match")


def test_a_ca_of_ones_own(documented, service, tmp_path, monkeypatch):
    (block,) = documented
    code = block.code.replace('"password": "the-token", ', "")
    printed = run_commands(f"{code}\nprintenv AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT")
    with tls_front(service.url, tmp_path) as (url, authority):
        connection = printed.replace("https://evaluator.example.com", url)
        monkeypatch.setenv(
            "AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", connection.replace("/etc/ssl/corp-ca.pem", str(authority))
        )
        reached, message = BenchmarkHook().test_connection()
        assert reached, message
        without = connection.replace(', "verify": "/etc/ssl/corp-ca.pem"', "")
        assert "verify" not in without
        monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", without)
        reached, message = BenchmarkHook().test_connection()
        assert not reached
        assert "certificate" in message


def test_a_gateway_and_secrets(documented, tmp_path):
    connections, settings = documented
    with EvaluationService(token="the-token") as service:
        service.seed_question_answer_example()
        code = connections.code.replace("https://gateway.example.com/evaluator", service.url)
        (tmp_path / "connections.json").write_text(code)
        commands = settings.code.replace("/run/secrets", str(tmp_path))
        test = "from airflow_provider_benchmarks import BenchmarkHook; print(BenchmarkHook().test_connection())"
        printed = run_commands(f"unset AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT\n{commands}\npython -c '{test}'")
        assert "(True, " in printed
        assert {request.headers.get("x-tenant") for request in service.requests} == {"qa"}


def test_two_installations(documented, dags, service, monkeypatch):
    (block,) = documented
    printed = run_commands(f"{block.code}\nprintenv AIRFLOW__BENCHMARKS__DEPLOYMENT")
    names = []
    for deployment in (None, None, printed.strip(), "production"):
        if deployment:
            monkeypatch.setenv("AIRFLOW__BENCHMARKS__DEPLOYMENT", deployment)
        run = RunBenchmarkJobOperator(task_id="run", benchmark=BENCHMARK, poll_interval=0.05)
        names.append(run.execute(task_context()))
    assert (printed, len(names), len(set(names))) == ("staging\n", 4, 3)


def test_ci(documented, dags, service):
    (block,) = documented
    dags.write("policies/ci.yaml", "checks: [{metric: exact-match, at_least: 0.7}]")
    quick = block.code.replace("--store scores", "--store scores --poll-interval 0.1")
    give(service, GOOD)
    run_commands(quick, dags, GIT_COMMIT="abc")
    assert (dags.folder / "verdict.md").read_text().startswith("**PASS")
    give(service, BAD)
    run_commands(quick, dags, expected=1, GIT_COMMIT="def")
    assert (dags.folder / "verdict.md").read_text().startswith("**FAIL")


def test_test_a_dag(documented, tmp_path):
    (block,) = documented
    first, _, rest = block.code.partition("\n")
    (tmp_path / "dags" / "benchmarks").mkdir(parents=True)
    (tmp_path / "dags" / "benchmarks" / "qa-bench.yaml").write_text(blocks_of("test_the_benchmark_file")[0].code)
    (tmp_path / "dags" / "smoke_run.py").write_text(blocks_of("test_a_smoke_run")[0].code)
    (tmp_path / "conftest.py").write_text(first)
    (tmp_path / "test_smoke_run.py").write_text(rest)
    airflow = AirflowHome(tmp_path / "airflow", tmp_path / "dags")
    airflow.prepare()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_smoke_run.py"],
        cwd=tmp_path,
        env=airflow.environment("http://127.0.0.1:1", PYTHONPATH=f"{tmp_path}:{REPOSITORY}"),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
