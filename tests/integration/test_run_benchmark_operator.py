"""RunBenchmarkJobOperator with a benchmark as code, on a service that runs stored ones."""

from __future__ import annotations

import json
import math
from copy import copy
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_2_PLUS

from airflow_provider_benchmarks.benchmarks import Benchmark, RecordedBenchmark
from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import ConfigurationError, Conflict
from airflow_provider_benchmarks.operators._job_content import own_params
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.testing.seed import EXAMPLE_METRICS
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE
from tests.support.contexts import run_task, task_context
from tests.support.s3_server import BUCKET

METRICS = {f"{WORKSPACE}/{name}": body for name, body in EXAMPLE_METRICS.items()}
STORED = Benchmark(BENCHMARK, dataset=f"{WORKSPACE}/qa", metrics=METRICS)
FILE = json.dumps({"name": BENCHMARK, "dataset": f"{WORKSPACE}/qa", "metrics": METRICS})
MODEL = {"url": "http://model/v1", "name": "m"}


@pytest.fixture
def client(service):
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        yield client


def operator(**arguments):
    return RunBenchmarkJobOperator(**{"task_id": "run", "poll_interval": 0.05, "timeout": 60, **arguments})


def render(context, **arguments):
    made = operator(dag=DAG("nightly", schedule=None, start_date=datetime(2026, 1, 1)), **arguments)
    rendered = copy(made)
    rendered.render_template_fields(context)
    return rendered


class TestRunning:
    def test_an_object_a_file_and_a_reference_run_the_same(self, make, client, tmp_path):
        (tmp_path / "qa.json").write_text(FILE)
        for number, benchmark in enumerate([STORED, str(tmp_path / "qa.json"), BENCHMARK]):
            name = run_task(make(spec=None, benchmark=benchmark), task_context(task_id=f"run-{number}"))
            job = client.get_job(name)
            assert (job.benchmark, job.status) == (BENCHMARK, "completed")
            recorded = RecordedBenchmark.from_custom_fields(job.custom_fields)
            assert recorded == (None if benchmark == BENCHMARK else RecordedBenchmark.of(STORED))

    def test_a_file_in_object_storage(self, make, client, s3):
        s3.client.put_object(Bucket=BUCKET, Key="benchmarks/qa.json", Body=FILE)
        path = f"s3://aws_scores@{BUCKET}/benchmarks/qa.json"
        assert client.get_job(run_task(make(spec=None, benchmark=path), task_context())).benchmark == BENCHMARK

    def test_a_retry_attaches_unless_it_is_to_run_something_else(self, service, client):
        service.hold_jobs("active")
        context = task_context()
        run = operator(benchmark=STORED, wait_for_completion=False)
        assert run.execute(context) == run.execute(context)
        assert len(list(client.list_jobs())) == 1
        run.job_params = {"limit_samples": 2}
        with pytest.raises(Conflict, match="its spec differs in params"):
            run.execute(context)

    def test_the_tasks_own_params_reach_the_service_and_the_dags_do_not(self, client):
        dag = DAG(
            "nightly", schedule=None, start_date=datetime(2026, 1, 1), params={"store": "s3://b", "parallelism": 2}
        )
        run = operator(dag=dag, benchmark=STORED, params={"limit_samples": 2, "parallelism": 2})
        sent = client.get_job(run.execute(task_context())).spec["params"]
        assert (sent["limit_samples"], sent.get("store")) == (2, None)
        # Before, no param says whose it is: one that equals the DAG's is taken for the DAG's.
        equal = {"parallelism": 2} if AIRFLOW_V_3_2_PLUS else {}
        assert run.job_params == {"limit_samples": 2, **equal}

    def test_who_triggers_a_run_can_set_its_params(self, client):
        run = operator(benchmark=STORED, params={"limit_samples": 2})
        context = task_context() | {"params": {"limit_samples": 1, "store": "s3://b"}}
        assert client.get_job(run.execute(context)).spec["params"]["limit_samples"] == 1

    def test_a_task_without_params_sends_none(self, client):
        dag = DAG("nightly", schedule=None, start_date=datetime(2026, 1, 1), params={"limit_samples": 3})
        run = operator(dag=dag, benchmark=STORED)
        context = task_context() | {"params": {"limit_samples": 1}}
        assert client.get_job(run.execute(context)).spec["params"]["limit_samples"] is None

    def test_params_beside_a_spec_are_airflows_alone(self, client):
        run = operator(spec=SPEC, params={"limit_samples": 2})
        assert client.get_job(run.execute(task_context())).spec["params"].get("limit_samples") is None

    def test_before_airflow_tells_whose_a_param_is_a_task_owns_those_that_differ(self):
        class Params(dict):
            get_param = dict.get

        task = SimpleNamespace(
            params=Params(both=1, changed=2, own=3),
            dag=SimpleNamespace(params={"both": 1, "changed": 1}),
            has_dag=lambda: True,
        )
        assert own_params(task) == {"changed": 2, "own": 3}


class TestTemplates:
    def test_path_model_and_params_are_rendered_and_the_services_own_templates_are_not(self, tmp_path):
        rendered = render(
            {"ds": "2026-11-28", "limit": 5},
            benchmark=str(tmp_path / "{{ ds }}.yaml"),
            model={"url": "http://model", "name": "m-{{ ds }}"},
            prompt_template="Question: {{item.input}}",
            params={"limit_samples": "{{ limit }}"},
        )
        assert rendered.benchmark == str(tmp_path / "2026-11-28.yaml")
        assert rendered.model["name"] == "m-2026-11-28"
        assert rendered.prompt_template == "Question: {{item.input}}"
        assert rendered.job_params == {"limit_samples": "5"}

    def test_a_benchmark_keeps_its_templates(self):
        assert render({"item": "?"}, benchmark=STORED).benchmark == STORED


class TestMistakes:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({}, 'task "run": give a benchmark, such as "benchmarks/qa-bench.yaml", or a spec'),
            ({"spec": SPEC, "benchmark": STORED, "model": MODEL}, "put benchmark, model into it, or leave the spec"),
            ({"benchmark": STORED, "model": MODEL}, 'task "run": .*: a model needs a prompt_template'),
            ({"benchmark": BENCHMARK, "prompt_template": "x"}, "a prompt_template needs a model"),
            ({"benchmark": {"name": "w/b"}}, "benchmark must be a Benchmark, .* found {'name': 'w/b'}"),
            ({"benchmark": ["qa.yaml"]}, r'task "run": benchmark must be a Benchmark, .* found \['),
            ({"benchmark": 5}, "benchmark must be a Benchmark, .* found 5"),
            ({"benchmark": ""}, "benchmark must be a Benchmark, .* found ''"),
            ({"spec": "x"}, "spec must be a mapping, the service's own job spec, found 'x'"),
            ({"spec": [1]}, r"spec must be a mapping, the service's own job spec, found \[1\]"),
            ({"benchmark": STORED, "job_name": 5}, 'task "run": job_name must be a name, or None, found 5'),
            ({"benchmark": STORED, "model": 5}, "model must be a reference .* found 5"),
            ({"benchmark": STORED, "model": ["w/m"], "prompt_template": "x"}, "model must be a reference"),
            (
                {"benchmark": STORED, "model": MODEL, "prompt_template": ["a"]},
                "prompt_template must be a text or a map",
            ),
            ({"spec": {"params": {}}}, 'spec needs a "benchmark", such as "my-workspace/qa-bench", or "metrics"'),
        ],
    )
    def test_what_is_not_clear_is_refused_while_the_dag_is_parsed(self, arguments, message):
        with pytest.raises(ConfigurationError, match=message):
            operator(**arguments)

    def test_a_model_that_no_metric_reads_is_warned_of_while_the_dag_is_parsed_and_when_the_task_runs(
        self, service, tmp_path, task_log
    ):
        metrics = {name: body for name, body in METRICS.items() if "candidate" in body}
        content = {"name": f"{WORKSPACE}/other", "dataset": f"{WORKSPACE}/qa", "metrics": metrics}
        (tmp_path / "qa.json").write_text(json.dumps(content))
        arguments = {"benchmark": str(tmp_path / "qa.json"), "model": MODEL, "prompt_template": "{{item.question}}"}
        with pytest.warns(UserWarning, match='task "run": my-workspace/other: no metric reads what the model returns'):
            run = operator(**arguments, wait_for_completion=False)
        run.execute(task_context())
        assert "my-workspace/other: no metric reads what the model returns" in task_log()

    def test_a_wrong_file_is_refused_while_the_dag_is_parsed(self, tmp_path):
        (tmp_path / "qa.yaml").write_text("name: w/b\ndataset: w/d\nmetrics:\n  w/m: {}")
        with pytest.raises(ConfigurationError, match='qa.yaml, line 4: metric w/m must be a mapping with its "type"'):
            operator(benchmark=str(tmp_path / "qa.yaml"))

    def test_a_file_that_is_not_there_is_reported_with_where_it_was_looked_for(self, tmp_path):
        with pytest.raises(ConfigurationError, match='task "run": there is no benchmark file "/no/such.yaml". Looked'):
            operator(benchmark="/no/such.yaml", dag=DAG("d", schedule=None, start_date=datetime(2026, 1, 1)))

    def test_a_spec_of_its_own_needs_no_benchmark(self):
        assert operator(spec={"metrics": ["ws/m"], "dataset": "ws/d"}).spec["dataset"] == "ws/d"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"spec": "{{ number }}"}, "spec must be a mapping"),
            (
                {"spec": SPEC, "job_name": "{{ number }}"},
                "job_name must be a name, .* found 5, which the template {{ number",
            ),
        ],
    )
    def test_a_template_that_gives_no_such_thing_is_reported_when_the_task_runs(self, service, arguments, message):
        dag = DAG("nightly", schedule=None, start_date=datetime(2026, 1, 1), render_template_as_native_obj=True)
        made = operator(dag=dag, **arguments)
        made.render_template_fields({"number": 5})
        with pytest.raises(ConfigurationError, match=message):
            made.execute(task_context())

    @pytest.mark.parametrize("path", ["", None])
    def test_a_template_that_gives_no_path_is_reported_when_the_task_runs(self, service, path):
        rendered = render({"path": path}, benchmark="{{ path }}")
        told = (
            f"benchmark must be the path of a file, found '{path or path!s}', which the template {{{{ path }}}} gives"
        )
        with pytest.raises(ConfigurationError, match=told):
            rendered.execute(task_context())


class TestWhatABenchmarkIsRunWith:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"params": {"x": math.nan}}, 'task "run": params.x must be a text, a finite number'),
            ({"model": {"url": object()}, "prompt_template": "x"}, 'task "run": model.url must be a text'),
            ({"model": Path("ws/m"), "prompt_template": "x"}, 'task "run": model must be a text'),
        ],
    )
    def test_what_is_no_json_is_refused_while_the_dag_is_parsed(self, arguments, message):
        with pytest.raises(ConfigurationError, match=message):
            RunBenchmarkJobOperator(task_id="run", benchmark=STORED, **arguments)

    def test_the_result_of_another_task_is_not_known_then(self):
        with DAG("nightly", schedule=None, start_date=datetime(2026, 1, 1)):
            before = RunBenchmarkJobOperator(task_id="before", benchmark=STORED)
            model = {"url": before.output, "name": "m"}
            RunBenchmarkJobOperator(task_id="run", benchmark=STORED, model=model, prompt_template="{{item.q}}")
