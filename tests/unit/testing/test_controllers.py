"""A job's life by the clock."""

from __future__ import annotations

import pytest

from tests.unit.testing.conftest import JOBS


@pytest.fixture
def http(timed, connect):
    return connect(timed)


def at(http, clock, seconds, name="job"):
    clock.now = 1_800_000_000.0 + seconds
    return http.status(name)


def test_a_job_passes_through_the_real_services_states(http, clock):
    submitted = http.submit("job").json()
    assert submitted["status"] == "created"
    seen = []
    for second in range(101):
        status = at(http, clock, second)
        results = http.get(f"{JOBS}/job/results").json()["data"]
        seen.append((status["status"], *(step["status"] for step in status["steps"]), bool(results)))
        assert (status["created_at"], status["updated_at"]) == (submitted["created_at"], submitted["updated_at"])
    assert list(dict.fromkeys(seen)) == [
        ("created", "created", False),
        ("pending", "pending", False),
        ("active", "active", False),
        ("active", "completed", "created", False),
        ("active", "completed", "pending", False),
        ("active", "completed", "active", False),
        ("active", "completed", "active", True),  # results before the status says so
        ("active", "completed", "completed", True),  # all steps ended, yet the job still runs
        ("completed", "completed", "completed", True),
    ]


def test_progress_grows_with_the_samples(http, clock):
    http.submit("job")
    shown = [at(http, clock, second)["status_details"] for second in (20, 41, 49, 57, 65, 79, 100)]
    assert [details.get("samples_processed") for details in shown] == [None, 0, 1, 2, 3, 4, 5]
    assert [details.get("progress") for details in shown] == [None, 0.0, 20.0, 40.0, 60.0, 80.0, 100.0]


def test_times_have_no_zone(http):
    assert http.submit("job").json()["created_at"] == "2027-01-15T08:00:00.000000"


def test_whoever_polls_late_sees_the_end(http, clock):
    http.submit("job")
    assert at(http, clock, 10_000)["status"] == "completed"
    assert http.get(f"{JOBS}/job/results/aggregate-scores/download").json()["results"][0]["scores"][0]["mean"] == 0.6


@pytest.mark.parametrize(("hold", "at_most"), [("created", 0), ("pending", 7), ("active", 50)])
def test_held_jobs_stay_and_go_on_from_there(timed, http, clock, hold, at_most):
    timed.hold_jobs(hold)
    http.submit("job")
    assert {at(http, clock, second)["status"] for second in (at_most + 5, 500, 1000)} == {hold}
    timed.release_jobs()
    assert at(http, clock, 1001)["status"] != "completed"  # it has not aged while it was held
    assert at(http, clock, 1100)["status"] == "completed"


@pytest.mark.filterwarnings("ignore:the local evaluation service has had no job")
def test_a_hold_can_concern_one_benchmark_only(timed, http, clock):
    timed.hold_jobs("created", benchmark="my-workspace/other")
    http.submit("job")
    assert at(http, clock, 200)["status"] == "completed"
    with pytest.raises(ValueError, match="created, pending, active"):
        timed.hold_jobs("completed")


def test_cancelling_takes_a_moment(http, clock):
    http.submit("job")
    assert at(http, clock, 50)["status"] == "active"
    assert http.post(f"{JOBS}/job/cancel").json()["status"] == "cancelling"
    assert at(http, clock, 55)["status"] == "cancelling"
    ended = at(http, clock, 61)
    assert (ended["status"], ended["steps"][1]["status"]) == ("cancelled", "cancelled")
    assert at(http, clock, 500)["status"] == "cancelled"
    assert http.get(f"{JOBS}/job/results/aggregate-scores/download").status_code == 404
    assert http.post(f"{JOBS}/job/cancel").json()["status"] == "cancelled"


def test_what_has_not_started_is_cancelled_at_once(http):
    http.submit("job")
    assert http.post(f"{JOBS}/job/cancel").json()["status"] == "cancelled"


def test_cancelling_a_finished_job_changes_nothing(http, clock):
    http.submit("job")
    assert at(http, clock, 100)["status"] == "completed"
    answer = http.post(f"{JOBS}/job/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")


def test_seconds_apply_to_later_jobs(timed, http, clock):
    http.submit("slow")
    timed.set_job_seconds(1, benchmark="my-workspace/qa-bench")
    http.submit("fast")
    assert at(http, clock, 2, "fast")["status"] == "completed"
    assert at(http, clock, 2, "slow")["status"] == "created"


@pytest.mark.parametrize("status", ["completed", "error", "cancelled"])
@pytest.mark.parametrize("seconds", [0, 7, 20, 50, 90])
def test_a_job_can_be_finished_at_any_time(timed, http, clock, status, seconds):
    http.submit("job")
    at(http, clock, seconds)
    timed.finish_job("my-workspace", "job", status, message="enough")
    assert http.status("job")["status"] == status
    has_scores = http.get(f"{JOBS}/job/results/aggregate-scores/download").status_code == 200
    assert has_scores == (status == "completed" or seconds == 90)
    with pytest.raises(ValueError, match="has ended already"):
        timed.finish_job("my-workspace", "job")


def test_finishing_needs_a_job_and_a_terminal_status(timed, http):
    with pytest.raises(KeyError, match="my-workspace/none"):
        timed.finish_job("my-workspace", "none")
    http.submit("job")
    with pytest.raises(ValueError, match='"active" is not a terminal status'):
        timed.finish_job("my-workspace", "job", "active")


def test_a_pinned_status_can_be_any_word(timed, http, clock):
    http.submit("job")
    timed.pin_status("my-workspace", "job", "hibernating")
    assert at(http, clock, 200)["status"] == "hibernating"
    assert http.get(f"{JOBS}/job").json()["status"] == "hibernating"
    timed.pin_status("my-workspace", "job", None)
    assert http.status("job")["status"] == "completed"
