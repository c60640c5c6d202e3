"""A job of the jobs service, its steps, tasks and results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow_provider_benchmarks.testing._state.identifiers import new_id, timestamp
from airflow_provider_benchmarks.testing._state.outcome import Failure, Outcome, ResultFiles

#: Steps of a job by its kind.
STEPS: dict[str, tuple[str, ...]] = {
    "benchmark": ("dataset-download", "evaluation"),
    "evaluation": ("evaluate",),
    "metric": ("evaluation",),
}
#: The real service writes a job once more this long after it was created, and never again.
_SECOND_WRITE_SECONDS = 0.06


@dataclass(slots=True)
class Task:
    """A subprocess of a step."""

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
    """A step of a job, such as the download of the dataset, or the evaluation."""

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
    """A result of a job; its file is at ``workspace/fileset#path``."""

    name: str
    artifact_url: str
    created_at: str


@dataclass(slots=True)
class Schedule:
    """When and how the controllers move a job.

    :param seconds: from submit to the end
    :param requested: outcome that a test requested
    :param outcome: decided outcome; None until it is needed
    :param position: index of the next stage
    :param shift: seconds that the job was held, added to the time of each stage
    :param held_since: start of the current hold
    :param cancel_at: when a job in ``cancelling`` is cancelled
    """

    seconds: float
    requested: ResultFiles | Failure | None = None
    outcome: Outcome | None = None
    position: int = 0
    shift: float = 0.0
    held_since: float | None = None
    cancel_at: float | None = None


@dataclass(slots=True)
class Job:
    """A job of the jobs service.

    :param submitted: seconds since 1970
    :param kind: ``benchmark``; ``evaluation`` for a job that brings its metrics along; ``metric`` for a job of another
        service that holds the name
    :param pinned_status: returned instead of the real status
    """

    name: str
    workspace: str
    submitted: float
    spec: dict[str, Any]
    schedule: Schedule
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
    def subjects(self) -> tuple[str, ...]:
        """References by which a test requests outcomes: of the benchmark, and of the dataset if the spec has it.

        The benchmark of a job that brings its metrics along is what its submitter has put into its custom fields.
        """
        named = ((self.custom_fields or {}).get("benchmark"), self.spec.get("benchmark", self.spec.get("dataset")))
        return tuple(dict.fromkeys(text.partition("#")[0] for text in named if isinstance(text, str)))

    @property
    def step_names(self) -> tuple[str, ...]:
        return STEPS[self.kind]

    @property
    def fileset(self) -> str:
        return f"job-fileset-{self.name}"

    @property
    def folder(self) -> str:
        """Working folder of the attempt on the real service's machine, not on this one."""
        return f"/var/lib/jobs/{self.workspace}/{self.name}/{self.attempt_id}"

    @property
    def storage(self) -> str:
        return f"{self.folder}/job-storage"

    @property
    def created_at(self) -> str:
        return timestamp(self.submitted)

    @property
    def updated_at(self) -> str:
        return timestamp(self.submitted + _SECOND_WRITE_SECONDS)
