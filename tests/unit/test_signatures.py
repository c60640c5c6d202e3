"""Arguments that can be read: written out, documented one by one, and none that Airflow's base class has."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseOperator, BaseSensorOperator

from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from airflow_provider_benchmarks.operators.results import DownloadRowScoresOperator
from airflow_provider_benchmarks.sensors.jobs import BenchmarkJobSensor
from airflow_provider_benchmarks.store import RowArguments, RowOptions
from airflow_provider_benchmarks.triggers.events import BenchmarkJobEventTrigger
from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger

OPERATORS: list[Any] = [RunBenchmarkJobOperator, BenchmarkJobSensor]
CLASSES: list[Any] = [*OPERATORS, BenchmarkJobTrigger, BenchmarkJobEventTrigger, BenchmarkHook]


def arguments(function: Any) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [each.name for each in parameters if each.name != "self" and each.kind is not each.VAR_KEYWORD]


def params(documented: Any) -> list[str]:
    return re.findall(r":param (\w+):", inspect.getdoc(documented) or "")


@pytest.mark.parametrize("cls", CLASSES)
def test_every_argument_is_documented_in_its_order(cls: Any) -> None:
    assert params(cls) == arguments(cls.__init__)


@pytest.mark.parametrize("cls", CLASSES)
def test_every_conn_id_and_workspace_is_an_argument_of_its_own(cls: Any) -> None:
    assert {"conn_id", "workspace"} <= set(arguments(cls.__init__))


@pytest.mark.parametrize("cls", OPERATORS)
def test_every_template_field_is_said_to_be_one(cls: Any) -> None:
    described = re.split(r"\n\s*(?=:\w+)", inspect.getdoc(cls) or "")
    templated = [match[1] for text in described if (match := re.match(r":param (\w+):.*\(templated", text, re.DOTALL))]
    # What Airflow's own params are is no argument.
    assert sorted(templated) == sorted({*cls.template_fields} - {"job_params"})


@pytest.mark.parametrize("cls", OPERATORS)
def test_no_argument_shadows_one_of_airflows(cls: Any) -> None:
    base = BaseSensorOperator if issubclass(cls, BaseSensorOperator) else BaseOperator
    airflows = {*arguments(BaseOperator.__init__), *arguments(base.__init__)}
    assert "execution_timeout" in airflows
    assert not airflows & set(arguments(cls.__init__))


@pytest.mark.parametrize(
    "method", [each for name, each in vars(BenchmarkHook).items() if inspect.isfunction(each) and name[0] != "_"]
)
def test_every_argument_of_a_method_of_the_hook_is_documented(method: Any) -> None:
    unpacked = [
        each.name
        for each in inspect.signature(method).parameters.values()
        if str(each.annotation).startswith("Unpack[")
    ]
    assert params(method) == arguments(method) + unpacked


def test_a_row_download_has_the_same_arguments_and_defaults_everywhere() -> None:
    named = list(RowArguments.__annotations__)
    assert params(RowArguments) == named == arguments(RowOptions.of)[1:]
    of_options = inspect.signature(RowOptions.of).parameters
    of_operator = inspect.signature(DownloadRowScoresOperator).parameters
    assert {name: of_operator[name].default for name in named} == {name: of_options[name].default for name in named}


def test_the_hook_refuses_an_argument_that_no_row_download_has() -> None:
    misspelt: dict[str, Any] = {"fromat": "parquet"}
    with pytest.raises(TypeError, match="fromat"):
        BenchmarkHook("nowhere").download_row_scores("job", "/tmp/rows", **misspelt)
