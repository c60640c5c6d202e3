"""Which jobs have finished since the last poll: pure decisions on lists of jobs.

The service moves no time when a job completes, and filters by status only after it has cut a list into pages. So what
is remembered is the jobs that were not finished, and how new the newest job was. The next poll needs only the jobs that
were created since then, and those that were not finished.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, Self

from airflow_provider_benchmarks.jobs.models import BenchmarkJob

#: A job may get into the list a little later than a job that was created after it.
_LATE = timedelta(minutes=2)
#: The service's clock may be ahead of ours by this. A job of a later time, as an odd answer may have, says nothing
#: about which jobs are new: all that come after it would count as old.
_AHEAD = timedelta(days=1)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsPoll:
    """One poll of a workspace.

    :param jobs: all jobs that were created from ``since`` on, and earlier ones that were requested by name
    :param since: None for all jobs of the workspace
    :param requested: names that were requested one by one
    :param deleted: those of them whose job was deleted
    :param started_at: seconds, on a clock that all polls share
    """

    jobs: tuple[BenchmarkJob, ...]
    since: datetime | None = None
    requested: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()
    started_at: float = 0.0


class _Reported(NamedTuple):
    """A finished job as it was seen. Under its name there may be another one later, or a rerun that ends otherwise.

    :param at: creation time
    :param id: empty where it is not known
    :param status: empty where it is not known
    """

    at: datetime
    id: str = ""
    status: str = ""

    @classmethod
    def of(cls, job: BenchmarkJob) -> Self:
        return cls(created_at(job), job.id, str(job.status))

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Read it from a state; earlier releases have stored the creation time alone."""
        at, *others = [value] if isinstance(value, str) else value
        return cls(_moment(at), *others)

    def to_json(self) -> list[str]:
        return [self.at.isoformat(), self.id, self.status]

    def is_same(self, later: _Reported) -> bool:
        """True if a job that was seen later is this one, with the same end."""
        is_job = self.id == later.id if self.id and later.id else self.at == later.at
        return is_job and self.status in ("", later.status)


class FinishedJobs:
    """What is known of the jobs of one workspace.

    :param benchmark: reference ``workspace/name`` of the jobs; None for those of all benchmarks
    :param name_pattern: of the jobs' names, with ``*`` and ``?``; None for all
    :param state: what :meth:`state` has returned; None: nothing is known, and jobs that have finished already are no
        news
    """

    def __init__(
        self, *, benchmark: str | None = None, name_pattern: str | None = None, state: dict[str, Any] | None = None
    ) -> None:
        self._benchmark = benchmark
        self._name_pattern = name_pattern
        self._newest: datetime | None = None
        self._running: dict[str, datetime] = {}
        self._reported: dict[str, _Reported] = {}
        self._has_state = state is not None
        if state is not None:
            newest = _moment(state["newest"])
            self._newest = newest if newest is not None and newest <= _latest() else None
            self._running = {name: _moment(at) for name, at in state["running"].items()}
            self._reported = {name: _Reported.from_json(each) for name, each in state["reported"].items()}

    @property
    def since(self) -> datetime | None:
        """Creation time from which on a poll must show all jobs; None: nothing is known yet."""
        return None if self._newest is None else self._newest - _LATE

    @property
    def running(self) -> Mapping[str, datetime]:
        """Names of the jobs that had not finished, whenever they were created: a poll must show these, too."""
        return self._running

    def is_served_by(self, poll: JobsPoll) -> bool:
        """True if a poll, which may have been made for others, shows all jobs that it must."""
        if self.since is None:
            return True
        shown = {job.name for job in poll.jobs} | poll.requested
        return (poll.since is None or poll.since <= self.since) and self._running.keys() <= shown

    def take(self, poll: JobsPoll) -> list[BenchmarkJob]:
        """Take a poll that serves, and return the jobs that have finished, oldest first. Polls come in their order."""
        news = []
        known_until, latest = self.since, _latest()
        self._running = {name: at for name, at in self._running.items() if name not in poll.deleted}
        for job in sorted(poll.jobs, key=created_at):
            created = created_at(job)
            if created <= latest:
                self._newest = max(self._newest or created, created)
            if not self._is_wanted(job):
                continue
            if not job.is_finished:
                self._running[job.name] = created
                continue
            was_running = self._running.pop(job.name, None) is not None
            now, before = _Reported.of(job), self._reported.get(job.name)
            is_new = not before.is_same(now) if before else known_until is None or created > known_until
            if was_running or (self._has_state and is_new):
                news.append(job)
            self._reported[job.name] = now
        self._has_state = True
        if self.since is not None:
            self._reported = {name: each for name, each in self._reported.items() if each.at >= self.since}
        return news

    def state(self, *, unreported: Iterable[BenchmarkJob] = ()) -> dict[str, Any]:
        """What is known, as plain JSON.

        :param unreported: jobs that :meth:`take` has returned and that are not reported yet: it returns them again to
            whoever starts with this state
        """
        left = {job.name: created_at(job) for job in unreported}
        reported = {name: each.to_json() for name, each in self._reported.items() if name not in left}
        return {
            "newest": None if self._newest is None else self._newest.isoformat(),
            "running": {name: at.isoformat() for name, at in (self._running | left).items()},
            "reported": reported,
        }

    def _is_wanted(self, job: BenchmarkJob) -> bool:
        return self._benchmark in (None, job.benchmark) and (
            self._name_pattern is None or fnmatchcase(job.name, self._name_pattern)
        )


def created_at(job: BenchmarkJob) -> datetime:
    """When a job was created; long ago where the service does not say."""
    return job.created_at or _LONG_AGO


def _latest() -> datetime:
    """The latest time at which a job can have been created."""
    return datetime.fromtimestamp(time.time(), UTC) + _AHEAD


def _moment(text: str | None) -> Any:
    return None if text is None else datetime.fromisoformat(text)
