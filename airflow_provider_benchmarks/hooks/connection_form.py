"""The extra fields of the connection form up to Airflow 3.1, from the same list as those of later versions."""

from __future__ import annotations

from typing import Any


def connection_form_widgets() -> dict[str, Any]:
    """Return the widgets by the name of their field."""
    from airflow_provider_benchmarks.provider_info import CONN_FIELDS

    return {name: _widget(field) for name, field in CONN_FIELDS.items()}


def _widget(field: dict[str, Any]) -> Any:
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from wtforms import PasswordField, StringField

    is_secret = field["schema"].get("format") == "password"
    kind, widget = (PasswordField, BS3PasswordFieldWidget) if is_secret else (StringField, BS3TextFieldWidget)
    return kind(field["label"], widget=widget(), description=field["description"])
