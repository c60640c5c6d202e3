"""The extra fields of a connection: how Airflow's forms show each, and how its value is read.

Each is the field of :class:`~airflow_provider_benchmarks.client.ClientConfig` with the same name, which has the default
and says what it does.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_benchmarks.brief import did_you_mean, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.masking import secrets_of

#: What an extra may have in the place of a field of the connection itself.
_OWN_FIELDS = {
    **dict.fromkeys(("token", "api_token", "password", "api_key", "bearer_token", "access_token"), "password"),
    **dict.fromkeys(("host", "url", "base_url", "endpoint"), "host"),
    "port": "port",
    "schema": "schema",
}
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_NO_LIMIT = frozenset({"off", "none", "false", "no"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionField:
    """One extra field.

    :param read: makes the configuration's value of what the extra holds, which is not None; returns None for the
        default, and raises ConfigurationError for what can't be used
    :param json_type: type of the value in Airflow's form
    :param is_secret: masked in the form
    """

    label: str
    description: str
    read: Callable[[Any], Any]
    json_type: str = "string"
    is_secret: bool = False

    def form(self) -> dict[str, Any]:
        """The field as Airflow 3 builds its form from it."""
        schema: dict[str, Any] = {"type": [self.json_type, "null"]}
        if self.is_secret:
            schema["format"] = "password"
        return {"label": self.label, "description": self.description, "schema": schema}


def _text(value: Any) -> str | None:
    return str(value).strip() or None


def _boolean_or_path(value: Any) -> bool | str | None:
    text = _text(value)
    return None if text is None else _BOOLEANS.get(text.lower(), text)


def _seconds(value: Any) -> float | None:
    return _number(value, "timeout", "a number of seconds")


def _speed(value: Any) -> float | None:
    if value is False or (isinstance(value, str) and value.strip().lower() in _NO_LIMIT):
        return 0.0
    return _number(value, "min_download_speed", "a number of bytes per second, or 0 for no limit")


def _number(value: Any, name: str, what: str) -> float | None:
    text = _text(value)
    try:
        return None if text is None else float(text)
    except ValueError:
        raise ConfigurationError(f'extra "{name}" must be {what}, found "{shortened(text)}"') from None


def _headers(value: Any) -> dict[str, str] | None:
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except (ValueError, RecursionError):
            value = ""
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        raise ConfigurationError('extra "headers" must be a JSON object of header names and texts')
    return value


CONNECTION_FIELDS: Mapping[str, ConnectionField] = {
    "workspace": ConnectionField(
        label="Workspace",
        description="Workspace of the benchmark jobs, where a task names no other. Default: default",
        read=_text,
    ),
    "verify": ConnectionField(
        label="TLS verification",
        description="true, false, or the path of a CA file or folder on the workers. Default: true",
        read=_boolean_or_path,
    ),
    "timeout": ConnectionField(
        label="Request timeout",
        description="Seconds to wait for an answer of the service. Default: 30",
        read=_seconds,
        json_type="number",
    ),
    "min_download_speed": ConnectionField(
        label="Least download speed",
        description="Bytes per second that a download must have, over a minute; 0 for no limit. Default: 1000",
        read=_speed,
        json_type="number",
    ),
    "api": ConnectionField(
        label="API generation",
        description=(
            "auto: ask the service; benchmark-jobs: NeMo Evaluator 0.1.x; evaluate-jobs: later ones. Default: auto"
        ),
        read=_text,
    ),
    "headers": ConnectionField(
        label="Further headers",
        description='JSON object of headers that a gateway asks for, such as {"X-Api-Key": "…"}',
        read=_headers,
        is_secret=True,
    ),
}


def read_fields(extra: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that a connection's extra sets, as the configuration takes them.

    :raises ConfigurationError: a value can't be used; names the field
    """
    values = {name: field.read(extra[name]) for name, field in CONNECTION_FIELDS.items() if extra.get(name) is not None}
    return {name: value for name, value in values.items() if value is not None}


def unknown_keys(extra: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with each key of a connection's extra that nothing reads."""
    unknown = [str(key) for key in extra if key not in CONNECTION_FIELDS]
    return {key: f'the extra has an unknown key "{shortened(key, 80)}"{_meant(key)}' for key in unknown}


def _meant(key: str) -> str:
    if (field := _OWN_FIELDS.get(key.lower().replace("-", "_"))) is not None:
        return f", which is not read: it belongs into the connection's {field}"
    return did_you_mean(key, CONNECTION_FIELDS) or f"; known: {', '.join(CONNECTION_FIELDS)}"


def not_found(conn_id: str, of: str = "") -> str:
    """Why Airflow says that there is no connection, and what to do: it says so of one that it can't read, too.

    :param of: what it is for, for the message
    """
    variable = f"AIRFLOW_CONN_{conn_id.upper()}"
    if not (text := os.environ.get(variable)):
        return f'there is no Airflow connection "{conn_id}"{of}: create it, or set {variable}'
    problem = "it is neither JSON nor a URL that Airflow takes"
    if text.lstrip().startswith("{"):
        try:
            json.loads(text)
            problem = "its JSON is not that of a connection"
        except ValueError as error:
            problem = f"it is not JSON: {error}"
    return f'Airflow can\'t read connection "{conn_id}"{of} in the variable {variable} ({problem}): correct it'


def secret_values(extra: Mapping[str, Any]) -> list[str]:
    """The texts of a connection's extra that must be masked in logs.

    :raises ConfigurationError: a secret field can't be used; names it
    """
    secret = {name: extra[name] for name, field in CONNECTION_FIELDS.items() if field.is_secret and name in extra}
    return [part for headers in read_fields(secret).values() for text in headers.values() for part in _parts(text)]


def _parts(text: str) -> list[str]:
    text = text.strip()
    return list(dict.fromkeys([text, *secrets_of(text)]))
