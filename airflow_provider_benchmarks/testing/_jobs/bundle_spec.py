"""Validates the spec of a job that brings its metrics along, and adds the service's defaults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_benchmarks.testing._http.response import UNEXPECTED_ERROR, HttpError
from airflow_provider_benchmarks.testing._http.validation import Fields, validation_error
from airflow_provider_benchmarks.testing._jobs.bundles import complete_bundle, has_wrong_outputs
from airflow_provider_benchmarks.testing._jobs.metric_fields import metric_fields
from airflow_provider_benchmarks.testing._release import Release
from airflow_provider_benchmarks.testing._state.state import State

_BUNDLE_FIELDS = (
    "bundle_kind",
    "bundle_format_version",
    "metric_type",
    "metadata",
    "outputs",
    "secrets",
    "payload",
)
_OFFLINE = ("parallelism", "limit_samples")
_ONLINE = (*_OFFLINE, "ignore_request_failure", "request_timeout", "max_retries")
_ONLINE_MODEL = (*_ONLINE, "inference", "system_prompt", "reasoning", "structured_output")
#: Parameters by the name of their schema. The service tries one after the other; errors name each.
_PARAMETERS = {"RunConfig": _OFFLINE, "RunConfigOnline": _ONLINE, "RunConfigOnlineModel": _ONLINE_MODEL}

Loc = Sequence[str | int]


def parse_bundle_spec(release: Release, spec: Any, errors: list[Any]) -> dict[str, Any]:
    """Validate a spec and return it with every default; references to metrics stay references.

    :param errors: list that its errors are added to
    :raises HttpError: 500: the parameters are those of another kind of job
    """
    fields = Fields(spec, ("body", "spec"), errors=errors)
    parsed: dict[str, Any] = {"dataset": _parse_dataset(fields)}
    metrics = _parse_metrics(fields)
    parsed["params"] = _parse_params(fields)
    optional = ("target", "prompt_template", "field_mapping", *(("publication",) if release.has_publication else ()))
    parsed |= {name: fields.value.get(name) for name in optional}
    parsed["metrics"] = metrics
    fields.forbid_others(tuple(parsed))
    if not errors:
        _require_params_of_target(parsed)
    return parsed


def _require_params_of_target(parsed: dict[str, Any]) -> None:
    """The service fails inside where an online job has an offline one's parameters, and the reverse."""
    params, has_target = parsed["params"], parsed["target"] is not None
    is_online = params is not None and "max_retries" in params
    if is_online != has_target:
        raise HttpError(500, UNEXPECTED_ERROR)


def _parse_dataset(fields: Fields) -> Any:
    dataset = fields.value.get("dataset")
    if isinstance(dataset, list):
        for place, row in enumerate(dataset):
            Fields(row, (*fields.loc, "dataset", place), errors=fields.errors)
        return dataset
    return fields.text("dataset", required=True)


def _parse_metrics(fields: Fields) -> list[Any]:
    metrics = fields.sequence("metrics")
    for place, metric in enumerate(metrics):
        if not isinstance(metric, str):
            loc = (*fields.loc, "metrics", place)
            errors: list[Any] = []
            check_bundle(metric, (*loc, "MetricInline"), errors)
            if errors:
                text = "Input should be a valid string"
                errors.append(validation_error("string_type", (*loc, "MetricRef"), text, metric))
            fields.errors += errors
    return metrics


def check_bundle(bundle: Any, loc: Loc, errors: list[Any]) -> None:
    """Check the fields of a bundle.

    :param errors: list that its errors are added to
    """
    inline = Fields(bundle, loc, errors=errors)
    inline.text("metric_type", required=True)
    for place, output in enumerate(inline.sequence("outputs")):
        output_fields = Fields(output, (*loc, "outputs", place), errors=errors)
        output_fields.text("name", required=True)
    payload = inline.mapping("payload", required=True)
    if payload is not None:
        metric = Fields(payload, (*loc, "payload"), errors=errors).mapping("metric", required=True)
        if metric is not None:  # the wording is that of 0.1, which has the metric alone
            metric_fields(Fields(metric, (*loc, "payload", "metric"), errors=errors), str(metric.get("type")))
    inline.forbid_others(_BUNDLE_FIELDS)


def _parse_params(fields: Fields) -> dict[str, Any] | None:
    value = fields.value.get("params", {})
    if value is None:
        return None
    all_errors = []
    for schema, names in _PARAMETERS.items():
        params = Fields(value, (*fields.loc, "params", schema))
        parsed = _parse_run_config(params, names)
        if not params.errors:
            return parsed
        all_errors += params.errors
    fields.errors += all_errors
    return None


def _parse_run_config(params: Fields, names: Sequence[str]) -> dict[str, Any]:
    parsed: dict[str, Any] = {
        "parallelism": params.integer("parallelism", 8, at_least=1),
        "limit_samples": params.integer("limit_samples", None, at_least=1),
    }
    if "max_retries" in names:
        parsed |= {
            "ignore_request_failure": params.boolean("ignore_request_failure", False),
            "request_timeout": params.integer("request_timeout", None),
            "max_retries": params.integer("max_retries", 3, at_least=0),
        }
    parsed |= {name: params.value.get(name) for name in names if name not in parsed}
    params.forbid_others(names)
    return parsed


def resolve_metrics(state: State, workspace: str, metrics: Sequence[Any]) -> list[dict[str, Any]]:
    """Replace references to stored metrics by their bundles, and complete the bundles.

    :param workspace: of references that name none
    :raises HttpError: 422: a stored metric does not exist, or a bundle has other outputs than the service computes
    """
    bundles = []
    for metric in metrics:
        if isinstance(metric, str):
            home, _, name = metric.rpartition("/")
            home = home or workspace
            stored = state.metrics.get((home, name))
            if stored is None:
                raise _not_transformed(
                    state,
                    f"Metric reference '{home}/{name}' not found. Ensure a stored metric named '{name}' exists in "
                    f"workspace '{home}', or pass an inline metric instead.",
                )
            bundles.append(stored.fields["bundle"])
        else:
            bundle = complete_bundle(metric)
            if has_wrong_outputs(bundle):
                raise _not_transformed(state, wrong_outputs(bundle))
            bundles.append(bundle)
    return bundles


def wrong_outputs(bundle: dict[str, Any]) -> str:
    """Return the error for outputs that differ from those of the metric. Its wording is not the service's."""
    return f"The outputs of the metric bundle do not match those of its metric of type '{bundle['metric_type']}'."


def _not_transformed(state: State, message: str) -> HttpError:
    return HttpError(422, f"Failed to transform nemo-{state.release.prefix} job input to output: {message}")
