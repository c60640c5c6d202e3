"""Where a gate finds its policy file, and when it says that there is none."""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_benchmarks import gates
from airflow_provider_benchmarks.__main__ import main
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import read_policy
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator, GateFailed
from airflow_provider_benchmarks.reviewed_text import MAX_BYTES
from airflow_provider_benchmarks.store import ScoreStore
from tests.integration.conftest import BENCHMARK, WORKSPACE
from tests.support import gate_jobs
from tests.support.contexts import task_context
from tests.support.s3_server import BUCKET

THRESHOLD = {"checks": [{"metric": "m", "at_least": 0.5}]}


@pytest.fixture
def run_job(service):
    return partial(gate_jobs.run_job, service)


def gate(context=None, **arguments):
    return BenchmarkGateOperator(task_id="gate", **arguments).execute(context or task_context())


def outcomes(verdict):
    return [result["outcome"] for result in verdict["results"]]


POLICY = """
if_no_baseline: fail
checks:
  - metric: m
    at_least: 0.5
  - type: no_regression
    metric: m
    margin: 0.02
"""


class TestWhatIsInIt:
    def test_a_policy_is_read_and_judged_by(self, run_job, tmp_path):
        (tmp_path / "release.yaml").write_text(POLICY)
        run_job("baseline"), run_job("by-policy")
        policy, store = str(tmp_path / "release.yaml"), str(tmp_path / "store")
        verdict = gate(job_name="by-policy", policy=policy, baseline="baseline")
        assert outcomes(verdict) == ["pass", "pass"]
        with pytest.raises(GateFailed, match="no baseline"):
            gate(job_name="by-policy", policy=policy, store=store)
        verdict = gate(job_name="by-policy", policy=policy, store=store, if_no_baseline="pass")
        assert verdict["summary"] == "PASS: 1 of 2 checks hold, 1 passes unproven"

    def test_one_in_object_storage(self, run_job, s3):
        s3.client.put_object(Bucket=BUCKET, Key="policies/p.json", Body=json.dumps(THRESHOLD))
        policy = f"s3://aws_scores@{BUCKET}/policies/p.json"
        assert gate(job_name=run_job("far-policy"), policy=policy)["outcome"] == "pass"

    def test_one_on_disk_may_be_called_like_a_url(self, run_job, tmp_path):
        (tmp_path / "s3:" / "bucket").mkdir(parents=True)
        (tmp_path / "s3:" / "bucket" / "p.json").write_text(json.dumps(THRESHOLD))
        assert gate(job_name=run_job("near-policy"), policy=f"{tmp_path}/s3://bucket/p.json")["outcome"] == "pass"

    @pytest.mark.parametrize("far", [True, False])
    def test_of_one_that_is_too_large_no_more_is_read_than_shows_it(self, run_job, s3, tmp_path, monkeypatch, far):
        read = []
        monkeypatch.setattr(gates, "read_policy", lambda content, name: read.append(content) or read_policy(content))
        content = b"#" * (5 * MAX_BYTES)
        (tmp_path / "large.yaml").write_bytes(content)
        s3.client.put_object(Bucket=BUCKET, Key="policies/large.yaml", Body=content)
        policy = f"s3://aws_scores@{BUCKET}/policies/large.yaml" if far else str(tmp_path / "large.yaml")
        with pytest.raises(ConfigurationError, match="larger than the 131,072 bytes that a policy may have"):
            gate(job_name=run_job("large-policy"), policy=policy)
        assert len(read[0]) == MAX_BYTES + 1

    def test_a_wrong_one_fails_when_the_dag_is_parsed(self, tmp_path):
        (tmp_path / "wrong.yaml").write_text(POLICY.replace("margin", "margn"))
        with pytest.raises(ConfigurationError, match='wrong.yaml, line 8: no_regression on "m": unknown field "margn"'):
            BenchmarkGateOperator(task_id="g", job_name="j", policy=str(tmp_path / "wrong.yaml"))


def test_a_shell_judges_a_job_of_a_store_in_object_storage(run_job, s3, capsys):
    store = f"s3://aws_scores@{BUCKET}/judged-from-a-shell"
    gate(job_name=run_job("released"), checks=THRESHOLD["checks"], store=store)
    gate(job_name=run_job("candidate"), checks=THRESHOLD["checks"], store=store)
    s3.client.put_object(Bucket=BUCKET, Key="policies/shell.yaml", Body=POLICY)
    history = ScoreStore(store).history(workspace=WORKSPACE, benchmark=BENCHMARK)
    stored = {job.job: job.rows.path.removesuffix("/row-scores.parquet") for job in history}

    capsys.readouterr()
    policy = f"s3://aws_scores@{BUCKET}/policies/shell.yaml"
    code = main(["gate", "--policy", policy, "--candidate", stored["candidate"], "--baseline", stored["released"]])
    assert (code, capsys.readouterr().out.partition("\n")[0]) == (0, "PASS: 2 of 2 checks hold (baseline: released)")


@pytest.fixture
def dags_folder(tmp_path, monkeypatch):
    folder = tmp_path / "dags"
    (folder / "team" / "nightly").mkdir(parents=True)
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(folder))
    return folder


def gate_in_dag(folder, policy, **arguments):
    """A gate of a DAG file in a folder."""
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
        dag.fileloc = str(folder / "dag.py")
        return BenchmarkGateOperator(task_id="gate", job_name="job-1", policy=policy, **arguments)


class TestWhereItIs:
    @pytest.mark.parametrize("place", ["team/nightly", "team", "."])
    def test_beside_the_dag_file_or_above_it_up_to_the_dags_folder(self, run_job, dags_folder, place):
        policies = dags_folder / place / "policies"
        policies.mkdir()
        (policies / "p.json").write_text(json.dumps(THRESHOLD))
        run_job("job-1")
        operator = gate_in_dag(dags_folder / "team" / "nightly", "policies/p.json")
        assert operator.execute(task_context())["outcome"] == "pass"

    def test_the_nearest_one_counts(self, dags_folder):
        for place in (dags_folder, dags_folder / "team"):
            (place / "p.json").write_text(json.dumps(THRESHOLD if place.name == "team" else {"checks": []}))
        gate_in_dag(dags_folder / "team" / "nightly", "p.json")
        with pytest.raises(ConfigurationError, match="p.json, line 1: expected a list of one or more checks"):
            gate_in_dag(dags_folder, "p.json")

    def test_up_to_the_root_of_a_bundle(self, dags_folder, tmp_path, monkeypatch):
        bundle = tmp_path / "bundle"
        (bundle / "dags").mkdir(parents=True)
        (bundle / "p.json").write_text(json.dumps(THRESHOLD))
        with pytest.raises(ConfigurationError, match="there is no policy file"):
            gate_in_dag(bundle / "dags", "p.json")
        monkeypatch.syspath_prepend(str(bundle))  # as Airflow does for a bundle
        gate_in_dag(bundle / "dags", "p.json")

    def test_not_in_the_folder_that_a_worker_happens_to_run_in(self, dags_folder, tmp_path, monkeypatch):
        (tmp_path / "here.json").write_text(json.dumps(THRESHOLD))
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ConfigurationError, match='there is no policy file "here.json"'):
            gate_in_dag(dags_folder, "here.json")
        with pytest.raises(ConfigurationError, match='there is no policy file "here.json"'):
            gate(job_name="job-1", policy="here.json")

    def test_a_templated_one_is_found_when_the_task_runs(self, run_job, dags_folder):
        (dags_folder / "strict.json").write_text(json.dumps(THRESHOLD))
        run_job("job-1")
        operator = gate_in_dag(dags_folder, "{{ params.level }}.json")
        operator.render_template_fields({"params": {"level": "strict"}})
        assert operator.policy_text == json.dumps(THRESHOLD)
        assert [check["at_least"] for check in operator.rendered_checks] == [THRESHOLD["checks"][0]["at_least"]]
        assert operator.execute(task_context())["outcome"] == "pass"

    def test_a_path_object(self, run_job, tmp_path):
        (tmp_path / "p.json").write_text(json.dumps(THRESHOLD))
        assert gate(job_name=run_job("job-1"), policy=tmp_path / "p.json")["outcome"] == "pass"


class TestWhereItIsNot:
    def test_the_places_that_were_tried_are_reported_when_the_dag_is_parsed(self, dags_folder):
        with pytest.raises(ConfigurationError) as caught:
            gate_in_dag(dags_folder / "team", "policies/nowhere.yaml")
        assert str(caught.value) == (
            'gate "gate": there is no policy file "policies/nowhere.yaml". Looked at: '
            f"{dags_folder}/team/policies/nowhere.yaml, {dags_folder}/policies/nowhere.yaml"
        )
        with pytest.raises(ConfigurationError, match="Looked at: /no/such.yaml"):
            gate_in_dag(dags_folder, "/no/such.yaml")

    def test_an_operator_without_a_dag_says_it_when_it_runs(self):
        operator = BenchmarkGateOperator(task_id="gate", job_name="job-1", policy="nowhere.yaml")
        with pytest.raises(
            ConfigurationError, match='gate "gate": there is no policy file "nowhere.yaml". Looked at: no'
        ):
            operator.execute(task_context())

    def test_a_folder(self, dags_folder):
        with pytest.raises(ConfigurationError, match=f'gate "gate": the policy {dags_folder}/team is a folder'):
            gate_in_dag(dags_folder, "team")
        with pytest.raises(ConfigurationError, match=f'gate "gate": the policy "file://{dags_folder}" is a folder'):
            gate(job_name="job-1", policy=f"file://{dags_folder}")

    @pytest.mark.parametrize("value", ["", None, "   "])
    def test_a_template_that_returns_nothing(self, dags_folder, value):
        operator = gate_in_dag(dags_folder, "{{ params.level }}")
        operator.policy = value  # None where the DAG renders templates as native objects
        with pytest.raises(
            ConfigurationError, match=f'gate "gate": policy must be the path of a file, found {value!r}'
        ):
            operator.execute(task_context())

    def test_a_storage_that_does_not_exist(self):
        with pytest.raises(ConfigurationError, match='gate "gate": the policy "foo://p.yaml" is in no storage'):
            gate(job_name="job-1", policy="foo://p.yaml")

    def test_nothing_at_a_url(self, tmp_path):
        with pytest.raises(
            ConfigurationError, match=f'gate "gate": there is no policy file "file://{tmp_path}/p.yaml"'
        ):
            gate(job_name="job-1", policy=f"file://{tmp_path}/p.yaml")
