"""Put workspaces, datasets, metrics and benchmarks into an evaluation service over its own HTTP API.

Works the same on the local service of this package and on a real NeMo Platform 0.1.x. Every call is idempotent:
what is already there is left as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self
from urllib.parse import quote

import httpx

EXAMPLE_WORKSPACE = "my-workspace"
EXAMPLE_BENCHMARK = "my-workspace/qa-bench"

#: The five rows of the service's own "Benchmark Results" page.
EXAMPLE_ROWS: tuple[dict[str, str], ...] = (
    {"input": "What is 2+2?", "output": "The answer is 4", "reference": "4"},
    {"input": "Capital of France?", "output": "Paris is the capital", "reference": "Paris"},
    {"input": "Color of sky?", "output": "Blue", "reference": "blue"},
    {"input": "Largest planet?", "output": "Jupiter", "reference": "Jupiter"},
    {"input": "Water formula?", "output": "H2O", "reference": "H2O"},
)

#: exact-match ignores case on the service; string-check compares as written ("Blue" does not contain "blue").
EXAMPLE_METRICS: dict[str, dict[str, str]] = {
    "exact-match": {"type": "exact-match", "reference": "{{item.reference}}", "candidate": "{{item.output}}"},
    "string-check": {
        "type": "string-check",
        "operation": "contains",
        "left_template": "{{item.output}}",
        "right_template": "{{item.reference}}",
    },
}


class Seeder:
    """Create what a benchmark job needs.

    :param base_url: address of the service, without the ``/apis`` part
    :param token: bearer token, where the service asks for one
    """

    def __init__(self, base_url: str, *, token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=base_url.rstrip("/"), headers=headers, timeout=60, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _send(self, method: str, path: str, **kwargs: Any) -> None:
        response = self._http.request(method, path, **kwargs)
        if response.status_code not in (200, 201, 409):
            raise RuntimeError(f"{method} {path} answered {response.status_code}: {response.text[:600]}")

    def workspace(self, name: str) -> None:
        self._send("POST", "/apis/entities/v2/workspaces", json={"name": name})

    def dataset(self, workspace: str, name: str, rows: Iterable[Mapping[str, Any]]) -> str:
        """Store rows as a fileset with one JSONL file; gives its reference ``workspace/name``."""
        filesets = f"/apis/files/v2/workspaces/{quote(workspace, safe='')}/filesets"
        content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        self._send("POST", filesets, json={"name": name})
        self._send(
            "PUT",
            f"{filesets}/{quote(name, safe='')}/-/{quote(name, safe='')}.jsonl",
            content=content,
            headers={"Content-Type": "application/octet-stream"},
        )
        return f"{workspace}/{name}"

    def metric(self, workspace: str, name: str, body: Mapping[str, Any]) -> str:
        """Create a metric from the service's own body (``type`` and its fields); gives its reference."""
        path = f"/apis/evaluation/v2/workspaces/{quote(workspace, safe='')}/metrics/{quote(name, safe='')}"
        self._send("POST", path, json=dict(body))
        return f"{workspace}/{name}"

    def benchmark(self, workspace: str, name: str, *, metrics: Sequence[str], dataset: str) -> str:
        """Create a benchmark from metric references and a dataset reference; gives its reference."""
        self._send(
            "POST",
            f"/apis/evaluation/v2/workspaces/{quote(workspace, safe='')}/benchmarks",
            json={"name": name, "description": name, "metrics": list(metrics), "dataset": dataset},
        )
        return f"{workspace}/{name}"

    def question_answer_example(self) -> str:
        """Seed the question-answer example of the service's docs; gives the benchmark's reference."""
        self.workspace(EXAMPLE_WORKSPACE)
        dataset = self.dataset(EXAMPLE_WORKSPACE, "qa", EXAMPLE_ROWS)
        metrics = [self.metric(EXAMPLE_WORKSPACE, name, body) for name, body in EXAMPLE_METRICS.items()]
        return self.benchmark(EXAMPLE_WORKSPACE, "qa-bench", metrics=metrics, dataset=dataset)
