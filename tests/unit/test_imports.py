"""What importing costs: DAG files import operators, sensors and triggers at every parse. And who may import whom."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "airflow_provider_benchmarks"
PROJECT = Path(__file__).parents[2]
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
from airflow_provider_benchmarks.benchmarks import Benchmark
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
benchmark = Benchmark("w/b", dataset="w/d", metrics={"w/m": {"type": "exact-match"}})
RunBenchmarkJobOperator(task_id="run-code", benchmark=benchmark)
BenchmarkJobSensor(task_id="wait", job_name="j")
"""
    added = modules_after(base + ours) - modules_after(base)
    assert "airflow_provider_benchmarks.operators.gates" in added
    assert [name for name in added if name.split(".")[0] in HEAVY or name in HEAVY] == []


@pytest.mark.parametrize("package", ["benchmarks", "client", "scores", "formats", "gates", "jobs", "testing"])
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


def layer(module: str) -> int | None:
    """How far down a module is in the layers of the import rules; None where it is in none of them."""
    rules = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(rule["layers"] for rule in rules if rule["type"] == "layers")
    for depth, names in enumerate(layers):
        if any(f"{module}.".startswith(f"{name}.") for name in names.split(" : ")):
            return depth
    return None


def modules_named_in_texts(source: str) -> Iterator[str]:
    """Modules of this package that a text names, where the text is what some import function takes."""
    tree = ast.parse(source)
    constants = {
        target.id: statement.value.value
        for statement in tree.body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name not in ("resolve_name", "import_module", "__import__"):
            continue
        for part in (each for argument in call.args for each in ast.walk(argument)):
            text = constants.get(part.id) if isinstance(part, ast.Name) else getattr(part, "value", None)
            if isinstance(text, str) and text.startswith(f"{PACKAGE}."):
                yield text.partition(":")[0]


def test_no_text_stands_for_an_import_that_the_rules_forbid():
    """The import rules see statements alone."""
    for path in (PROJECT / PACKAGE).rglob("*.py"):
        module = ".".join(path.relative_to(PROJECT).with_suffix("").parts)
        for named in modules_named_in_texts(path.read_text()):
            mine, other = layer(module), layer(named)
            assert mine is None or other is None or mine <= other, f"{module} reaches up to {named}"


@pytest.mark.parametrize(
    "source",
    [
        "from pkgutil import resolve_name\n_PATH = '{0}.store.place:Place'\ndef f(): return resolve_name(_PATH)",
        "import importlib\ndef f(): importlib.import_module('{0}.store.place')",
        "__import__(f'{0}.store.place')",
    ],
)
def test_such_a_text_is_found(source):
    assert list(modules_named_in_texts(source.format(PACKAGE))) == [f"{PACKAGE}.store.place"]
    above, below = layer(f"{PACKAGE}.store.place"), layer(f"{PACKAGE}.scores.stored_files")
    assert above is not None
    assert below is not None
    assert above < below


def test_the_package_itself_imports_nothing_heavy_and_no_airflow():
    loaded = modules_after("import airflow_provider_benchmarks\ndir(airflow_provider_benchmarks)")
    assert [name for name in loaded if name.split(".")[0] in (*HEAVY, "airflow", "yaml")] == []
    ours = {name for name in loaded if name.startswith(f"{PACKAGE}.")}
    assert not any(name.startswith(f"{PACKAGE}.{layer}") for name in ours for layer in ("gates", "scores", "store"))


def test_what_people_use_can_be_imported_from_the_package():
    package = importlib.import_module(PACKAGE)
    names = [name for name in package.__all__ if name != "__version__"]
    expected = (
        "Threshold BenchmarkHook ScoreStore RunBenchmarkJobOperator GateFailed BenchmarkGateNotifier BenchmarkClient"
    )
    assert set(expected.split()) <= set(names)
    assert set(names) <= set(dir(package))
    for name in names:
        assert getattr(package, name).__name__ == name
    assert set(package._MODULES) == set(names) - {"get_provider_info"}
    with pytest.raises(AttributeError, match="has no attribute 'Treshold'"):
        _ = package.Treshold


def test_type_checkers_see_the_same_names():
    """What is imported for them alone is what is imported when asked for."""
    tree = ast.parse((PROJECT / PACKAGE / "__init__.py").read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(importlib.import_module(PACKAGE)._MODULES)


@pytest.mark.parametrize("name", ["Threshold", "Benchmark", "BenchmarkClient", "AggregateScores", "evaluate"])
def test_such_names_need_no_airflow(name):
    modules_after(f"sys.modules['airflow'] = None\nfrom {PACKAGE} import {name}")
