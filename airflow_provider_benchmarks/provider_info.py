"""What Airflow reads about this provider. It must not import the hook or anything that is slow to import."""

from __future__ import annotations

from typing import Any

from airflow_provider_benchmarks.connection_fields import CONNECTION_FIELDS
from airflow_provider_benchmarks.retry_policy import DEFAULT_RETRY_SECONDS

_PACKAGE = "airflow_provider_benchmarks"
_INTEGRATION = "NeMo Evaluator"

#: Extra fields of the connection, from which Airflow 3 builds its form.
CONN_FIELDS: dict[str, Any] = {name: field.form() for name, field in CONNECTION_FIELDS.items()}

# The port stays in the form though the base URL may have one. For a stored connection without a port, of whatever type,
# the test button of Airflow 3.3.2 sends port 0, and then refuses that as "differs from the stored connection".
UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["schema", "login", "extra"],
    "relabeling": {"host": "Base URL", "password": "API token"},
    "placeholders": {
        "host": "https://evaluator.example.com",
        "password": "leave empty where the service asks for no token",
    },
}


def get_provider_info() -> dict[str, Any]:
    """Describe the provider in the schema of ``airflow.provider_info``."""
    return {
        "package-name": "airflow-provider-benchmarks",
        "name": "Benchmarks",
        "description": "Run model benchmarks on a NeMo Evaluator service, fetch their scores, and gate releases on "
        "them.",
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://docs.nvidia.com/nemo/microservices/latest/evaluate/index.html",
                "tags": ["service"],
            }
        ],
        "hooks": [_modules("hooks.benchmarks")],
        "operators": [_modules("operators.jobs", "operators.results", "operators.gates")],
        "sensors": [_modules("sensors.jobs")],
        "triggers": [_modules("triggers.jobs", "triggers.events")],
        "connection-types": [
            {
                "connection-type": "nemo_evaluator",
                "hook-class-name": f"{_PACKAGE}.hooks.benchmarks.BenchmarkHook",
                "hook-name": "NeMo Evaluator",
                "conn-fields": CONN_FIELDS,
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
            }
        ],
        "extra-links": [f"{_PACKAGE}.links.{name}" for name in _LINKS],
        "notifications": [f"{_PACKAGE}.notifications.gate.BenchmarkGateNotifier"],
        "config": {"benchmarks": {"description": "Benchmark jobs and their scores.", "options": _OPTIONS}},
    }


_LINKS = ("BenchmarkJobLink", "ReportLink", "StoredScoresLink", "BaselineLink")
_OPTIONS: dict[str, Any] = {
    "max_xcom_bytes": {
        "description": "Maximum size of an XCom value in bytes, as JSON. An operator refuses to push a larger one.",
        "version_added": "0.1.0",
        "type": "integer",
        "example": None,
        "default": "1048576",
    },
    "score_store": {
        "description": "Folder in object storage where downloads and gates store the scores of every job, unless a "
        "task names another with store=. Empty: none.",
        "version_added": "0.1.0",
        "type": "string",
        "example": "s3://aws_default@bucket/benchmark-scores",
        "default": "",
    },
    "store_outputs": {
        "description": "Keep the model's outputs with the row scores in the score store. Reports show them side by "
        "side. They may be many times as large as the scores, and are not read unless they are shown.",
        "version_added": "0.1.0",
        "type": "boolean",
        "example": None,
        "default": "True",
    },
    "job_url": {
        "description": "Address of a job for people, to which tasks link, with the fields {base_url} (of the "
        "connection), {workspace}, {job_name} and {benchmark}; values are percent-encoded. Empty: the job's address on "
        "the service, which shows JSON.",
        "version_added": "0.1.0",
        "type": "string",
        "example": "{base_url}/studio/workspaces/{workspace}/jobs/{job_name}",
        "default": "",
    },
    "storage_url": {
        "description": "Address of a file or folder in object storage for people, to which gates, downloads and pins "
        "link, with the fields {url} (the whole path), {scheme}, {bucket} and {key}; values are percent-encoded. With "
        "{bucket}, local paths have no link. Empty: no links to storage.",
        "version_added": "0.1.0",
        "type": "string",
        "example": "https://console.aws.amazon.com/s3/buckets/{bucket}?prefix={key}",
        "default": "",
    },
    "deployment": {
        "description": "Name of this Airflow installation. Installations that share a workspace of the service need "
        "different names, or a DAG with the same run in both would have one job. All workers of an installation need "
        "the same name. Empty: [api] base_url, on Airflow 2.11 [webserver] base_url.",
        "version_added": "0.1.0",
        "type": "string",
        "example": "staging",
        "default": "",
    },
    "metrics": {
        "description": "Send the means of scores, the verdicts of gates and the time that jobs take as Airflow metrics "
        "benchmarks.…, to where Airflow sends its own ([metrics]).",
        "version_added": "0.1.0",
        "type": "boolean",
        "example": None,
        "default": "False",
    },
    "retry_seconds": {
        "description": "Seconds for which a request to the service is retried after transient faults, and for which a "
        "gate tries again to write its verdict.",
        "version_added": "0.1.0",
        "type": "float",
        "example": None,
        "default": f"{DEFAULT_RETRY_SECONDS:.0f}",
    },
}


def _modules(*names: str) -> dict[str, Any]:
    return {"integration-name": _INTEGRATION, "python-modules": [f"{_PACKAGE}.{name}" for name in names]}
