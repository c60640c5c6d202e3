"""A receiver of OpenLineage's events with Marquez' address, ``POST /api/v1/lineage``, which refuses what it can't take.

An event's shape is checked by OpenLineage's own classes: each facet by the one that its ``_schemaURL`` names.
"""

from __future__ import annotations

import importlib
import inspect
import json
import math
import pkgutil
import re
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self
from uuid import UUID

PATH = "/api/v1/lineage"
_TYPES = {"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"}
#: What Marquez takes as a namespace.
_NAMESPACE = re.compile(r"[a-zA-Z:;=/0-9_\-.@+]{1,1024}")


class LineageReceiver:
    """A context manager; ``events`` has what has come, and ``refused`` why something was not taken."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.refused: list[str] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                problem = "no such path" if self.path != PATH else receiver.take(body)
                self.send_response(400 if problem else 201)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=30)

    @property
    def settings(self) -> dict[str, str]:
        """Settings of an Airflow that sends its events here."""
        url = f"http://127.0.0.1:{self._server.server_port}"
        transport = {"type": "http", "url": url, "endpoint": PATH.lstrip("/"), "retry": {"total": 0}}
        return {
            "AIRFLOW__OPENLINEAGE__DISABLED": "False",
            "AIRFLOW__OPENLINEAGE__NAMESPACE": "nightly",
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
        }

    def take(self, body: bytes) -> str:
        """Take an event.

        :return: what is wrong with it; empty where nothing is
        """
        try:
            event = json.loads(body, parse_constant=_refuse_constant)
            _check_event(event)
        except Exception as error:  # noqa: BLE001
            self.refused.append(f"{type(error).__name__}: {error}: {body[:2000]!r}")
            return self.refused[-1]
        self.events.append(event)
        return ""

    def of(self, task: str, kind: str) -> list[dict[str, Any]]:
        """The events of a task, in their order.

        :param task: ``dag_id.task_id``
        :param kind: ``COMPLETE``, ``FAIL``, …
        """
        return [each for each in self.events if (each["job"]["name"], each["eventType"]) == (task, kind)]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _check_event(event: dict[str, Any]) -> None:
    """Raise what is wrong with an event."""
    assert event["eventType"] in _TYPES, event["eventType"]
    assert re.match(r"\d{4}-\d\d-\d\dT", event["eventTime"])
    assert event["producer"]
    assert "OpenLineage.json" in event["schemaURL"]
    UUID(event["run"]["runId"])
    _check_facets(event["run"].get("facets"))
    _check_name(event["job"])
    _check_facets(event["job"].get("facets"))
    for kind in ("inputs", "outputs"):
        for dataset in event.get(kind) or ():
            _check_name(dataset)
            _check_facets(dataset.get("facets"))
            _check_facets(dataset.get(f"{kind[:-1]}Facets"))


def _check_name(thing: dict[str, Any]) -> tuple[str, str]:
    assert _NAMESPACE.fullmatch(thing["namespace"]), thing["namespace"]
    assert thing["name"], thing
    for text in (thing["namespace"], thing["name"]):
        assert "\0" not in text
        text.encode()  # no half of a character
    return thing["namespace"], thing["name"]


def _check_facets(facets: dict[str, Any] | None) -> None:
    for name, facet in (facets or {}).items():
        assert facet["_producer"], name
        kind = _classes().get(facet["_schemaURL"].rpartition("/")[2])
        if kind is None:  # Airflow's own
            continue
        values = {key: value for key, value in facet.items() if not key.startswith("_")}
        parameters = inspect.signature(kind).parameters
        assert values.keys() <= parameters.keys(), (name, values.keys())
        kind(**values)
        _check_numbers(values)


def _check_numbers(value: Any) -> None:
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        assert not isinstance(each, float) or math.isfinite(each)
        _check_numbers(each)


@cache
def _classes() -> dict[str, Any]:
    """OpenLineage's classes of facets, by their names in the address of their schema."""
    from openlineage.client import generated

    found: dict[str, Any] = {}
    for each in pkgutil.iter_modules(generated.__path__):
        module = importlib.import_module(f"{generated.__name__}.{each.name}")
        own = [kind for kind in vars(module).values() if getattr(kind, "__module__", "") == module.__name__]
        found |= {kind._get_schema().rpartition("/")[2]: kind for kind in own if kind.__name__.endswith("Facet")}
    # Facets of others name these.
    return {name: kind for name, kind in found.items() if kind.__module__ != f"{generated.__name__}.base"}
