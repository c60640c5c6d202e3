"""Create workspaces, datasets, metrics and benchmarks in an evaluation service over its own HTTP API.

Works on the local service of this package and on real ones. Every call is idempotent: what exists already is not
changed.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self
from urllib.parse import quote

import httpx

from airflow_provider_benchmarks.testing._jobs.bundles import metric_bundle
from airflow_provider_benchmarks.testing._release import Release

EXAMPLE_WORKSPACE = "my-workspace"
EXAMPLE_BENCHMARK = "my-workspace/qa-bench"
EXAMPLE_DATASET = "my-workspace/qa"

#: The five rows of the service's own "Benchmark Results" page.
EXAMPLE_ROWS: tuple[dict[str, str], ...] = (
    {"input": "What is 2+2?", "output": "The answer is 4", "reference": "4"},
    {"input": "Capital of France?", "output": "Paris is the capital", "reference": "Paris"},
    {"input": "Color of sky?", "output": "Blue", "reference": "blue"},
    {"input": "Largest planet?", "output": "Jupiter", "reference": "Jupiter"},
    {"input": "Water formula?", "output": "H2O", "reference": "H2O"},
)

#: On the service, exact-match ignores case and string-check does not ("Blue" does not contain "blue").
EXAMPLE_METRICS: dict[str, dict[str, str]] = {
    "exact-match": {"type": "exact-match", "reference": "{{item.reference}}", "candidate": "{{item.output}}"},
    "string-check": {
        "type": "string-check",
        "operation": "contains",
        "left_template": "{{item.output}}",
        "right_template": "{{item.reference}}",
    },
}

_TIMEOUT_SECONDS = 60.0
_MAX_ERROR_CHARACTERS = 600


def example_spec(release: str = "0.1") -> dict[str, Any]:
    """Return the spec of a job of the question-answer example.

    :param release: release of the service, such as "0.8"
    """
    if not Release.parse(release).evaluates_bundles:
        return {"benchmark": EXAMPLE_BENCHMARK}
    return {"metrics": [metric_bundle(body) for body in EXAMPLE_METRICS.values()], "dataset": EXAMPLE_DATASET}


class BaseSeeder(ABC):
    """Creates what a benchmark job needs, through the service's REST API. How requests are sent is up to subclasses.

    :param release: release of the service
    """

    def __init__(self, release: Release) -> None:
        self._release = release
        self._api = f"/apis/{release.prefix}/v2/workspaces"

    @abstractmethod
    def _send(self, method: str, path: str, content: bytes, content_type: str) -> tuple[int, str]:
        """Send a request; return the status and the text of the response."""

    def workspace(self, name: str) -> None:
        """Create a workspace."""
        self._create("POST", "/apis/entities/v2/workspaces", {"name": name})

    def dataset(self, workspace: str, name: str, rows: Iterable[Mapping[str, Any]]) -> str:
        """Store rows as a fileset with one JSONL file; return its reference ``workspace/name``."""
        filesets = f"/apis/files/v2/workspaces/{_segment(workspace)}/filesets"
        content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        self._create("POST", filesets, {"name": name})
        self._create("PUT", f"{filesets}/{_segment(name)}/-/{_segment(name)}.jsonl", content)
        return f"{workspace}/{name}"

    def metric(self, workspace: str, name: str, body: Mapping[str, Any]) -> str:
        """Create a metric and return its reference.

        :param body: the metric as 0.1 has it: ``type`` and its fields
        :raises ValueError: a later service wants its outputs, and these are not known for the type
        """
        metric = metric_bundle(body) if self._release.evaluates_bundles else body
        self._create("POST", f"{self._api}/{_segment(workspace)}/metrics/{_segment(name)}", metric)
        return f"{workspace}/{name}"

    def benchmark(self, workspace: str, name: str, *, metrics: Sequence[str], dataset: str) -> str:
        """Create a benchmark and return its reference.

        :param metrics: references of metrics
        :param dataset: reference of a dataset
        :raises ValueError: the release stores no benchmarks: only 0.1 does
        """
        if self._release.evaluates_bundles:
            raise ValueError(f"{self._release.version} stores no benchmarks: its jobs bring their metrics along")
        body = {"name": name, "description": name, "metrics": list(metrics), "dataset": dataset}
        self._create("POST", f"{self._api}/{_segment(workspace)}/benchmarks", body)
        return f"{workspace}/{name}"

    def question_answer_example(self) -> str:
        """Create the question-answer example of the service's docs; return the benchmark's reference.

        Where the service stores no benchmarks, return the dataset's; the metrics are stored, too.
        """
        self.workspace(EXAMPLE_WORKSPACE)
        dataset = self.dataset(EXAMPLE_WORKSPACE, "qa", EXAMPLE_ROWS)
        metrics = [self.metric(EXAMPLE_WORKSPACE, name, body) for name, body in EXAMPLE_METRICS.items()]
        if self._release.evaluates_bundles:
            return dataset
        return self.benchmark(EXAMPLE_WORKSPACE, "qa-bench", metrics=metrics, dataset=dataset)

    def _create(self, method: str, path: str, body: Mapping[str, Any] | bytes) -> None:
        """Send a JSON body, or the bytes of a file. That the entity exists already (409) is no error."""
        if isinstance(body, bytes):
            status, text = self._send(method, path, body, "application/octet-stream")
        else:
            status, text = self._send(method, path, json.dumps(dict(body)).encode(), "application/json")
        if status not in (200, 201, 409):
            raise RuntimeError(f"{method} {path} answered {status}: {text[:_MAX_ERROR_CHARACTERS]}")


class Seeder(BaseSeeder):
    """Creates what a benchmark job needs, over HTTP.

    :param base_url: address of the service, without the ``/apis`` part
    :param token: bearer token, if the service requires one
    :param release: release of the service
    """

    def __init__(self, base_url: str, *, token: str | None = None, release: str = "0.1") -> None:
        super().__init__(Release.parse(release))
        self._http = httpx.Client(
            base_url=base_url.rstrip("/"),
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
            # The service closes idle connections unannounced; a request sent on one that is closing would be lost.
            limits=httpx.Limits(max_keepalive_connections=0),
            # Certificates take 25 to 100 ms to load, and plain HTTP needs none. Redirects to HTTPS are not followed.
            verify=not base_url.lower().startswith("http:"),
        )

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _send(self, method: str, path: str, content: bytes, content_type: str) -> tuple[int, str]:
        response = self._http.request(method, path, content=content, headers={"Content-Type": content_type})
        return response.status_code, response.text


def _segment(name: str) -> str:
    """Escape a name as one segment of a path."""
    return quote(name, safe="")
