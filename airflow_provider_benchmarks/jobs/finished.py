"""Which jobs have finished since they were last looked at: pure decisions on lists of jobs.

The service moves no time when a job completes, and filters by status only after it has cut a list into pages. So what is
remembered is the jobs that were not finished, and how new the newest job was; and a look needs only the jobs that were
created since the oldest of these.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from airflow_provider_benchmarks.jobs.models import BenchmarkJob

#: A job may get into the list a little later than a job that was created after it.
_LATE = timedelta(minutes=2)


class FinishedJobs:
    """What is known of the jobs of one workspace.

    :param benchmark: reference ``workspace/name`` of the jobs; None for those of all benchmarks
    :param name_pattern: of the jobs' names, with ``*`` and ``?``; None for all
    :param state: what :meth:`state` gave; None: nothing is known, and jobs that have finished already are no news
    """

    def __init__(
        self, *, benchmark: str | None = None, name_pattern: str | None = None, state: dict[str, Any] | None = None
    ) -> None:
        self._benchmark = benchmark
        self._name_pattern = name_pattern
        self._newest: datetime | None = None
        self._running: dict[str, datetime] = {}
        self._told: dict[str, datetime] = {}
        self._knows = state is not None
        if state is not None:
            self._newest = _moment(state["newest"])
            self._running = {name: _moment(at) for name, at in state["running"].items()}
            self._told = {name: _moment(at) for name, at in state["told"].items()}

    @property
    def since(self) -> datetime | None:
        """From when on created jobs must be looked at; None: nothing is known yet."""
        recent = [] if self._newest is None else [self._newest - _LATE]
        return min([*recent, *self._running.values()], default=None)

    def take(self, jobs: Iterable[BenchmarkJob]) -> list[BenchmarkJob]:
        """Take all jobs that were created since :attr:`since`; gives those that have finished, oldest first."""
        news = []
        known_until = None if self._newest is None else self._newest - _LATE
        running: dict[str, datetime] = {}  # one that is in the list no more was deleted
        for job in sorted(jobs, key=_created):
            created = _created(job)
            self._newest = max(self._newest or created, created)
            if not self._is_wanted(job):
                continue
            if not job.is_finished:
                running[job.name] = created
                continue
            is_new = self._knows and job.name not in self._told and (known_until is None or created > known_until)
            if job.name in self._running or is_new:
                news.append(job)
            self._told[job.name] = created
        self._running, self._knows = running, True
        if self._newest is not None:
            self._told = {name: at for name, at in self._told.items() if at >= self._newest - _LATE}
        return news

    def state(self) -> dict[str, Any]:
        """What is known, as plain JSON."""
        return {
            "newest": None if self._newest is None else self._newest.isoformat(),
            "running": {name: at.isoformat() for name, at in self._running.items()},
            "told": {name: at.isoformat() for name, at in self._told.items()},
        }

    def _is_wanted(self, job: BenchmarkJob) -> bool:
        return self._benchmark in (None, job.benchmark) and (
            self._name_pattern is None or fnmatchcase(job.name, self._name_pattern)
        )


def _created(job: BenchmarkJob) -> datetime:
    return job.created_at or datetime.min.replace(tzinfo=UTC)


def _moment(text: str | None) -> Any:
    return None if text is None else datetime.fromisoformat(text)
