"""Errors that no retry mends, as Airflow knows them: a task that raises one fails at once.

Each is the error of the package that it is named after, and an ``AirflowFailException``, too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_benchmarks import exceptions
from airflow_provider_benchmarks.exceptions import BenchmarkError
from airflow_provider_benchmarks.operators._lineage import Kind, ReportsLineage
from airflow_provider_benchmarks.retry_policy import can_retry_mend

M = TypeVar("M", bound=Callable[..., Any])


class ConfigurationError(exceptions.ConfigurationError, AirflowFailException):
    """An argument or a connection is wrong."""


class Unauthorized(exceptions.Unauthorized, AirflowFailException):  # type: ignore[misc]
    """The token has no right to this (403)."""


class NotFound(exceptions.NotFound, AirflowFailException):  # type: ignore[misc]
    """What a submit names is not there (404)."""


class JobNotFound(exceptions.JobNotFound, AirflowFailException):  # type: ignore[misc]
    """The workspace of a submit is not there (404), which some releases report in these words."""


class InvalidRequest(exceptions.InvalidRequest, AirflowFailException):  # type: ignore[misc]
    """The service refuses the request (400, 405, 422, …)."""


class Conflict(exceptions.Conflict, AirflowFailException):  # type: ignore[misc]
    """Another job has the name of a submit (409)."""


class ResultsTooLarge(exceptions.ResultsTooLarge, AirflowFailException):
    """A value is too large for an XCom."""


class DestinationExists(exceptions.DestinationExists, AirflowFailException):
    """The destination holds another file."""


class Unwritable(exceptions.Unwritable, AirflowFailException):
    """The local disk does not take a file."""


class NewerFormat(exceptions.NewerFormat, AirflowFailException):
    """A newer release of this package has written what is stored."""


_FINAL: dict[type[BenchmarkError], type[BenchmarkError]] = {
    exceptions.ConfigurationError: ConfigurationError,
    exceptions.Unauthorized: Unauthorized,
    exceptions.NotFound: NotFound,
    exceptions.JobNotFound: JobNotFound,
    exceptions.InvalidRequest: InvalidRequest,
    exceptions.Conflict: Conflict,
    exceptions.ResultsTooLarge: ResultsTooLarge,
    exceptions.DestinationExists: DestinationExists,
    exceptions.Unwritable: Unwritable,
    exceptions.NewerFormat: NewerFormat,
}


def fails_for_good(method: M) -> M:
    """Let a task fail without a retry where none mends the error that a method raises."""

    @wraps(method)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except (exceptions.GateFailed, exceptions.GateInconclusive) as error:
            raise error.with_traceback(None)  # noqa: B904 - a verdict is no fault, whose place would help
        except BenchmarkError as error:
            if isinstance(error, exceptions.JobError) and isinstance(args[0], ReportsLineage):
                args[0].lineage.reads(Kind.BENCHMARK, error.benchmark)
            final = as_final(error)
            if final is error:
                raise
            raise final.with_traceback(error.__traceback__) from error.__cause__

    return cast("M", run)


def as_final(error: BenchmarkError) -> BenchmarkError:
    """The error as one that fails a task at once, where no retry mends it; else the very same."""
    if isinstance(error, AirflowFailException) or can_retry_mend(error):
        return error
    kind = next(_FINAL[each] for each in type(error).__mro__ if each in _FINAL)
    final = kind(*error.args)
    final.__dict__.update(error.__dict__)
    return final
