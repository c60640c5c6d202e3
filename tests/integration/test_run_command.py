"""A benchmark from a shell."""

from __future__ import annotations

import json

import pytest

from airflow_provider_benchmarks.__main__ import main
from airflow_provider_benchmarks.store import ScoreStore
from airflow_provider_benchmarks.testing import EvaluationService
from airflow_provider_benchmarks.testing.seed import EXAMPLE_METRICS
from tests.integration.conftest import BENCHMARK, WORKSPACE

METRICS = {f"{WORKSPACE}/{name}": body for name, body in EXAMPLE_METRICS.items()}


@pytest.fixture
def benchmark(tmp_path):
    path = tmp_path / "qa.json"
    path.write_text(json.dumps({"name": BENCHMARK, "dataset": f"{WORKSPACE}/qa", "metrics": METRICS}))
    return str(path)


@pytest.fixture
def command(service):
    return lambda *arguments: main(["run", "--poll-interval", "0.05", *arguments])


def test_it_prints_the_scores(command, benchmark, capsys):
    assert command("--benchmark", benchmark) == 0
    out, err = capsys.readouterr()
    assert "metric_ref" in out
    for metric, mean in ((f"{WORKSPACE}/exact-match", "0.6"), (f"{WORKSPACE}/string-check", "0.8")):
        (line,) = (line for line in out.splitlines() if line.startswith(metric))
        assert line.split()[2] == mean
    assert f"of benchmark {BENCHMARK}" in err


def test_scores_as_json_and_in_a_store(command, benchmark, capsys, tmp_path):
    store = str(tmp_path / "store")
    assert command("--benchmark", benchmark, "--name", "shell-1", "--format", "json", "--store", store) == 0
    assert {record["mean"] for record in json.loads(capsys.readouterr().out)} == {0.6, 0.8}
    assert ScoreStore(store).find("shell-1", workspace=WORKSPACE).benchmark == BENCHMARK


def test_a_job_of_the_name_that_was_submitted_before_is_told_apart(command, benchmark, capsys, service):
    for told in ("submitted benchmark job", "attached to what was submitted before (completed): benchmark job"):
        assert command("--benchmark", benchmark, "--name", "shell-1") == 0
        assert f'{told} "shell-1"' in capsys.readouterr().err


def test_a_model_that_no_metric_reads_is_warned_of(command, tmp_path, capsys, service):
    exact = {"type": "exact-match", "reference": "{{item.reference}}", "candidate": "{{item.output}}"}
    other = {"name": f"{WORKSPACE}/other", "dataset": f"{WORKSPACE}/qa", "metrics": {f"{WORKSPACE}/exact-match": exact}}
    (tmp_path / "other.json").write_text(json.dumps(other))
    service.add_model(f"{WORKSPACE}/m")
    model = ("--model", f"{WORKSPACE}/m", "--prompt-template", "{{item.question}}", "--no-wait")
    assert command("--benchmark", str(tmp_path / "other.json"), *model) == 0
    assert f"warning: {WORKSPACE}/other: no metric reads what the model returns" in capsys.readouterr().err


def test_without_waiting_it_prints_the_name(command, benchmark, capsys, service):
    service.hold_jobs("active")
    assert command("--benchmark", benchmark, "--name", "shell-1", "--no-wait") == 0
    assert capsys.readouterr().out == "shell-1\n"


def test_params_reach_the_service(command, benchmark, capsys):
    assert command("--benchmark", benchmark, "--param", "limit_samples=2", "--format", "json") == 0
    assert {record["count"] for record in json.loads(capsys.readouterr().out)} == {2}


@pytest.mark.parametrize("fails", [True, False])
def test_a_job_that_does_not_complete_is_told_apart(command, benchmark, capsys, service, fails):
    if fails:
        service.fail_jobs(BENCHMARK, "out of memory")
    else:
        service.hold_jobs("active")
    assert command("--benchmark", benchmark, "--timeout", "0.3") == 1
    assert ("out of memory" if fails else "did not end in time") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--benchmark", "/no/such.yaml"], "No such file"),
        (["--model", "ws/m"], "a model needs a prompt_template"),
        (["--prompt-template", "{{item.input}}"], "a prompt_template needs a model"),
        (["--param", "limit_samples"], '--param: "limit_samples" has no NAME=VALUE'),
        (["--param", "a=1", "--param", "a=2"], '--param: "a=2" is there twice'),
        (["--param", "limit_samples=many"], "limit_samples"),
        (["--no-wait", "--store", "x"], "--store needs the job's scores"),
        (["--poll-interval", "0"], "--poll-interval must be more than 0"),
        (["--timeout", "nan"], "--timeout must be more than 0, found nan"),
        (["--timeout", "inf"], "--timeout must be a finite number of seconds, found inf"),
        (["--timeout", "0"], "--timeout must be more than 0, found 0.0"),
        (["--timeout=-1"], "--timeout must be more than 0, found -1.0"),
        (["--poll-interval", "inf"], "--poll-interval must be a finite number of seconds"),
        (["--benchmark", "foo://x/b.yaml"], "foo://x/b.yaml: nothing here opens such a URL"),
        (["--param", f"x={'[' * 100_000}"], "--param x is nested too deep: [[["),
        (["--model", '{"a":' * 100_000, "--prompt-template", "x"], "--model is nested too deep"),
        (["--param", "x=NaN"], "params.x must be a text, a finite number"),
        (["--model", '{"url": "x"', "--prompt-template", "{{item.q}}"], "--model is no reference, and no JSON object"),
        (["--model", "[1]", "--prompt-template", "{{item.q}}"], "--model is no reference, and no JSON object"),
        (["--conn-id", "zzz"], 'there is no Airflow connection "zzz": create it, or set AIRFLOW_CONN_ZZZ'),
    ],
)
def test_what_can_not_be_run_is_told_apart(command, benchmark, capsys, arguments, message):
    assert command("--benchmark", benchmark, *arguments) == 2
    err = capsys.readouterr().err
    assert "could not run: " in err
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"conn_type": "nemo_evaluator", "password": "s3cr3t",,}', "it is not JSON: Expecting property name"),
        ('{"hots": "e.example.com"}', "its JSON is not that of a connection"),
    ],
)
def test_a_connection_that_airflow_can_not_read_is_no_missing_one(benchmark, capsys, monkeypatch, text, problem):
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", text)
    assert main(["run", "--benchmark", benchmark, "--conn-id", "broken"]) == 2
    err = capsys.readouterr().err
    assert (problem in err, "s3cr3t" in err, "there is no Airflow" in err) == (True, False, False)
    assert "AIRFLOW_CONN_BROKEN" in err


def test_a_job_that_has_scored_nothing_is_no_success(benchmark, capsys, monkeypatch):
    """Release 0.6 calls such a job completed."""
    with EvaluationService(release="0.6", job_seconds=0.05) as service:
        service.seed_question_answer_example()
        monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", service.connection_json())
        scores = [{"name": "exact-match.exact-match", "count": 0, "nan_count": 2, "mean": None}]
        service.give_results(None, aggregate={"scores": scores})
        assert main(["run", "--poll-interval", "0.05", "--benchmark", benchmark]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "could be scored: its rows and its log on the service have the reasons" in err
