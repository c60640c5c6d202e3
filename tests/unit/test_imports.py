"""What importing costs: DAG files import operators, sensors and triggers at every parse."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("pandas", "numpy", "pyarrow", "scipy", "httpx", "sqlalchemy", "airflow.models.dagrun", "jinja2.sandbox")


def modules_after(code: str) -> set[str]:
    run = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_a_dag_file_pays_for_nothing_heavy():
    # Airflow's own base classes load some of these on some versions; only what we add counts.
    base = """
from airflow.providers.common.compat.sdk import (
    DAG, AirflowSkipException, BaseHook, BaseOperator, BaseOperatorLink, BaseSensorOperator, XCom, conf,
)
from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import BaseTrigger
"""
    ours = """
from airflow_provider_benchmarks import links
from airflow_provider_benchmarks.gates import Threshold
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.operators.results import DownloadAggregateScoresOperator
from airflow_provider_benchmarks.sensors.jobs import BenchmarkJobSensor
from airflow_provider_benchmarks.triggers.events import BenchmarkJobEventTrigger
from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger

BenchmarkGateOperator(task_id="gate", job_name="j", checks=[Threshold("m", at_least=1)])
RunBenchmarkJobOperator(task_id="run", spec={"benchmark": "w/b"})
BenchmarkJobSensor(task_id="wait", job_name="j")
"""
    added = modules_after(base + ours) - modules_after(base)
    assert "airflow_provider_benchmarks.operators.gates" in added
    assert [name for name in added if name.split(".")[0] in HEAVY or name in HEAVY] == []


@pytest.mark.parametrize("package", ["client", "scores", "gates", "jobs", "testing"])
def test_the_core_works_without_airflow(package):
    blocked = "import sys\nsys.modules['airflow'] = None"
    assert f"airflow_provider_benchmarks.{package}" in modules_after(
        f"{blocked}\nimport airflow_provider_benchmarks.{package}"
    )


def test_a_comparison_does_not_load_all_of_scipy():
    # scipy.stats takes a second, several times as long as judging a million rows.
    loaded = modules_after("""
from airflow_provider_benchmarks.gates import NoRegression
from tests.support.scored_jobs import flips, judge

assert judge(NoRegression("m", margin=0.1), *flips(200, lost=5)).outcome == "pass"
""")
    assert "scipy.special" in loaded
    assert "scipy.stats" not in loaded


def test_provider_info_does_not_import_the_hook():
    assert "airflow_provider_benchmarks.hooks.benchmarks" not in modules_after(
        "import airflow_provider_benchmarks\nairflow_provider_benchmarks.get_provider_info()"
    )
