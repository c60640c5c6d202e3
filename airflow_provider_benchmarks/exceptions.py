"""Every error that this package raises, in one small hierarchy.

``BenchmarkError`` is the root. The errors of a missed gate have Airflow's ``AirflowFailException`` as a second base
where operators raise them (``airflow_provider_benchmarks.operators.gates``), so that a retry can never turn a miss
into a pass.
"""

from __future__ import annotations

from typing import Any, Self

from airflow_provider_benchmarks.masking import safe_text


class BenchmarkError(Exception):
    """Base of every error of this package.

    Airflow stores what ends a trigger, and passes messages on to logs and callbacks, so that these must be texts that
    every database and encoding can hold, without a connection's secrets, and without a hold on logs and terminals.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*(safe_text(arg) if isinstance(arg, str) else arg for arg in args))


class ConfigurationError(BenchmarkError, ValueError):
    """An argument or a connection is wrong; raised as early as possible, if it can be while a DAG is parsed."""


class ServiceError(BenchmarkError):
    """The evaluation service refused a request, or could not be reached.

    :param message: what happened and what to do next
    :param status_code: HTTP status of the answer, None when there was none
    :param detail: the service's own message
    :param method: HTTP method of the request
    :param path: path of the request, without host and query
    :param workspace: workspace of the request
    :param job: name of the job that the request was about, if any
    :param retry_after: seconds that the service asks to wait (Retry-After), if it does
    :param should_retry: True if the same request may be answered otherwise in a moment, False if not; None leaves that
        to the class of the error. The service may say so (x-should-retry)
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        detail: str = "",
        method: str = "",
        path: str = "",
        workspace: str = "",
        job: str = "",
        retry_after: float | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.detail = safe_text(detail)
        self.method = method
        self.path = path
        self.workspace = workspace
        self.job = job
        self.retry_after = retry_after
        self.should_retry = should_retry

    def reworded(self, message: str) -> Self:
        """The same error with another message."""
        error = type(self)(message)
        error.__dict__.update(self.__dict__)
        return error

    def __reduce__(self) -> tuple[Any, ...]:
        # Airflow's executors and triggers pickle exceptions; keyword-only arguments need the state restored by hand.
        return (type(self), (str(self),), self.__dict__)


class ServiceUnavailable(ServiceError):
    """A transient fault: no connection, a lost answer, 408, 421, 423, 425, 429, 502, 503 or 504.

    The same request is retried.
    """


class Unauthorized(ServiceError):
    """The token is missing, not valid, or has no right to this (401, 403)."""


class NotFound(ServiceError):
    """No such job, result, benchmark or workspace (404)."""


class JobNotFound(NotFound):
    """The service itself says that it has no such job: it was deleted, or never made."""


class Conflict(ServiceError):
    """The job name is taken by something that is not this job (409)."""


class NameUnusable(Conflict):
    """No job has this name, yet the service refuses it: an earlier failed submit left the job's fileset behind.

    Some releases answer the same, without the name, where something else that the job refers to is in conflict.
    """

    @property
    def is_about_name(self) -> bool:
        """True if the service's own message has the name."""
        return f"{self.job}'" in self.detail


class InvalidRequest(ServiceError):
    """The service understood the request and refused it (400, 405, 422, …): change the spec or the arguments."""


class ProtocolError(ServiceError):
    """The answer is not the service's or can't be understood, or the service failed inside (500).

    That may be a refusal of something on the way: a page with 400, 403, 410, …. Recoverable, though not transient: the
    request is not retried, but a wait for a job goes on for some polls.
    """


class JobError(BenchmarkError):
    """A benchmark job did not end well.

    :param message: what happened and what to do next
    :param job: name of the job
    :param workspace: its workspace
    :param benchmark: the benchmark that it ran, ``workspace/name``; empty when not known
    :param status: the last status seen
    """

    def __init__(
        self, message: str, *, job: str = "", workspace: str = "", benchmark: str = "", status: str = ""
    ) -> None:
        super().__init__(message)
        self.job = job
        self.workspace = workspace
        self.benchmark = safe_text(benchmark)
        self.status = safe_text(status)

    def reworded(self, message: str) -> Self:
        """The same error with another message."""
        error = type(self)(message)
        error.__dict__.update(self.__dict__)
        return error

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (str(self),), self.__dict__)


class JobFailed(JobError):
    """The job ended in error; the message has the service's reason and the last log lines."""


class JobCancelled(JobError):
    """Someone cancelled the job."""


class JobTimeout(JobError):
    """The job did not finish before its deadline."""


class IncompleteResults(BenchmarkError):
    """Results are missing, damaged, or fewer than the service says that it holds."""


class NewerFormat(IncompleteResults):
    """A newer release of this package has written what is stored: update this one."""


class ResultsChanged(IncompleteResults):
    """Results changed while they were read; a download that begins again may succeed."""


class DestinationExists(BenchmarkError):
    """The destination holds another file, and ``if_exists="fail"`` forbids replacing it."""


class Unwritable(BenchmarkError, OSError):
    """The local disk does not take a file: something else is in the place of it or of a folder, or access is denied."""


class NotStored(BenchmarkError):
    """The score store does not have the job."""


class ResultsTooLarge(BenchmarkError):
    """A value is too large for an XCom: set ``destination`` to store it as a file."""


class ScoreNotFound(BenchmarkError, LookupError):
    """No such metric or score in the results, or more than one that fits."""


class GateFailed(BenchmarkError):
    """At least one check of a gate missed its threshold."""


class GateInconclusive(BenchmarkError):
    """The results can't tell whether a gate holds."""
