"""Walk a job through its life by the requests that workers make, on a service without job controllers.

No evaluation runs; results are what the test puts there. Works the same on the local service and on a real platform.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import httpx


class FastJob:
    """One job.

    :param http: a client whose base URL is the service
    :param steps: names of the job's steps; the last one evaluates
    """

    def __init__(
        self,
        http: httpx.Client,
        workspace: str,
        name: str,
        *,
        steps: Sequence[str] = ("dataset-download", "evaluation"),
    ) -> None:
        self._steps = steps
        self._http = http
        self._workspace = workspace
        self._path = f"/apis/jobs/v2/workspaces/{workspace}/jobs/{name}"
        self.fileset = f"job-fileset-{name}"

    def step(self, step: str, status: str, **details: Any) -> None:
        """Set the status of a step; the job's follows."""
        path = f"{self._path}/steps/{step}/status"
        self._http.patch(path, json={"status": status, **details}).raise_for_status()

    def progress(self, **details: Any) -> None:
        self._http.patch(f"{self._path}/status-details", json=details).raise_for_status()

    def run_to_active(self) -> None:
        for step in self._steps[:-1]:
            for status in ("pending", "active", "completed"):
                self.step(step, status)
        for status in ("pending", "active"):
            self.step(self._steps[-1], status)

    def result(self, name: str, content: bytes) -> str:
        """Store a result; return the path of its file in the Files API."""
        path = f"results/attempt/{name}"
        file = f"/apis/files/v2/workspaces/{self._workspace}/filesets/{self.fileset}/-/{path}"
        headers = {"Content-Type": "application/octet-stream"}
        self._http.put(file, content=content, headers=headers).raise_for_status()
        record = {"artifact_url": f"{self._workspace}/{self.fileset}#{path}", "artifact_storage_type": "fileset"}
        self._http.post(f"{self._path}/results/{name}", json=record).raise_for_status()
        return file

    def complete(self, aggregate: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> None:
        self.result("aggregate-scores", json.dumps(aggregate).encode())
        self.result("row-scores", b"".join(json.dumps(row).encode() + b"\n" for row in rows))
        self.step(self._steps[-1], "completed")

    def fail(self, message: str) -> None:
        details = {"message": message}
        self.step(self._steps[-1], "error", error_details=details, status_details=details)
