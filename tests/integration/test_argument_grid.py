"""Every argument of every task × what a DAG file or a template may give for it.

The task runs, or an error names it and the argument; and no folder is called None.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowException,
    AirflowFailException,
    BaseOperator,
    ObjectStoragePath,
)

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import BenchmarkError, ConfigurationError
from airflow_provider_benchmarks.gates import Threshold
from airflow_provider_benchmarks.jobs.identity import check_name
from airflow_provider_benchmarks.operators.gates import (
    BenchmarkGateBranchOperator,
    BenchmarkGateOperator,
    PinBaselineOperator,
)
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.operators.results import (
    DownloadAggregateScoresOperator,
    DownloadRowScoresOperator,
    StoreResultsOperator,
)
from airflow_provider_benchmarks.sensors.jobs import BenchmarkJobSensor
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE
from tests.support.contexts import task_context

VALUES: dict[str, Any] = {
    "int": 2026,
    "list": ["a"],
    "dict": {"a": 1},
    "None": None,
    "datetime": datetime(2026, 1, 1, tzinfo=UTC),
    "nan": math.nan,
    "bytes": b"bytes",
    "text None": "None",
    "text nan": "nan",
    "text null": "null",
    "empty": "",
    "blank": " ",
    "flag": True,
    "set": {1},
    "object": object(),
}
CHECKS = [Threshold("exact-match", at_least=0)]
TASKS: dict[type, dict[str, Any]] = {
    RunBenchmarkJobOperator: {"spec": SPEC, "wait_for_completion": False},
    DownloadAggregateScoresOperator: {"job_name": "job-1"},
    DownloadRowScoresOperator: {"job_name": "job-1", "destination": "rows.jsonl"},
    BenchmarkGateOperator: {"job_name": "job-1", "checks": CHECKS},
    BenchmarkGateBranchOperator: {
        "job_name": "job-1", "checks": CHECKS, "follow_if_passed": "a", "follow_if_failed": "b"
    },
    PinBaselineOperator: {"job_name": "job-1", "store": "store"},
    StoreResultsOperator: {"path": "results.json", "store": "store"},
    BenchmarkJobSensor: {"job_name": "job-1"},
}  # fmt: skip
#: What an argument needs beside it.
BESIDE: dict[str, dict[str, Any]] = {
    "benchmark": {"spec": None},
    "model": {"spec": None, "benchmark": BENCHMARK},
    "prompt_template": {"spec": None, "benchmark": BENCHMARK},
    "partition_by": {"format": "parquet", "destination": "rows"},
    "policy": {"checks": None},
}
#: What an argument may be, apart from what it is here.
ALLOWED = {
    "model": {"None", "dict"}, "prompt_template": {"None"}, "policy": {"None"},
    "workspace": {"None", "empty"}, "destination": {"None"}, "storage_conn_id": {"None"}, "store": {"None", "empty"},
    "aliases": {"None", "dict"}, "compression": {"None"}, "limit": {"None", "int", "flag"},
    "partition_by": {"list", "empty"}, "baseline": {"None", "empty"}, "report": {"None"},
    "if_inconclusive": {"None"}, "if_no_baseline": {"None"}, "follow_if_passed": {"list"}, "follow_if_failed": {"list"},
    "task_name": {"None", "empty"}, "timeout": {"None", "int"}, "poll_interval": {"int"},
    **{key: {"flag"} for key in ("deferrable", "wait_for_completion", "with_sample", "neutralise_formulas")},
    **{key: {"flag"} for key in ("cancel_on_kill", "cancel_on_timeout", "reuse_job")},
}  # fmt: skip
#: Where None is no value of it, though its other arguments have defaults.
REQUIRED = {(StoreResultsOperator, "benchmark"): {"None"}, (RunBenchmarkJobOperator, "job_name"): {"None"}}
#: Texts that are names, though odd ones: a connection, a job or a baseline may be called so.
TEXTS = {"text None", "text nan", "text null"}
#: Those that a path or a job may have where the DAG file itself says so.
LITERAL = {"text nan", "text null"}
MAY_BE_LITERAL = {"job_name", "store", "destination", "path", "policy"}


def arguments_of(kind: type) -> list[str]:
    parameters = inspect.signature(kind.__init__).parameters.values()  # type: ignore[misc]
    return [each.name for each in parameters if each.name != "self" and each.kind is not each.VAR_KEYWORD]


def beside(kind: type, name: str) -> dict[str, Any]:
    return {each: value for each, value in BESIDE.get(name, {}).items() if each in arguments_of(kind)}


CASES = [(kind, name) for kind in TASKS for name in arguments_of(kind)]
TEMPLATED = [(kind, name) for kind, name in CASES if name in kind.template_fields]  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def place(service, tmp_path, monkeypatch) -> Path:
    """A folder of its own, and a job that has completed."""
    service.job_seconds = 0
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(BenchmarkGateBranchOperator, "do_branch", lambda self, context, following: following)
    with BenchmarkClient(ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)) as client:
        client.submit_job(SPEC, name="job-1")
        while not client.get_status("job-1").is_finished:
            pass
    return tmp_path


def require_no_odd_folder(place: Path) -> None:
    names = {name for _, folders, files in os.walk(place) for name in (*folders, *files)}
    assert not names & {"None", "nan", "NaN", "null", "None.md"}


def outcome(act: Callable[[], Any]) -> BaseException | None:
    """The error that somebody gets who reads it; anything else is a fault of ours."""
    try:
        act()
    except (BenchmarkError, OSError, AirflowException) as error:
        return error
    except BaseException as error:
        # How Airflow ends a task that defers, skips or branches.
        if type(error).__module__.startswith("airflow."):
            return None
        raise
    return None


def is_wrong(kind: type, name: str, value: str) -> bool:
    return value not in ALLOWED.get(name, set()) | REQUIRED.get((kind, name), set())


def require_named(error: BaseException | None, name: str) -> None:
    assert isinstance(error, ConfigurationError), repr(error)
    text = str(error)
    assert '"the-task"' in text, text
    assert name in text, text
    assert len(text) < 1500


@pytest.mark.parametrize(("kind", "name"), CASES, ids=lambda each: getattr(each, "__name__", each))
def test_values_in_the_dag_file(kind, name, place):
    for label, value in VALUES.items():
        arguments = {**TASKS[kind], **beside(kind, name), name: value}

        def parse(arguments: dict[str, Any] = arguments) -> None:
            with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):
                kind(task_id="the-task", **arguments)

        error = outcome(parse)
        if name in MAY_BE_LITERAL and label in LITERAL:
            assert not isinstance(error, ConfigurationError) or "found" not in str(error)
        elif is_wrong(kind, name, label) and not (name == "baseline" and label in TEXTS):
            require_named(error, name)
    require_no_odd_folder(place)


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(("kind", "name"), TEMPLATED, ids=lambda each: getattr(each, "__name__", each))
def test_values_of_templates(kind, name, native, place):
    for label, value in VALUES.items():
        if name in ("conn_id", "storage_conn_id") and not native and label not in {"None", *TEXTS, "empty", "nan"}:
            continue  # a text, for which there is no connection
        with DAG("d", schedule=None, start_date=datetime(2026, 1, 1), render_template_as_native_obj=native):
            task = kind(task_id="the-task", **{**TASKS[kind], **beside(kind, name), name: "{{ params.value }}"})
        context = {**task_context(), "params": {"value": value}}

        def run(task: Any = task, context: Any = context) -> None:
            task.render_template_fields(context, task.dag.get_template_env())
            task.execute(context)

        error = outcome(run)
        is_nothing = label in {"None", "nan", *TEXTS, "empty", "blank"}
        # Without native objects a template makes a text of everything; with them a text may become another object.
        given = {"None": "text None", "nan": "text nan"}.get(label, label) if not native else label
        if native and label == "text None":
            given = "None"
        if is_wrong(kind, name, given) and (native or is_nothing):
            require_named(error, name)
            assert isinstance(error, AirflowFailException)  # no retry mends it
    require_no_odd_folder(place)


PATHS = [(kind, name) for kind, name in CASES if name in ("store", "destination", "report", "path")]


@pytest.mark.parametrize(
    "make", [lambda path: f"s3://bucket/{path}", lambda path: f"a/{path}/b", lambda path: f"{path}/{{{{ params.b }}}}"]
)
@pytest.mark.parametrize("text", ["None", "nan", "null"])
def test_paths_that_the_dag_file_calls_after_nothing(make, text, place):
    for kind, name in PATHS:
        path = make(text) + ("/verdict.md" if name == "report" else "")
        # pathlib takes one of the slashes away.
        wraps = (
            (str,) if "{{" in path else (str, ObjectStoragePath) if "://" in path else (str, Path, ObjectStoragePath)
        )
        for wrap in wraps:
            with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):
                task = kind(task_id="the-task", **{**TASKS[kind], name: wrap(path)})
            context = {**task_context(), "params": {"b": "b"}}
            task.render_template_fields(context, task.dag.get_template_env())
            task.check_rendered_arguments()
    with pytest.raises(ConfigurationError, match="store must be"):
        PinBaselineOperator(task_id="the-task", job_name="job-1", store=Path("None"))


@pytest.mark.parametrize(
    "template", ["{{ params.x }}", "s3://bucket/{{ params.x }}", "a/{{ params.x }}/b", "null/None/nan/{{ params.x }}"]
)
@pytest.mark.parametrize("value", [None, "None", math.nan, "null"])
def test_paths_that_a_template_calls_after_nothing(template, value, place):
    for kind, name in PATHS:
        with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):
            task = kind(task_id="the-task", **{**TASKS[kind], name: template})
        context = {**task_context(), "params": {"x": value}}
        task.render_template_fields(context, task.dag.get_template_env())
        with pytest.raises(ConfigurationError, match=name) as caught:
            task.check_rendered_arguments()
        require_named(caught.value, name)
        assert ("A part of a path that is really called so looks the same" in str(caught.value)) is ("/" in template)
    require_no_odd_folder(place)


PASSWORD = "pa55word-xyz"
URL = f"s3://us:{PASSWORD}@bucket/x.md"
WITH_URLS = [
    (kind, name)
    for kind, name in CASES
    if name in {"store", "destination", "report", "path", "policy", "baseline", "benchmark", "job_name"}
    and (kind, name) not in {(RunBenchmarkJobOperator, "job_name"), (StoreResultsOperator, "benchmark")}
]


def require_no_password(act: Callable[[], Any], name: str) -> None:
    error = outcome(act)
    require_named(error, name)
    assert "s3://us:***@bucket/x.md: a password does not belong into the URL of a storage" in str(error)
    assert PASSWORD not in "".join(traceback.format_exception(error)).lower()


@pytest.mark.parametrize(("kind", "name"), WITH_URLS, ids=lambda each: getattr(each, "__name__", each))
def test_a_password_in_a_url_is_refused_and_not_shown(kind, name):
    arguments = {**TASKS[kind], **beside(kind, name)}

    def make(value: str) -> Any:
        with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):
            return kind(task_id="the-task", **{**arguments, name: value})

    require_no_password(lambda: make(URL), name)
    task = make("{{ params.value }}.md" if name == "report" else "{{ params.value }}")
    context = {**task_context(), "params": {"value": URL.removesuffix(".md") if name == "report" else URL}}
    task.render_template_fields(context, task.dag.get_template_env())
    require_no_password(lambda: task.execute(context), name)


@pytest.mark.parametrize("name", ["null", "nan"])
def test_a_job_that_is_called_after_nothing(name):
    RunBenchmarkJobOperator(task_id="the-task", job_name=name, spec=SPEC, wait_for_completion=False).execute(
        task_context()
    )
    task = DownloadAggregateScoresOperator(task_id="the-task", job_name=name)
    task.check_rendered_arguments()
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):
        task = DownloadAggregateScoresOperator(task_id="the-task", job_name="{{ params.x }}")
    task.job_name = name
    with pytest.raises(ConfigurationError, match="job_name must be the name of a job, found"):
        task.check_rendered_arguments()


def test_a_job_name_that_is_a_path():
    said = r'"the-task": job_name must be a name, or None, found \w+Path\(.job-1.\)$'
    with pytest.raises(ConfigurationError, match=said):
        RunBenchmarkJobOperator(task_id="the-task", job_name=Path("job-1"), spec=SPEC)
    with pytest.raises(ConfigurationError, match=r"the name of a job, found \w+Path\(.job-1.\): that is no text$"):
        DownloadAggregateScoresOperator(task_id="the-task", job_name=Path("job-1"))
    with pytest.raises(ConfigurationError, match="can't be the name of a benchmark job: it must be a text"):
        check_name(Path("job-1"))


def test_the_store_of_a_template_that_gives_nothing(place):
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):
        task = DownloadAggregateScoresOperator(task_id="the-task", job_name="job-1", store="{{ params.none }}")
    context = {**task_context(), "params": {"none": None}}
    task.render_template_fields(context, task.dag.get_template_env())
    with pytest.raises(ConfigurationError) as caught:
        task.execute(context)
    assert str(caught.value) == (
        "task \"the-task\": store must be the path or URL of a folder, an empty text for none, or None, found 'None', "
        "which the template {{ params.none }} gives: the upstream task that it comes from may have returned nothing, "
        "or was skipped"
    )
    require_no_odd_folder(place)


@pytest.mark.parametrize(
    "value",
    [datetime(2026, 1, 1), math.nan, b"x", {1}, object(), {1: 2}, 10**5000],
    ids=lambda each: type(each).__name__,
)
@pytest.mark.parametrize("place_of", [lambda value: {"seed": value}, lambda value: {"list": [{"deep": value}]}])
def test_a_spec_that_is_no_json(value, place_of):
    spec = {"benchmark": BENCHMARK, "params": place_of(value)}
    with pytest.raises(ConfigurationError, match=r'task "the-task": spec\.params'):
        RunBenchmarkJobOperator(task_id="the-task", spec=spec)
    task = RunBenchmarkJobOperator(task_id="the-task", spec=SPEC)
    task.spec = spec
    with pytest.raises(ConfigurationError, match=r'task "the-task": spec\.params') as caught:
        task.execute(task_context())
    assert isinstance(caught.value, AirflowFailException)
    assert len(str(caught.value)) < 500


def test_a_spec_that_became_a_text():
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):
        task = RunBenchmarkJobOperator(task_id="the-task", spec="{{ params.spec }}")
    context = {**task_context(), "params": {"spec": SPEC}}
    task.render_template_fields(context, task.dag.get_template_env())
    with pytest.raises(ConfigurationError, match="spec must be a mapping.*render_template_as_native_obj=True"):
        task.execute(context)
    assert json.dumps(SPEC)


def test_the_result_of_a_task_that_is_another_thing(place):
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1)):
        upstream = BaseOperator(task_id="upstream")
        task = DownloadAggregateScoresOperator(task_id="the-task", job_name=upstream.output, workspace=upstream.output)
    task.job_name = 2026
    with pytest.raises(ConfigurationError, match="job_name .*found 2026, which the result of task upstream gives"):
        task.execute(task_context())
    task.job_name, task.workspace = "job-1", ["a"]
    with pytest.raises(ConfigurationError, match=r"workspace .*found \['a'\], which the result of task upstream gives"):
        task.execute(task_context())
