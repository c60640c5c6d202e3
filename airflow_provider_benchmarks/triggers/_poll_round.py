"""What is known of the service during one poll."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from airflow_provider_benchmarks.exceptions import ServiceError


@dataclass(slots=True, kw_only=True)
class PollRound:
    """One poll of many jobs."""

    #: A list, or the request for a job, got an answer that is neither a refusal nor malformed.
    is_answered: bool = False
    list_responded: bool = False
    list_refused: bool = False
    list_error: Exception | None = None
    #: The connection was looked up again: a second refusal counts, also where each look-up gives another token.
    is_renewed: bool = False
    #: Errors that may concern all jobs, by job.
    errors: dict[str, ServiceError] = field(default_factory=dict)
    #: Of the cheap request, if that got no response either.
    error: ServiceError | None = None
    #: Number of failures, and of jobs that have become slow, since the last response for a job.
    in_a_row: int = 0
    slow_in_a_row: int = 0
    #: A job's request was slow, or its last one was.
    is_slow: bool = False
    #: Begins with the check, where no response comes.
    check_later: asyncio.TimerHandle | None = None
    #: Finds out whether the service responds.
    check: asyncio.Task[None] | None = None
