"""Validates the spec of a benchmark job and adds the service's defaults."""

from __future__ import annotations

from typing import Any

from airflow_provider_benchmarks.testing._http.response import UNEXPECTED_ERROR, HttpError
from airflow_provider_benchmarks.testing._http.validation import REFERENCE_PATTERN, Fields
from airflow_provider_benchmarks.testing._state.state import State

_INFERENCE_PARAMETERS = ("temperature", "max_tokens", "max_completion_tokens", "top_p", "stop")


def job_kind(spec: Any) -> str:
    """Return the kind of job that a spec describes, in the service's words.

    :raises HttpError: 500, the service can't decide
    """
    if not isinstance(spec, dict):
        return "offline"
    if "agent" in spec and "model" in spec:
        raise HttpError(500, UNEXPECTED_ERROR)
    if "agent" in spec:
        return "online-agent"
    if "model" in spec:
        return "online" if "prompt_template" in spec else "system-online"
    benchmark = spec.get("benchmark", "")
    if not isinstance(benchmark, str):
        raise HttpError(500, UNEXPECTED_ERROR)
    return "system-offline" if benchmark.split("/", 1)[0] == "system" else "offline"


def parse_spec(spec: Any, errors: list[Any]) -> dict[str, Any]:
    """Validate a spec and return it with every default.

    :param errors: list that its errors are added to
    """
    kind = job_kind(spec)
    fields = Fields(spec, ("body", "spec", kind), errors=errors)
    parsed: dict[str, Any] = {"benchmark": fields.text("benchmark", required=True, pattern=REFERENCE_PATTERN)}
    if kind in ("online", "system-online"):
        parsed["model"] = _parse_model(fields)
    if kind == "online-agent":
        parsed["agent"] = fields.mapping("agent", required=True)
    if kind == "system-offline":
        parsed["dataset"] = fields.text("dataset", required=True)
    parsed["params"] = _parse_params(fields, kind)
    if kind in ("online", "online-agent"):
        parsed["prompt_template"] = fields.value.get("prompt_template")
        parsed["optional_fields"] = fields.value.get("optional_fields", [])
    if kind.startswith("system"):
        parsed["benchmark_params"] = fields.mapping("benchmark_params") or {}
    fields.forbid_others(tuple(parsed))
    return parsed


def _parse_model(fields: Fields) -> Any:
    model = fields.value.get("model")
    if not isinstance(model, dict):
        return fields.text("model", required=True, pattern=REFERENCE_PATTERN)
    inline = Fields(model, (*fields.loc, "model", "Model"), errors=fields.errors)
    parsed = {
        "url": inline.text("url", required=True),
        "name": inline.text("name", required=True),
        "host_url": inline.text("host_url", nullable=True),
        "api_key_secret": inline.text("api_key_secret", nullable=True),
        "format": inline.text("format") or "nim",
    }
    inline.forbid_others(tuple(parsed))
    return parsed


def _parse_params(fields: Fields, kind: str) -> dict[str, Any] | None:
    value = fields.value.get("params", {})
    if value is None:
        return None
    params = Fields(value, (*fields.loc, "params"), errors=fields.errors)
    parsed: dict[str, Any] = {
        "parallelism": params.integer("parallelism", 8, at_least=1),
        "limit_samples": params.integer("limit_samples", None, at_least=1),
    }
    if "online" in kind:
        parsed |= {
            "ignore_request_failure": params.boolean("ignore_request_failure", False),
            "request_timeout": params.integer("request_timeout", None),
            "max_retries": params.integer("max_retries", 3, at_least=0),
        }
    if kind in ("online", "system-online"):
        inference = params.mapping("inference")
        parsed |= {
            "inference": None if inference is None else {**dict.fromkeys(_INFERENCE_PARAMETERS), **inference},
            "system_prompt": params.text("system_prompt", nullable=True),
            "reasoning": params.mapping("reasoning"),
            "structured_output": params.mapping("structured_output"),
        }
    params.forbid_others(tuple(parsed))
    return parsed


def check_references(state: State, workspace: str, spec: dict[str, Any]) -> None:
    """Reject a spec with a reference to something that does not exist.

    :raises HttpError: 404 for the benchmark, 422 for the model or its secret
    """
    benchmark = spec["benchmark"]
    if tuple(benchmark.split("/")) not in state.benchmarks:
        raise HttpError(404, f"Benchmark '{benchmark}' not found.")
    model = spec.get("model")
    if isinstance(model, str) and model not in state.models:
        model_workspace, _, name = model.partition("/")
        raise HttpError(
            422,
            f"Model reference '{model}' not found. Ensure the model entity '{name}' exists in workspace "
            f"'{model_workspace}', or use an inline model definition instead.",
        )
    if isinstance(model, dict) and model["api_key_secret"] is not None:
        secret_workspace, _, name = model["api_key_secret"].rpartition("/")
        secret_workspace = secret_workspace or workspace
        if (secret_workspace, name) not in state.secrets:
            response = {"detail": f"Secret {secret_workspace}/{name} not found"}
            raise HttpError(
                422,
                f"Job cannot be launched. Error: Invalid payload. Errors: Evaluation Model '{model['name']}' is not "
                f"reachable: Error code: 404 - {response}.",
            )


def without_nulls(value: Any) -> Any:
    """Remove null fields at any depth, as the service's lists do in specs."""
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    return value
