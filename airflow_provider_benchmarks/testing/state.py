"""What the local service holds: workspaces, filesets, metrics, benchmarks, jobs and their results."""

from __future__ import annotations

import io
import random
import string
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from airflow_provider_benchmarks.testing.scenarios import Failure, GivenResults
    from airflow_provider_benchmarks.testing.worker import Outcome

Clock = Callable[[], float]

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def new_id(prefix: str) -> str:
    return f"{prefix}-{''.join(random.choices(_BASE58, k=22))}"


def short_id() -> str:
    return "".join(random.choices(string.ascii_lowercase + string.digits, k=8))


def stamp(seconds: float) -> str:
    """Write a time as the service does: UTC, microseconds, no zone."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file's content: bytes in memory, or a file on disk that is served without being loaded."""

    content: bytes | Path

    @property
    def size(self) -> int:
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)

    def read(self) -> bytes:
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content

    def open(self) -> BinaryIO:
        return self.content.open("rb") if isinstance(self.content, Path) else io.BytesIO(self.content)


@dataclass(slots=True)
class Fileset:
    name: str
    workspace: str
    created_at: str
    description: str = ""
    id: str = field(default_factory=lambda: new_id("fileset"))
    files: dict[str, StoredFile] = field(default_factory=dict)


@dataclass(slots=True)
class Entity:
    """A workspace, metric, benchmark or stored result: what the service says about it is ``fields``."""

    name: str
    workspace: str
    created_at: str
    id: str
    fields: dict[str, Any]


@dataclass(slots=True)
class Task:
    name: str
    status: str
    status_details: dict[str, Any]
    created_at: str
    updated_at: str
    id: str = field(default_factory=lambda: new_id("platform-job-task"))
    error_details: dict[str, Any] = field(default_factory=dict)
    error_stack: str | None = None


@dataclass(slots=True)
class Step:
    name: str
    created_at: str
    updated_at: str
    status: str = "created"
    id: str = field(default_factory=lambda: new_id("platform-job-step"))
    status_details: dict[str, Any] = field(default_factory=dict)
    error_details: dict[str, Any] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)


@dataclass(slots=True)
class JobResult:
    name: str
    artifact_url: str
    created_at: str


@dataclass(slots=True)
class Plan:
    """How a job goes on by itself, with controllers.

    :param asked: what a test wants to come of it
    :param outcome: what will come of it, once that is known
    :param position: index of the next stage
    :param shift: seconds that the job has been held, added to its time table
    :param held_since: when the present hold began
    """

    seconds: float
    asked: GivenResults | Failure | None = None
    outcome: Outcome | None = None
    position: int = 0
    shift: float = 0.0
    held_since: float | None = None
    cancel_at: float | None = None


@dataclass(slots=True)
class Job:
    """A job of the jobs service.

    :param kind: ``benchmark``, or ``metric`` for a job of another service that holds the name
    :param pinned_status: shown instead of the real status
    """

    name: str
    workspace: str
    submitted: float
    spec: dict[str, Any]
    plan: Plan
    kind: str = "benchmark"
    description: str | None = None
    ownership: dict[str, Any] | None = None
    custom_fields: dict[str, Any] | None = None
    status: str = "created"
    pinned_status: str | None = None
    status_details: dict[str, Any] = field(default_factory=dict)
    error_details: dict[str, Any] | None = None
    id: str = field(default_factory=lambda: new_id("platform-job"))
    attempt_id: str = field(default_factory=lambda: new_id("platform-job-attempt"))
    steps: list[Step] = field(default_factory=list)
    results: dict[str, JobResult] = field(default_factory=dict)
    logs: list[dict[str, str]] = field(default_factory=list)

    @property
    def benchmark(self) -> str:
        return str(self.spec["benchmark"])

    @property
    def fileset(self) -> str:
        return f"job-fileset-{self.name}"

    @property
    def created_at(self) -> str:
        return stamp(self.submitted)

    @property
    def updated_at(self) -> str:
        # The real one writes the job once more right after it is created, and never again.
        return stamp(self.submitted + 0.06)


class State:
    """Everything the service holds. Use it under ``lock``.

    :param clock: gives the time in seconds since 1970
    """

    def __init__(self, *, clock: Clock = time.time) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self._folder = tempfile.TemporaryDirectory(prefix="evaluation-service-", ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self.workspaces: dict[str, Entity] = {}
        self.filesets: dict[tuple[str, str], Fileset] = {}
        self.metrics: dict[tuple[str, str], Entity] = {}
        self.benchmarks: dict[tuple[str, str], Entity] = {}
        self.job_results: dict[tuple[str, str], Entity] = {}
        self.jobs: dict[str, dict[str, Job]] = {}
        self.models: set[str] = set()
        self.secrets: set[tuple[str, str]] = set()
        for name, description in (
            ("default", "Default workspace"),
            ("system", "Platform-provided resources"),
        ):
            self.add_workspace(name, description)

    def close(self) -> None:
        self._folder.cleanup()

    def now(self) -> str:
        return stamp(self.clock())

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
        """Find the file of ``workspace/fileset#path``."""
        reference, _, path = artifact_url.partition("#")
        workspace, _, name = reference.partition("/")
        fileset = self.filesets.get((workspace, name))
        return fileset.files.get(path) if fileset else None
