from __future__ import annotations

import importlib
import json
import sys
from importlib.metadata import entry_points
from importlib.resources import files
from types import SimpleNamespace

import jsonschema

from airflow_provider_benchmarks import get_provider_info
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook

INFO = get_provider_info()


def test_the_entry_point_returns_it():
    (entry,) = [each for each in entry_points(group="apache_airflow_provider") if "benchmarks" in each.value]
    assert entry.load()() == INFO


def test_it_fits_airflows_schema():
    # One schema error takes down provider discovery for the whole deployment.
    schema = json.loads((files("airflow") / "provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)


def test_every_module_and_class_in_it_exists():
    for kind in ("hooks", "operators", "sensors", "triggers"):
        for entry in INFO[kind]:
            for module in entry["python-modules"]:
                importlib.import_module(module)
    dotted = [INFO["connection-types"][0]["hook-class-name"], *INFO["extra-links"]]
    for module, _, name in (each.rpartition(".") for each in dotted):
        assert getattr(importlib.import_module(module), name)


def test_the_connection_type_is_the_hooks():
    (connection,) = INFO["connection-types"]
    assert connection["connection-type"] == BenchmarkHook.conn_type
    assert connection["hook-name"] == BenchmarkHook.hook_name
    assert BenchmarkHook.get_ui_field_behaviour()["hidden_fields"] == connection["ui-field-behaviour"]["hidden-fields"]


def test_the_form_of_an_older_airflow_hides_the_headers_too(monkeypatch):
    # What makes that form is not there with a newer Airflow.
    field = lambda kind: lambda label, *, widget, description: (kind, widget)
    forms = SimpleNamespace(StringField=field("text"), PasswordField=field("password"))
    widgets = SimpleNamespace(BS3TextFieldWidget=lambda: "text", BS3PasswordFieldWidget=lambda: "password")
    monkeypatch.setitem(sys.modules, "wtforms", forms)
    monkeypatch.setitem(sys.modules, "flask_appbuilder", SimpleNamespace(fieldwidgets=widgets))
    monkeypatch.setitem(sys.modules, "flask_appbuilder.fieldwidgets", widgets)
    made = BenchmarkHook.get_connection_form_widgets()
    assert made.pop("headers") == ("password", "password")
    assert set(made.values()) == {("text", "text")}


def test_options_have_text_defaults():
    for option in INFO["config"]["benchmarks"]["options"].values():
        assert isinstance(option["default"], str)
