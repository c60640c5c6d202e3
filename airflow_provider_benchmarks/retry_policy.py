"""What is retried, after which pause and for how long: one policy for requests, submits and polls.

Two words for errors. A fault is *transient* if the same request may well succeed in a moment: the client retries it. It
is *recoverable* if a later poll may be answered: the wait for a job goes on. A transient fault is recoverable. So is an
answer that can't be understood, such as the login page of a gateway, which the same request would get again.

A retry of a whole task is another matter: :func:`can_retry_mend` says which errors end a task for good.
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass

from airflow_provider_benchmarks.exceptions import (
    BenchmarkError,
    ConfigurationError,
    Conflict,
    DestinationExists,
    InvalidRequest,
    NameUnusable,
    NewerFormat,
    NotFound,
    ProtocolError,
    ResultsTooLarge,
    ServiceError,
    ServiceUnavailable,
    Unauthorized,
    Unwritable,
)

#: How long one request is retried in all, unless Airflow's configuration says otherwise.
DEFAULT_RETRY_SECONDS = 60.0
#: The longest pause between two polls that failed, whatever the service asks for: one that is back is noticed within.
_LONGEST_POLL_PAUSE_SECONDS = 300.0
#: Doublings after which no pause is short any more; a float has no room for many more.
_MAX_DOUBLINGS = 16
#: In the detail of a 422: before it accepts an online job, the service calls the model. What the model refuses stays
#: refused.
_MODEL_OUT_OF_REACH = re.compile(r"Model '[^']*' is not reachable(?!.* because a 4(?!08|29)\d\d error)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Pauses after failures in a row: doubled with each, up to a longest one, and jittered.

    :param first: seconds after the first failure
    :param longest: seconds after very many failures
    :param jitter: smallest and largest factor; chosen anew for each pause, so that clients that failed together do not
        come back together
    :param longest_retry_after: seconds that the service can ask for at most
    """

    first: float
    longest: float
    jitter: tuple[float, float]
    longest_retry_after: float = math.inf

    def pause(self, failures: int, *, retry_after: float | None = None) -> float:
        """Seconds to wait after a number of failures in a row, 1 or more; at least what the service asks for.

        :param retry_after: seconds that the service has asked for (Retry-After), if it has
        """
        doubled = min(self.first * 2.0 ** min(failures - 1, _MAX_DOUBLINGS), self.longest)
        asked = min(retry_after or 0.0, self.longest_retry_after)
        return max(random.uniform(*self.jitter) * doubled, asked)


#: For a request. Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter").
REQUESTS = Backoff(first=0.5, longest=20.0, jitter=(0.0, 1.0))
#: For a submit and the search for its job. Longer at first than for a request, and never zero, since another submit of
#: the same name may be under way.
SUBMITS = Backoff(first=1.0, longest=8.0, jitter=(0.25, 1.0))


def polls(interval: float) -> Backoff:
    """For polls that fail; never much shorter than the interval between polls that don't.

    :param interval: seconds between two polls
    """
    return Backoff(
        first=interval,
        longest=_LONGEST_POLL_PAUSE_SECONDS,
        jitter=(0.75, 1.25),
        longest_retry_after=_LONGEST_POLL_PAUSE_SECONDS,
    )


def is_transient(error: BaseException | None) -> bool:
    """True if the same request may well succeed in a moment, by what the service says of it, or by its kind."""
    if isinstance(error, ServiceError) and error.should_retry is not None:
        return error.should_retry
    return isinstance(error, ServiceUnavailable)


def is_recoverable(error: ServiceError) -> bool:
    """True if a later poll may be answered."""
    return is_transient(error) or isinstance(error, ServiceUnavailable | ProtocolError)


def is_unexpected_answer(error: ServiceError) -> bool:
    """True if the service did answer, and did not fail, but with something that is not a job."""
    return isinstance(error, ProtocolError) and (error.status_code or 0) < 500


def can_retry_mend(error: BenchmarkError) -> bool:
    """True if a retry of the task, with the same arguments and connection, may end otherwise.

    A 401 may be mended by a token that is renewed in time, a missing result by a job that goes on. A 403, what a submit
    names and is not there, a name that another job has, and what the service refuses to take (400, 422, …) stay as
    they are until somebody changes them.
    """
    if isinstance(error, ServiceError) and error.should_retry:
        return True
    if isinstance(error, Unauthorized):
        return error.status_code != 403
    if isinstance(error, NotFound):
        return error.method != "POST"
    if isinstance(error, Conflict):  # a name that is unusable may be that of a submit that is still under way
        return error.method != "POST" or isinstance(error, NameUnusable)
    if isinstance(error, InvalidRequest):
        is_refused = 400 <= (error.status_code or 0) < 500
        return not is_refused or _MODEL_OUT_OF_REACH.search(error.detail) is not None
    return not isinstance(error, ConfigurationError | DestinationExists | NewerFormat | ResultsTooLarge | Unwritable)
