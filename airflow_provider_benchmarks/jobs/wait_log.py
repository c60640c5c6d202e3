"""What a task's log says while the task waits for a job: few lines, however long it waits and whatever happens.

Every way of waiting passes what its polls return through here, and logs the lines that come back. A line is one of a
few: the first ones come at once, later ones a minute apart, and the longer the job takes the further apart. So a wait
of a month has some hundred of them; and one that begins anew, in a triggerer that was restarted, goes on as seldom.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ServiceError, ServiceUnavailable, Unauthorized
from airflow_provider_benchmarks.inert import one_line
from airflow_provider_benchmarks.jobs.models import BenchmarkJob, JobStatus
from airflow_provider_benchmarks.jobs.polling import progress_line

#: Number of lines that may come at once.
FIRST_LINES = 5
#: Seconds between two lines after these, and without news; at least this share of the job's age.
LINE_SECONDS, QUIET_SECONDS = 60.0, 300.0
SHARE_OF_AGE = 0.01
#: What a job that is older, in seconds, says of its age is not believed: it would silence the log for months.
_MOST_AGE = 30 * 24 * 3600.0
#: Age of a job, in seconds, from which on a wait goes on with one that has begun earlier.
_GOES_ON_SECONDS = 300.0
#: Seconds in which the rate of progress is measured: at least, and about at most.
_MIN_RATE_SECONDS, _RATE_SECONDS = 30.0, 600.0
#: What takes longer by its rate is not known.
_MOST_SECONDS_LEFT = 365 * 24 * 3600.0
#: Maximum number of characters of a reason.
_REASON = 1000


@dataclass(frozen=True, slots=True)
class WaitLine:
    """A line for the log of a task, and its level."""

    text: str
    level: int = logging.INFO


class WaitLog:
    """Makes the lines of one wait for one job.

    Progress is shown when it has changed, the first and the last always; an outage when it begins and when it ends; and
    that the wait goes on, where nothing else has been shown for some minutes.

    :param deadline: seconds since the epoch, None for no limit
    """

    __slots__ = (
        "_allowed",
        "_at",
        "_began",
        "_deadline",
        "_marks",
        "_name",
        "_outage",
        "_said",
        "_shown",
        "progress",
    )

    def __init__(self, job_name: str, *, deadline: float | None = None) -> None:
        self._name = one_line(str(job_name))  # the client refuses what is no name
        self._deadline = deadline
        #: When the job was submitted, or else the first poll.
        self._began: float | None = None
        #: Number of lines that may come, at the time of the last poll; and that time.
        self._allowed, self._at = 0.0, 0.0
        #: When the last line came.
        self._said = 0.0
        #: What of the job is compared: another one is progress. Empty before the first poll that succeeded.
        self.progress: tuple[object, ...] = ()
        self._shown: tuple[object, ...] = ()
        #: Two times, with the share of the job that was done then.
        self._marks: tuple[tuple[float, float], ...] = ()
        self._outage: _Outage | None = None

    def on_job(self, job: BenchmarkJob, now: float) -> list[WaitLine]:
        """Take a poll that succeeded."""
        self._note_time(now, job)
        self._note_rate(job, now)
        lines = self._end_outage(now)
        self.progress = self._progress(job)
        must = job.is_finished or not self._shown
        text = progress_line(job, now)
        if not (must or (self.progress != self._shown and self._may_say())):
            if not self._is_quiet(now):
                return lines
            text = f"still waiting: {text}{self._outlook(job, now)}"
        self._shown = self.progress
        return [*lines, self._line(text, now)]

    def on_error(self, error: ServiceError, now: float) -> list[WaitLine]:
        """Take a poll that failed, while the wait goes on."""
        self._note_time(now)
        outage = self._outage = self._outage or _Outage(now)
        outage.failures += 1
        what = f"{_trouble(error)} since {_clock(outage.began, now)}"
        reason = shortened(str(error), _REASON)
        if not outage.is_shown and self._may_say():
            outage.is_shown = True
            until = "" if self._deadline is None else f", until {_clock(self._deadline, now)}"
            return [self._line(f"{what}: {reason} Still polling{until}.", now, logging.WARNING)]
        if outage.is_shown and self._is_quiet(now):
            failed = f"still waiting: {what}, {outage.failures} polls failed. The last one: {reason}"
            return [self._line(failed, now, logging.WARNING)]
        return []

    def _end_outage(self, now: float) -> list[WaitLine]:
        outage, self._outage = self._outage, None
        if outage is None or not outage.is_shown:
            return []
        polls = "1 poll" if outage.failures == 1 else f"{outage.failures} polls"
        return [self._line(f"the service answers again, after {_duration(now - outage.began)}; {polls} failed", now)]

    def _progress(self, job: BenchmarkJob) -> tuple[object, ...]:
        # Lists have no steps: an unknown step is not a changed one.
        step = job.current_step if job.steps else (self.progress[-1] if self.progress else None)
        errored = job.row_counts.errored if job.row_counts is not None else None
        return str(job.status), job.progress, job.samples_processed, errored, step

    def _note_time(self, now: float, job: BenchmarkJob | None = None) -> None:
        """Add the lines that may come by now."""
        created = now if job is None or job.created_at is None else job.created_at.timestamp()
        created = created if now - created < _MOST_AGE else now
        is_first = self._began is None
        self._began = min(created, now) if self._began is None else min(created, self._began)
        if is_first:
            self._said = self._at = now
            # A wait for an older job may go on with one that another triggerer has begun.
            self._allowed = FIRST_LINES if now - self._began < _GOES_ON_SECONDS else 1.0
        more = max(now - self._at, 0.0) / self._pause(LINE_SECONDS, now)
        self._allowed, self._at = min(self._allowed + more, FIRST_LINES), now

    def _pause(self, seconds: float, now: float) -> float:
        age = 0.0 if self._began is None else now - self._began
        return max(seconds, age * SHARE_OF_AGE)

    def _may_say(self) -> bool:
        # Not quite 1: the sum of many shares.
        return self._allowed > 0.999

    def _is_quiet(self, now: float) -> bool:
        # A clock that was set back must not silence the log until it has come so far again.
        return now < self._said or now - self._said >= self._pause(QUIET_SECONDS, now)

    def _line(self, text: str, now: float, level: int = logging.INFO) -> WaitLine:
        self._allowed, self._said = self._allowed - 1, now
        return WaitLine(f"{self._name}: {text}", level)

    def _note_rate(self, job: BenchmarkJob, now: float) -> None:
        share = _share_done(job)
        if share is None or job.status != JobStatus.ACTIVE or (self._marks and share < self._marks[-1][1]):
            self._marks = ()  # it waits, or has begun anew
        elif not self._marks:
            self._marks = ((now, share), (now, share))
        elif now - self._marks[-1][0] >= _RATE_SECONDS:
            self._marks = (self._marks[-1], (now, share))

    def _outlook(self, job: BenchmarkJob, now: float) -> str:
        """When the job ends at its rate of the last minutes; empty where that is not known."""
        share = _share_done(job)
        if share is None or not self._marks:
            return ""
        (then, done), _ = self._marks
        if now - then < _MIN_RATE_SECONDS or share <= done:
            return ""
        left = (1 - share) * (now - then) / (share - done)
        if left > _MOST_SECONDS_LEFT:
            return ""
        late = self._deadline is not None and now + left > self._deadline
        after = f", after the deadline at {_clock(self._deadline or 0.0, now)}" if late else ""
        return f"; about {_duration(left)} to go, until {_clock(now + left, now)}{after}"


class _Outage:
    """Polls in a row that have failed."""

    __slots__ = ("began", "failures", "is_shown")

    def __init__(self, began: float) -> None:
        self.began = began
        self.failures = 0
        self.is_shown = False


def _trouble(error: ServiceError) -> str:
    if isinstance(error, Unauthorized):
        return "the service refuses the polls"
    return "the service does not answer" if isinstance(error, ServiceUnavailable) and error.path else "polls fail"


def _share_done(job: BenchmarkJob) -> float | None:
    """How much of a job is done, 0 to 1; None where the service does not say."""
    total = job.row_counts.total if job.row_counts is not None else None
    if total and job.samples_processed is not None:
        return min(job.samples_processed / total, 1.0)
    return None if job.progress is None else job.progress / 100


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=max(round(seconds), 0)))


def _clock(at: float, now: float) -> str:
    """A time, with its date where that is not today's. One that no date can have is far away."""
    try:
        time, today = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(now, UTC)
    except (ValueError, OverflowError, OSError):
        return "an unknown time"
    return f"{time:%H:%M:%S} UTC" if time.date() == today.date() else f"{time:%Y-%m-%d %H:%M:%S} UTC"
