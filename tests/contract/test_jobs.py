from __future__ import annotations

import json
import uuid

import pytest

from tests.contract.conftest import STORES_BENCHMARKS, TAKES_BUNDLES, shape, submit
from tests.support.fast_job import FastJob


def status(http, name):
    return http.get(f"{http.jobs}/{name}/status").raise_for_status().json()


def test_the_status_has_steps(http, job, name):
    found = status(http, name)
    assert shape(found) == {
        "id": "str",
        "name": "str",
        "status": "str",
        "status_details": {},
        "error_details": "NoneType",
        "steps": [
            {
                "id": "str",
                "name": "str",
                "status": "str",
                "status_details": {},
                "error_details": {},
                "tasks": [],
                "created_at": "str",
                "updated_at": "str",
            }
        ],
        "created_at": "str",
        "updated_at": "str",
    }
    assert (found["status"], found["steps"][0]["name"]) == ("created", http.target.steps[0])


@STORES_BENCHMARKS
def test_a_jobs_life(http, job, name):
    seen = []

    def current(*_):
        found = status(http, name)
        seen.append((found["status"], [(step["name"], step["status"]) for step in found["steps"]]))
        return found

    for step, word in [
        ("dataset-download", "pending"),
        ("dataset-download", "active"),
        ("dataset-download", "completed"),
    ]:
        current(job.step(step, word))
    for word in ("pending", "active"):
        current(job.step("evaluation", word))
    job.progress(progress=40.0)
    job.progress(samples_processed=2)
    assert current()["status_details"] == {"progress": 40.0, "samples_processed": 2}
    before = http.get(f"{http.jobs}/{name}").json()["updated_at"]
    current(job.step("evaluation", "completed"))
    done = ("dataset-download", "completed")
    assert seen == [
        ("pending", [("dataset-download", "pending")]),
        ("active", [("dataset-download", "active")]),
        ("active", [done, ("evaluation", "created")]),
        ("active", [done, ("evaluation", "pending")]),
        ("active", [done, ("evaluation", "active")]),
        ("active", [done, ("evaluation", "active")]),
        ("completed", [done, ("evaluation", "completed")]),
    ]
    finished = http.get(f"{http.jobs}/{name}").json()
    assert finished["status"] == "completed"
    assert finished["updated_at"] == before
    assert "+" not in finished["created_at"]
    assert "Z" not in finished["created_at"]


@TAKES_BUNDLES
def test_the_life_of_a_job_with_one_step(http, job, name):
    seen = []
    for word in ("pending", "active"):
        job.step("evaluate", word)
        found = status(http, name)
        seen.append((found["status"], [(step["name"], step["status"]) for step in found["steps"]]))
    job.progress(evaluation={"total": 5, "scored": 2})
    assert status(http, name)["status_details"] == {"evaluation": {"total": 5, "scored": 2}}
    before = http.get(f"{http.jobs}/{name}").json()["updated_at"]
    job.step("evaluate", "completed")
    finished = http.get(f"{http.jobs}/{name}").json()
    assert seen == [("pending", [("evaluate", "pending")]), ("active", [("evaluate", "active")])]
    assert (finished["status"], finished["updated_at"]) == ("completed", before)


def test_a_job_that_fails(http, job, name):
    job.run_to_active()
    job.fail("boom")
    found = status(http, name)
    assert (found["status"], found["error_details"]) == ("error", {"message": "boom"})
    assert http.get(f"{http.jobs}/{name}").json()["error_details"] == {"message": "boom"}


def test_cancel_a_running_job(http, job, name):
    job.run_to_active()
    answer = http.post(f"{http.jobs}/{name}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelling")
    assert status(http, name)["status"] == "cancelling"


def test_cancel_a_finished_job_changes_nothing(http, job, name):
    job.run_to_active()
    job.complete({"results": []}, [])
    answer = http.post(f"{http.jobs}/{name}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")


@pytest.mark.releases("0.6", "0.7", "0.8")
def test_a_job_that_has_not_ended_can_not_be_deleted(http, job, name):
    answer = http.delete(f"{http.jobs}/{name}")
    assert (answer.status_code, answer.headers["x-should-retry"]) == (409, "false")
    assert answer.json() == {
        "detail": f"Cannot delete job '{name}' while it is 'created'. Cancel the job and wait for it to reach a "
        f"terminal state before deleting."
    }
    assert http.post(f"{http.jobs}/{name}/cancel").json()["status"] == "cancelled"
    assert http.delete(f"{http.jobs}/{name}").status_code == 204
    assert http.get(f"{http.jobs}/{name}").status_code == 404


@pytest.mark.releases("0.1", "0.3")
def test_delete(http, job, name):
    assert http.delete(f"{http.jobs}/{name}").status_code == 204
    assert http.get(f"{http.jobs}/{name}").status_code == 404
    assert http.delete(f"{http.jobs}/{name}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("GET", "/status"), ("GET", "/logs"), ("POST", "/cancel"), ("DELETE", "")]
)
def test_a_job_that_is_not_there(http, method, path):
    answer = http.request(method, f"{http.jobs}/none{path}")
    assert (answer.status_code, answer.json()) == (404, http.target.job_not_found("none"))


@pytest.mark.parametrize("path", ["", "/aggregate-scores/download", "/row-scores/download", "/artifacts/download"])
def test_results_of_a_job_that_is_not_there(http, path):
    answer = http.get(f"{http.jobs}/none/results{path}")
    assert answer.status_code == 404
    result = path.split("/")[1] if path else ""
    expected = http.target.result_not_found(result, "none") if path else http.target.job_not_found("none")
    assert answer.json() == expected


def test_cancel_a_job_that_failed_changes_nothing(http, job, name):
    job.run_to_active()
    job.fail("boom")
    answer = http.post(f"{http.jobs}/{name}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "error")


def test_a_workspace_that_is_not_there(http):
    elsewhere = http.jobs.replace("my-workspace", "none")
    if http.target.stores_benchmarks:
        assert http.get(f"{elsewhere}/run-1").json() == {"detail": "Job not found"}
    answer = http.get(elsewhere)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Workspace 'none' not found"})


class TestList:
    @pytest.fixture
    def names(self, http) -> list[str]:
        """Four jobs, oldest first; the first is in error."""
        mark = uuid.uuid4().hex[:8]
        names = [f"list-{mark}-{i}" for i in range(4)]
        for each in names:
            assert submit(http, each).status_code == 201
        first = FastJob(http, "my-workspace", names[0], steps=http.target.steps)
        first.run_to_active()
        first.fail("boom")
        return names

    def test_newest_first_with_pages(self, http, names):
        answer = http.get(http.jobs, params={"page_size": 2})
        assert answer.status_code == 200
        assert shape(answer.json()["pagination"]) == {
            "page": "int",
            "page_size": "int",
            "current_page_size": "int",
            "total_pages": "int",
            "total_results": "int",
        }
        assert [job["name"] for job in answer.json()["data"]] == names[:1:-1]
        second = http.get(http.jobs, params={"page_size": 2, "page": 2}).json()
        assert [job["name"] for job in second["data"]] == names[1::-1]
        assert {"name", "status", "spec", "created_at", "status_details"} <= set(second["data"][0])

    def test_oldest_first(self, http, names):
        jobs = http.get(http.jobs, params={"page_size": 1000, "sort": "created_at"}).json()["data"]
        assert [job["name"] for job in jobs][-4:] == names

    def test_the_defaults(self, http, names):
        default = http.get(http.jobs).json()
        assert default["pagination"]["page_size"] == 10
        assert default["data"] == http.get(http.jobs, params={"page_size": 10, "sort": "-created_at"}).json()["data"]

    def test_past_the_end(self, http, names):
        answer = http.get(http.jobs, params={"page": 999})
        assert (answer.status_code, answer.json()["data"]) == (200, [])

    def test_by_name(self, http, names):
        assert [job["name"] for job in http.get(http.jobs, params={"filter[name]": names[2]}).json()["data"]] == [
            names[2]
        ]

    def test_the_status_filter_comes_after_paging(self, http, names):
        params = {"filter[status]": "error", "page_size": 2}
        first = http.get(http.jobs, params=params).json()
        assert first["data"] == []
        assert first["pagination"]["total_pages"] >= 2
        assert first["pagination"]["total_results"] == http.get(http.jobs).json()["pagination"]["total_results"] >= 4
        assert [job["name"] for job in http.get(http.jobs, params={**params, "page": 2}).json()["data"]] == [names[0]]

    def test_several_status_words(self, http, names):
        params = {"filter[status][$in]": "error,created", "page_size": 4}
        assert len(http.get(http.jobs, params=params).json()["data"]) == 4

    @pytest.mark.parametrize(
        ("params", "code"),
        [
            ({"filter[status]": "bogus"}, 400),
            ({"filter[bogus]": "x"}, 400),
            ({"sort": "name"}, 422),
            ({"page_size": 5000}, 422),
            ({"page_size": 0}, 422),
            ({"filter": '["status"]'}, 400),
        ],
    )
    def test_wrong_questions(self, http, params, code):
        answer = http.get(http.jobs, params=params)
        assert answer.status_code == code
        assert answer.json()["detail"]

    @STORES_BENCHMARKS
    @pytest.mark.parametrize(
        "params",
        [{"filter": '{"$or": [{"name": "a"}, {"status": "error"}]}'}, {"filter[status][$nin]": "error"}],
    )
    def test_filters_that_it_does_not_combine(self, http, params):
        assert http.get(http.jobs, params=params).status_code == 500

    @TAKES_BUNDLES
    @pytest.mark.parametrize(
        ("combined", "found", "total"),
        [
            ({"$or": [{"name": "{2}"}, {"status": "error"}]}, [2, 0], 4),
            ({"$or": [{"name": "{2}"}, {"name": "{3}"}]}, [3, 2], 2),
            ({"$not": {"status": "error"}}, [3, 2, 1], 4),
            ({"$not": {"name": "{2}"}}, [3, 1, 0], 3),
            ({"$and": [{"name": "{0}"}, {"status": "error"}]}, [0], 1),
            ({"status": {"$nin": ["error"]}}, [3, 2, 1], 4),
        ],
    )
    def test_combined_filters(self, http, names, combined, found, total):
        text = json.dumps(combined)
        for number, each in enumerate(names):
            text = text.replace(f"{{{number}}}", each)
        of_these = {"$and": [{"name": {"$in": names}}, json.loads(text)]}
        answer = http.get(http.jobs, params={"filter": json.dumps(of_these)}).json()
        assert [job["name"] for job in answer["data"]] == [names[number] for number in found]
        # The status is filtered after the count.
        assert answer["pagination"]["total_results"] == total


class TestLogs:
    def test_a_job_that_has_not_begun(self, http, job, name):
        answer = http.get(f"{http.jobs}/{name}/logs")
        assert answer.status_code == 200
        assert answer.json() == {"data": [], "total": 0, "next_page": None, "prev_page": None}

    @STORES_BENCHMARKS
    @pytest.mark.parametrize(
        ("params", "code"), [({"limit": 0}, 422), ({"limit": 1001}, 500), ({"page_cursor": "zzz!"}, 500)]
    )
    def test_wrong_questions(self, http, job, name, params, code):
        assert http.get(f"{http.jobs}/{name}/logs", params=params).status_code == code
