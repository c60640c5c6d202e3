"""What a task's log says while it waits, in the time of a clock that the tests move."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_benchmarks.exceptions import ProtocolError, ServiceUnavailable, Unauthorized
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobStep, RowCounts, WaitLog

START = datetime(2027, 1, 15, 8, 0, tzinfo=UTC).timestamp()
DAY = 24 * 3600.0
DOWN = ServiceUnavailable("the pod restarts.", path="/jobs/j/status")


def job(status: str = "active", *, at: float = 0.0, **fields: Any) -> BenchmarkJob:
    created = datetime.fromtimestamp(START + at, UTC)
    return BenchmarkJob(name="j", workspace="w", status=status, created_at=created, **fields)


def rows(done: int, total: int, **fields: Any) -> BenchmarkJob:
    counts = RowCounts(total=total, scored=done)
    return job(progress=100 * done / total, samples_processed=done, row_counts=counts, **fields)


def texts(lines: list[Any]) -> list[str]:
    return [line.text for line in lines]


@pytest.fixture
def log() -> WaitLog:
    return WaitLog("j", deadline=START + 7200)


class TestProgress:
    def test_the_first_changes_come_at_once_and_no_two_the_same(self, log):
        found = [texts(log.on_job(each, START)) for each in (job("pending"), job("pending"), job(progress=1.0))]
        assert found == [["j: pending, submitted 0:00:00 ago"], [], ["j: active, 1 %, submitted 0:00:00 ago"]]

    def test_later_ones_come_a_minute_apart_with_the_newest(self, log):
        found = {t: texts(log.on_job(job(progress=t / 10), START + t)) for t in range(130)}
        times = [t for t, lines in found.items() if lines]
        assert len(times) == 5 + 2
        assert times[:5] == [0, 1, 2, 3, 4]
        assert found[times[-1]] == [f"j: active, {times[-1] / 10:.0f} %, submitted 0:02:00 ago"]

    def test_one_that_came_too_soon_is_shown_later(self, log):
        for t in range(6):
            log.on_job(job(progress=float(t)), START + t)
        assert texts(log.on_job(job(progress=5.0), START + 61)) == ["j: active, 5 %, submitted 0:01:01 ago"]

    @pytest.mark.parametrize("days", [1, 30, 365])
    def test_a_thousand_lines_are_never_there(self, days):
        log, count, step = WaitLog("j"), 0, days * DAY / 20_000
        for number in range(20_000):
            count += len(log.on_job(job("active" if number % 2 else "paused"), START + number * step))
        assert 100 < count < 1000

    @pytest.mark.parametrize("created", ["1970-01-01", "1970-01-02", "2021-01-01"])
    def test_a_job_that_says_that_it_is_from_another_year_is_no_quieter(self, created):
        def lines(each: BenchmarkJob) -> int:
            log, count = WaitLog("j"), 0
            for minute in range(7 * 24 * 60):
                now = START + minute * 60
                count += len(log.on_error(DOWN, now) if 3000 < minute < 4800 else log.on_job(each, now))
            return count

        odd = BenchmarkJob(
            name="j", workspace="w", status="active", created_at=datetime.fromisoformat(f"{created}T00:00Z")
        )
        assert lines(odd) == lines(job())

    def test_a_clock_that_was_set_back_silences_nothing(self, log):
        log.on_job(job(), START)
        found = [log.on_job(job(), START - DAY + 60 * minute) for minute in range(60)]
        assert 5 < sum(map(len, found)) < 20

    def test_the_last_always_comes(self, log):
        for t in range(50):
            log.on_job(job(progress=float(t)), START + t)
        assert texts(log.on_job(job("completed", progress=100.0), START + 50)) == [
            "j: completed, 100 %, submitted 0:00:50 ago"
        ]

    def test_a_wait_that_begins_anew_is_no_louder_than_before(self):
        """As in a triggerer that was restarted."""
        log = WaitLog("j")
        count = sum(len(log.on_job(job(progress=t / 10), START + DAY + t)) for t in range(800))
        assert count == 1

    def test_a_step_that_a_list_does_not_have_is_no_change(self, log):
        step = (JobStep(name="download", status="completed"), JobStep(name="evaluation", status="active"))
        assert texts(log.on_job(job(steps=step), START)) == ["j: active, step evaluation, submitted 0:00:00 ago"]
        assert not log.on_job(job(), START + 10)

    def test_a_name_has_no_hold_on_the_log(self):
        (line,) = WaitLog("j\n::group::x").on_job(job(), START)
        assert "\n" not in line.text
        assert "::group::" not in line.text


class TestStillWaiting:
    def test_comes_where_nothing_else_did(self, log):
        found = [t for t in range(0, 1500, 30) if log.on_job(rows(1, 10), START + t)]
        assert found == [0, 300, 600, 900, 1200]

    def test_says_when_the_job_ends_at_its_rate(self, log):
        log.on_job(rows(100, 1000), START)
        for t in range(30, 601, 30):
            lines = log.on_job(rows(100 + (200 if t > 100 else 0), 1000), START + t)
            if lines and "still" in lines[0].text:
                break
        assert texts(lines) == [
            "j: still waiting: active, 30 %, 300 of 1000 samples, submitted 0:07:00 ago; about 0:24:30 to go, until "
            + "08:31:30 UTC"
        ]

    def test_says_where_that_is_too_late(self):
        log = WaitLog("j", deadline=START + 900)
        log.on_job(job(progress=10.0), START)
        log.on_job(job(progress=20.0), START + 60)
        (line,) = log.on_job(job(progress=20.0), START + 360)
        assert line.text.endswith("0:48:00 to go, until 08:54:00 UTC, after the deadline at 08:15:00 UTC")

    @pytest.mark.parametrize(
        "jobs",
        [
            [job(), job()],
            [job(progress=10.0), job(progress=10.0)],
            [job(progress=50.0), job(progress=10.0)],
            [job("paused", progress=10.0), job("paused", progress=10.0)],
            [job(progress=10.0), job("paused", progress=20.0)],
            [job(progress=10.0), job(progress=10.0 + 1e-9)],
        ],
    )
    def test_says_nothing_of_an_end_that_is_not_known(self, log, jobs):
        first, then = jobs
        log.on_job(first, START)
        log.on_job(then, START + 1)
        (line,) = log.on_job(then, START + 400)
        assert "still waiting: " in line.text
        assert "to go" not in line.text


class TestOutage:
    def test_is_told_when_it_begins_and_when_it_ends(self, log):
        log.on_job(job(), START)
        found = [line for t in range(60, 300, 60) for line in log.on_error(DOWN, START + t)]
        found += log.on_job(job(), START + 300)
        assert texts(found) == [
            "j: the service does not answer since 08:01:00 UTC: the pod restarts. Still polling, until 10:00:00 UTC.",
            "j: the service answers again, after 0:04:00; 4 polls failed",
        ]
        assert [line.level for line in found] == [logging.WARNING, logging.INFO]

    def test_that_is_long_is_told_now_and_then(self):
        log = WaitLog("j")
        found = [line for t in range(0, 650, 10) for line in log.on_error(DOWN, START + t)]
        assert texts(found) == [
            "j: the service does not answer since 08:00:00 UTC: the pod restarts. Still polling.",
            "j: still waiting: the service does not answer since 08:00:00 UTC, 31 polls failed. "
            + "The last one: the pod restarts.",
            "j: still waiting: the service does not answer since 08:00:00 UTC, 61 polls failed. "
            + "The last one: the pod restarts.",
        ]

    def test_many_short_ones_make_few_lines(self):
        log, count = WaitLog("j"), 0
        for number in range(20_000):
            count += len(log.on_error(DOWN, START + 10 * number)) + len(log.on_job(job(), START + 10 * number + 5))
        assert 100 < count < 1000

    @pytest.mark.parametrize(
        ("error", "what"),
        [
            (Unauthorized("no"), "the service refuses the polls since"),
            (ProtocolError("page"), "polls fail since"),
            (ServiceUnavailable("Connection can't be looked up."), "polls fail since"),
        ],
    )
    def test_says_what_kind_it_is(self, log, error, what):
        assert what in log.on_error(error, START)[0].text

    def test_of_another_day_has_its_date(self, log):
        (line,) = WaitLog("j", deadline=START + DAY).on_error(DOWN, START)
        assert line.text.endswith("until 2027-01-16 08:00:00 UTC.")

    def test_a_deadline_that_no_calendar_has(self):
        (line,) = WaitLog("j", deadline=1e300).on_error(DOWN, START)
        assert "an unknown time" in line.text
