"""Checks the spec of a benchmark job and completes it with the service's defaults."""

from __future__ import annotations

from typing import Any

from airflow_provider_benchmarks.testing.messages import UNEXPECTED, HttpError
from airflow_provider_benchmarks.testing.state import State
from airflow_provider_benchmarks.testing.validation import REFERENCE_PATTERN, Fields

_INFERENCE = ("temperature", "max_tokens", "max_completion_tokens", "top_p", "stop")


def kind_of(spec: Any) -> str:
    """Tell which kind of job a spec asks for, in the service's words."""
    if not isinstance(spec, dict):
        return "offline"
    if "agent" in spec and "model" in spec:
        raise HttpError(500, UNEXPECTED)
    if "agent" in spec:
        return "online-agent"
    if "model" in spec:
        return "online" if "prompt_template" in spec else "system-online"
    benchmark = spec.get("benchmark", "")
    if not isinstance(benchmark, str):
        raise HttpError(500, UNEXPECTED)
    return "system-offline" if benchmark.split("/", 1)[0] == "system" else "offline"


def read_spec(spec: Any, errors: list[Any]) -> dict[str, Any]:
    """Check a spec; gives it with every default, and adds to the errors what is wrong with it."""
    kind = kind_of(spec)
    fields = Fields(spec, ("body", "spec", kind), errors=errors)
    read: dict[str, Any] = {"benchmark": fields.text("benchmark", required=True, pattern=REFERENCE_PATTERN)}
    if kind in ("online", "system-online"):
        read["model"] = _read_model(fields)
    if kind == "online-agent":
        read["agent"] = fields.mapping("agent", required=True)
    if kind == "system-offline":
        read["dataset"] = fields.text("dataset", required=True)
    read["params"] = _read_params(fields, kind)
    if kind in ("online", "online-agent"):
        read["prompt_template"] = fields.value.get("prompt_template")
        read["optional_fields"] = fields.value.get("optional_fields", [])
    if kind.startswith("system"):
        read["benchmark_params"] = fields.mapping("benchmark_params") or {}
    fields.forbid_others(tuple(read))
    return read


def _read_model(fields: Fields) -> Any:
    model = fields.value.get("model")
    if not isinstance(model, dict):
        return fields.text("model", required=True, pattern=REFERENCE_PATTERN)
    inline = Fields(model, (*fields.loc, "model", "Model"), errors=fields.errors)
    read = {
        "url": inline.text("url", required=True),
        "name": inline.text("name", required=True),
        "host_url": inline.text("host_url", nullable=True),
        "api_key_secret": inline.text("api_key_secret", nullable=True),
        "format": inline.text("format") or "nim",
    }
    inline.forbid_others(tuple(read))
    return read


def _read_params(fields: Fields, kind: str) -> dict[str, Any] | None:
    given = fields.value.get("params", {})
    if given is None:
        return None
    params = Fields(given, (*fields.loc, "params"), errors=fields.errors)
    read: dict[str, Any] = {
        "parallelism": params.integer("parallelism", 8, at_least=1),
        "limit_samples": params.integer("limit_samples", None, at_least=1),
    }
    if "online" in kind:
        read |= {
            "ignore_request_failure": params.boolean("ignore_request_failure", False),
            "request_timeout": params.integer("request_timeout", None),
            "max_retries": params.integer("max_retries", 3, at_least=0),
        }
    if kind in ("online", "system-online"):
        inference = params.mapping("inference")
        read |= {
            "inference": None if inference is None else {**dict.fromkeys(_INFERENCE), **inference},
            "system_prompt": params.text("system_prompt", nullable=True),
            "reasoning": params.mapping("reasoning"),
            "structured_output": params.mapping("structured_output"),
        }
    params.forbid_others(tuple(read))
    return read


def check_references(state: State, workspace: str, spec: dict[str, Any]) -> None:
    """Refuse a spec that names what is not there.

    :raises HttpError: 404 the benchmark, 422 the model or its secret
    """
    benchmark = spec["benchmark"]
    if tuple(benchmark.split("/")) not in state.benchmarks:
        raise HttpError(404, f"Benchmark '{benchmark}' not found.")
    model = spec.get("model")
    if isinstance(model, str) and model not in state.models:
        home, _, name = model.partition("/")
        raise HttpError(
            422,
            f"Model reference '{model}' not found. Ensure the model entity '{name}' exists in workspace '{home}', or "
            f"use an inline model definition instead.",
        )
    if isinstance(model, dict) and model["api_key_secret"] is not None:
        home, _, name = model["api_key_secret"].rpartition("/")
        if (home or workspace, name) not in state.secrets:
            answer = {"detail": f"Secret {home or workspace}/{name} not found"}
            raise HttpError(
                422,
                f"Job cannot be launched. Error: Invalid payload. Errors: Evaluation Model '{model['name']}' is not "
                f"reachable: Error code: 404 - {answer}.",
            )


def without_empty(value: Any) -> Any:
    """Leave out fields without a value, at any depth, as lists do with specs."""
    if isinstance(value, dict):
        return {name: without_empty(inner) for name, inner in value.items() if inner is not None}
    return value
