"""Request the statuses of many jobs, in as few requests as that takes."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.exceptions import (
    ServiceError,
    ServiceUnavailable,
    Unauthorized,
)
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.retry_policy import is_recoverable, is_unexpected_answer
from airflow_provider_benchmarks.triggers._job_lists import JobLists
from airflow_provider_benchmarks.triggers._poll_round import PollRound
from airflow_provider_benchmarks.triggers._slow_requests import SHORT_SECONDS, Report, SlowRequests

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import AsyncBenchmarkClient

logger = logging.getLogger(__name__)

#: Maximum number of concurrent status requests beside the slow ones. Each may open a connection.
MAX_CONCURRENT_REQUESTS = 4
#: Number of failures in a row that may be an outage, when the service has answered nothing else in this poll. The cheap
#: request decides. After a list that failed it is one.
OUTAGE_FAILURES = 3
#: Number of jobs in a row that fail, or are slow, after which the rest is left for the next poll: a service with a
#: fault in it must not get a request for each of thousands of jobs. The rest is then requested first.
MAX_FAILURES_IN_A_ROW = 30
#: For a request for a job's steps. Other jobs wait for it, and steps are only shown to people.
STEPS_TIMEOUT_SECONDS = 5.0


class StatusRequests:
    """Requests the statuses of jobs of one workspace, through one client.

    :param open_client: makes a client from the connection as it is now
    """

    def __init__(
        self, client: AsyncBenchmarkClient, open_client: Callable[[], Awaitable[AsyncBenchmarkClient]]
    ) -> None:
        self.client = client
        self._open_client = open_client
        self._slow = SlowRequests()
        self._lists = JobLists(self._note_page)
        #: Jobs whose last request has failed.
        self._failing: set[str] = set()
        self._checks = 0
        #: The cheap request got a response when it was sent last.
        self._is_cheap_answered = True
        self._round = PollRound()

    async def close(self) -> None:
        await self._slow.close()
        await self.client.close()

    async def reconnect(self) -> bool:
        """Look the connection up again and use it as it is now. Return True if it has changed."""
        try:
            client = await self._open_client()
        except Exception as error:  # noqa: BLE001  backends fail in many ways, and what is known may still be right
            logger.warning("The connection can't be looked up again and counts as it was: %s", error)
            return False
        changed = client.config != self.client.config
        unused = self.client if changed else client
        if changed:
            self.client = client
            self._lists.use_again()
        await unused.close()
        return changed

    async def _renew(self) -> bool:
        """Look the connection up again, once in a poll. Return True if it has changed."""
        if self._round.is_renewed:
            return False
        self._round.is_renewed = True
        return await self.reconnect()

    def keep_only(self, names: AbstractSet[str]) -> None:
        """Forget what is known of all other jobs."""
        self._slow.keep_only(names)
        self._failing &= names

    @property
    def errors(self) -> Mapping[str, ServiceError]:
        """The errors of the last poll that may concern all jobs, by job."""
        return self._round.errors

    @property
    def have_responses(self) -> bool:
        """True if the service has responded to any request since the last poll began."""
        return self._slow.has_responded

    def has_trouble(self, name: str) -> bool:
        """True if a job's last request was slow or has failed."""
        return name in self._failing or self._slow.is_slow(name)

    async def poll(self, wanted: Mapping[str, datetime | None], report: Report, *, after_outage: bool) -> None:
        """Poll each job once.

        A few jobs are requested one by one. For many, the lists of running and of finished jobs are read, and only jobs
        that neither list has are requested one by one. A job whose request is slow is reported later: it holds up no
        other. What may be the trouble of jobs alone is an outage only where the service responds to nothing else.

        :param wanted: names of the jobs, with their creation times where these are known
        :param report: called for every job that the service returned, and for each with an error of its own
        :param after_outage: begin with a single request, to see whether the service responds again
        :raises ServiceError: the service is down; the jobs that were not reported are still to be polled
        """
        self._round = this = PollRound()
        self._slow.begin_poll()
        try:
            await self._poll(wanted, report, after_outage=after_outage)
        finally:
            if this.check is not None:
                this.check.cancel()

    async def _poll(self, wanted: Mapping[str, datetime | None], report: Report, *, after_outage: bool) -> None:
        missing = {name: created for name, created in wanted.items() if name not in self._slow}
        names = self._in_order(missing)
        if after_outage:
            await self._check_service(names, missing, report)
        refusal = await self._read_lists(missing, report)
        self._round.list_refused = refusal is not None
        left = [name for name in names if name in missing]
        if errors := await self._request_each(left, missing, report):
            *_, last = errors.values()
            if refusal is not None and isinstance(last, Unauthorized):
                raise last
            for name, error in errors.items():
                missing.pop(name)
                report(name, error)
            if any(name in missing and name not in self._slow for name in left):
                # these errors say nothing about the other jobs
                raise ServiceUnavailable(str(last), retry_after=last.retry_after) from last
        if refusal is not None:  # only of the list: single requests were not refused
            self._lists.pause(refusal)
        if self._round.list_error is not None:
            self._lists.note_failure(self._round.list_error)

    def _in_order(self, names: Iterable[str]) -> list[str]:
        """Put slow jobs first, whose requests nobody waits for, and those last that have failed.

        The others in any order, so that a few jobs with errors of their own can't always come before all others.
        """
        order = list(names)
        random.shuffle(order)
        return sorted(order, key=lambda name: (not self._slow.is_slow(name), name in self._failing))

    async def _check_service(self, names: Sequence[str], missing: dict[str, datetime | None], report: Report) -> None:
        """Find out with one request whether the service responds again.

        It is the cheap one, unless that had no response before: then one for a job that had no trouble before. Where
        there is no such job, by turns the cheap one and a job.

        :raises ServiceError: it does not
        """
        self._slow.end_queue()
        name = next((name for name in names if not self.has_trouble(name)), None)
        self._checks += 1
        if self._is_cheap_answered or not names or (name is None and self._checks % 2):
            if error := await self._error_of_service():
                raise error
            return
        # A refusal may be this job's own. The list, or the other jobs, decide.
        await self._request_each([name or random.choice(names)], missing, report, alone=True)

    async def poll_steps(self, names: Sequence[str], report: Report) -> None:
        """Request a few jobs one by one, for their steps. The first error ends this without a report."""
        for name in names:
            if self.has_trouble(name):
                continue
            try:
                request = partial(self.client.get_status, name, time_limit=STEPS_TIMEOUT_SECONDS)
                job = await self._slow.request(name, request, report)
            except Exception as error:  # noqa: BLE001  the next poll finds out what it is
                logger.debug("The steps of benchmark job %s can't be read now. %s", name, error)
                return
            if job is not None:
                report(name, job)

    async def _read_lists(self, missing: dict[str, datetime | None], report: Report) -> Unauthorized | None:
        """Report the jobs that the lists have. Where a list fails, its jobs are left for single requests.

        :return: the refusal, where the list is refused with the connection as it is now
        """
        try:
            await self._lists.read(self.client, missing, report)
        except Unauthorized as error:
            if await self._renew():
                return await self._read_lists(missing, report)
            return error
        except Exception as error:  # noqa: BLE001  whatever is wrong with the list, single requests may still work
            if isinstance(error, ServiceUnavailable) and error.retry_after:
                self._lists.postpone(error.retry_after)
            # A page before it says nothing any more: the service may have gone down since.
            self._round.list_error, self._round.is_answered, self._round.list_responded = error, False, False
            self._slow.begin_poll()
        return None

    def _note_page(self, seconds: float) -> None:
        self._round.list_responded = self._round.is_answered = True
        self._slow.note_response(seconds)

    async def _request_each(
        self, names: Sequence[str], missing: dict[str, datetime | None], report: Report, *, alone: bool = False
    ) -> dict[str, ServiceError]:
        """Request the status of each job.

        :param alone: send no other request to find out whether the service responds
        :return: refusals and malformed responses, by job, where there is nothing else
        :raises ServiceError: it is an outage; the last error
        """
        remaining, this = iter(names), self._round
        errors = this.errors = {}
        this.in_a_row = this.slow_in_a_row = 0

        async def request_remaining() -> None:
            for name in remaining:
                try:
                    job = await self._request(name, report)
                except ServiceError as error:
                    errors[name] = error
                    if await self._is_enough(error, alone=alone):
                        return
                else:
                    if job is not None:
                        missing.pop(name)
                        report(name, job)
                    elif this.slow_in_a_row >= MAX_FAILURES_IN_A_ROW:
                        return

        if not alone:
            this.check_later = asyncio.get_running_loop().call_later(SHORT_SECONDS, self._begin_check)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(len(names), MAX_CONCURRENT_REQUESTS)):
                    group.create_task(request_remaining())
        finally:
            if this.check_later is not None:
                this.check_later.cancel()
        if any(isinstance(error, Unauthorized) for error in errors.values()) and await self._renew():
            left = [name for name in names if name in missing and name not in self._slow]
            return await self._request_each(left, missing, report, alone=alone)
        if not this.is_answered and (refusals := await self._undecided(errors, alone=alone)):
            return refusals
        for name, error in errors.items():
            missing.pop(name)
            report(name, error)
        return {}

    async def _request(self, name: str, report: Report) -> BenchmarkJob | Exception | None:
        """Request the status of a job.

        :return: the status, or an error of this job alone; None if it comes later
        :raises ServiceError: it may concern all jobs
        """
        this, was_slow = self._round, self._slow.is_slow(name)
        limit = self.client.config.poll_time_limit
        try:
            job = await self._slow.request(name, partial(self.client.get_status, name, time_limit=limit), report)
        except Exception as error:  # an error of one job, of whatever kind, is no other job's
            # A refusal, too, can concern all jobs: the token has expired, or a gateway restarts.
            if isinstance(error, Unauthorized) or (isinstance(error, ServiceError) and is_recoverable(error)):
                is_late = self._slow.is_slow(name)  # a request that takes long is no sign of an outage, as others are
                this.is_slow |= is_late
                this.slow_in_a_row += is_late
                this.in_a_row += not is_late
                self._failing.add(name)
                raise
            result: BenchmarkJob | Exception = error
        else:
            if job is None:
                this.is_slow = True
                this.slow_in_a_row += not was_slow
                return None
            result = job
        this.is_answered, this.in_a_row, this.slow_in_a_row = True, 0, 0
        self._failing.discard(name)
        return result

    async def _is_enough(self, error: ServiceError, *, alone: bool) -> bool:
        """True if so many failures in a row are an outage, or so many that other jobs are left for the next poll."""
        this = self._round
        if this.slow_in_a_row >= MAX_FAILURES_IN_A_ROW:
            return True
        if _is_response(error) and not this.list_refused:
            return not this.list_responded and this.in_a_row >= MAX_FAILURES_IN_A_ROW
        failures = 1 if this.list_error is not None else OUTAGE_FAILURES
        responds = this.is_answered
        if not responds and this.in_a_row >= failures and not alone and not _is_response(error):
            responds = await self._error_of_service() is None
        return this.in_a_row >= (MAX_FAILURES_IN_A_ROW if responds else failures)

    async def _undecided(self, errors: dict[str, ServiceError], *, alone: bool) -> dict[str, ServiceError]:
        """Find out whether the service responds at all, where it has responded for no job.

        :return: refusals and malformed responses
        :raises ServiceError: it does not respond
        """
        if errors:
            *_, last = errors.values()
            if _is_response(last):
                return errors
            if alone or (error := await self._error_of_service()) is not None:
                raise last
            return {}
        is_silent = self._round.slow_in_a_row or (alone and self._round.is_slow)
        if is_silent and (error := await self._error_of_service()) is not None:
            raise error
        return {}

    async def _error_of_service(self) -> ServiceError | None:
        """Send the cheap request. Return its error if that says that the service does not respond.

        The requests of slow jobs go on meanwhile. If one of them gets a response first, the service responds.
        """
        self._begin_check()
        if self._round.check is not None:
            await self._round.check
        return None if self._slow.has_responded else self._round.error

    def _begin_check(self) -> None:
        if not self._slow.has_responded and self._round.check is None:
            self._round.check = asyncio.ensure_future(self._check())

    async def _check(self) -> None:
        cheap = asyncio.ensure_future(self._send_cheap())
        try:
            if not await self._slow.wait_for_response(cheap):
                self._round.error = await cheap
        finally:
            cheap.cancel()

    async def _send_cheap(self) -> ServiceError | None:
        try:
            await self.client.check_responds(time_limit=self.client.config.poll_time_limit)
        except ServiceError as error:
            if isinstance(error, ServiceUnavailable) or (error.status_code or 0) >= 500:
                self._is_cheap_answered = False
                return error
        self._is_cheap_answered = True
        return None


def _is_response(error: ServiceError) -> bool:
    """Return True if the service did respond, if not with a job. If repeated, such responses end the wait for it."""
    return isinstance(error, Unauthorized) or is_unexpected_answer(error)
