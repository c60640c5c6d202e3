"""All data of the local service."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from airflow_provider_benchmarks.testing._release import Release
from airflow_provider_benchmarks.testing._state.entity import Entity
from airflow_provider_benchmarks.testing._state.fileset import Fileset, StoredFile
from airflow_provider_benchmarks.testing._state.identifiers import new_id, timestamp
from airflow_provider_benchmarks.testing._state.job import Job

Clock = Callable[[], float]


class State:
    """All data of the service. Hold ``lock`` while using it.

    :param clock: returns the seconds since 1970
    :param release: the release that the service behaves as
    """

    def __init__(self, *, clock: Clock = time.time, release: Release | None = None) -> None:
        self.clock = clock
        self.release = release or Release(1)
        self.lock = threading.RLock()
        self._temporary = tempfile.TemporaryDirectory(prefix="evaluation-service-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)
        self.workspaces: dict[str, Entity] = {}
        self.filesets: dict[tuple[str, str], Fileset] = {}
        self.metrics: dict[tuple[str, str], Entity] = {}
        self.benchmarks: dict[tuple[str, str], Entity] = {}
        self.job_results: dict[tuple[str, str], Entity] = {}
        self.jobs: dict[str, dict[str, Job]] = {}
        self.models: set[str] = set()
        self.secrets: set[tuple[str, str]] = set()
        self.add_workspace("default", "Default workspace")
        self.add_workspace("system", "Platform-provided resources")

    def close(self) -> None:
        """Delete uploaded files."""
        self._temporary.cleanup()

    def now(self) -> str:
        """Return the current timestamp."""
        return timestamp(self.clock())

    def add_workspace(self, name: str, description: str | None) -> Entity:
        entity = Entity(name, name, self.now(), new_id("workspace"), {"description": description})
        self.workspaces[name] = entity
        return entity

    def add_fileset(self, workspace: str, name: str, description: str = "") -> Fileset:
        fileset = Fileset(name, workspace, self.now(), description)
        self.filesets[workspace, name] = fileset
        return fileset

    def job(self, workspace: str, name: str) -> Job | None:
        return self.jobs.get(workspace, {}).get(name)

    def add_job(self, job: Job) -> None:
        self.jobs.setdefault(job.workspace, {})[job.name] = job

    def stored_file(self, artifact_url: str) -> StoredFile | None:
        """Return the file at ``workspace/fileset#path``, if it exists."""
        reference, _, path = artifact_url.partition("#")
        workspace, _, name = reference.partition("/")
        fileset = self.filesets.get((workspace, name))
        return fileset.files.get(path) if fileset else None
