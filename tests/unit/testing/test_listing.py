from __future__ import annotations

import pytest

from tests.unit.testing.conftest import JOBS

RESULTS = JOBS.replace("benchmark-jobs", "benchmark-job-results")


@pytest.fixture
def http(driven, connect):
    client = connect(driven)
    for number in range(5):
        client.submit(f"job-{number}", params={"parallelism": number + 1})
    for number in (1, 3):
        client.post(f"{JOBS}/job-{number}/cancel")
    return client


def names(answer):
    assert answer.status_code == 200, answer.text
    return [job["name"] for job in answer.json()["data"]]


def test_newest_first_ten_a_page(http):
    answer = http.get(JOBS)
    assert names(answer) == ["job-4", "job-3", "job-2", "job-1", "job-0"]
    assert answer.json()["pagination"] == {
        "page": 1,
        "page_size": 10,
        "current_page_size": 5,
        "total_pages": 1,
        "total_results": 5,
    }
    assert answer.json()["sort"] == "-created_at"
    assert "filter" not in answer.json()


def test_pages(http):
    assert names(http.get(f"{JOBS}?page_size=2&page=2")) == ["job-2", "job-1"]
    assert names(http.get(f"{JOBS}?page_size=2&sort=created_at")) == ["job-0", "job-1"]
    beyond = http.get(f"{JOBS}?page_size=2&page=99")
    assert names(beyond) == []
    assert beyond.json()["pagination"]["total_pages"] == 3


def test_fields_without_a_value_are_left_out(http):
    job = http.get(f"{JOBS}?filter[name]=job-2").json()["data"][0]
    assert job["spec"]["params"] == {"parallelism": 3}
    assert "description" not in job
    assert job["status_details"] == {}


def test_the_status_is_applied_after_the_page_is_cut(http):
    first = http.get(f"{JOBS}?filter[status]=cancelled&page_size=2")
    assert names(first) == ["job-3"]
    assert first.json()["pagination"] == {
        "page": 1,
        "page_size": 2,
        "current_page_size": 1,
        "total_pages": 3,
        "total_results": 5,
    }
    assert first.json()["filter"] == {"status": {"$eq": "cancelled"}}
    assert names(http.get(f"{JOBS}?filter[status]=cancelled&page_size=1")) == []
    assert names(http.get(f"{JOBS}?filter[status][$in]=created,cancelled&page_size=2")) == ["job-4", "job-3"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("filter[name]=job-2", ["job-2"]),
        ("filter[name][$like]=job", ["job-4", "job-3", "job-2", "job-1", "job-0"]),
        ("filter[name][$in]=job-1,job-2", ["job-2", "job-1"]),
        ("filter[name]=job-1&filter[status]=cancelled", ["job-1"]),
        ("filter[created_at][$gte]=2020-01-01&filter[name]=job-0", ["job-0"]),
        ("filter[created_at][$lt]=2020-01-01", []),
        ('filter={"name": "job-4"}', ["job-4"]),
        ("filter[workspace]=my-workspace&page_size=1", ["job-4"]),
        ("bogus=1&page_size=1", ["job-4"]),
    ],
)
def test_filters(http, query, expected):
    assert names(http.get(f"{JOBS}?{query}")) == expected


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        (
            "filter[status]=bogus",
            400,
            (
                "Invalid status value 'bogus'; valid values: ['active', 'cancelled', 'cancelling', 'completed', "
                "'created', 'error', 'paused', 'pausing', 'pending', 'resuming']"
            ),
        ),
        (
            "filter[bogus]=x",
            400,
            (
                "Unknown filter field 'bogus'. Valid fields: ['created_at', 'entity_type', 'id', 'name', 'project', "
                "'status', 'updated_at', 'workspace']"
            ),
        ),
        ("filter[status]=active,pending", 400, "Operator '$eq' on 'status' expects a scalar value, got a list"),
        (
            "filter[status][$like]=act",
            400,
            "Operator '$like' is not supported on 'status'; use one of ['$eq', '$in', '$nin']",
        ),
        ("filter[status][$ne]=active", 400, "'$ne' is not a valid FilterOperator"),
        (
            "filter[created_at]=x",
            400,
            "Operator '$eq' is not supported on 'created_at'; use one of ['$gt', '$gte', '$lt', '$lte']",
        ),
        ('filter={"$or":[{"name":"a"},{"status":"error"}]}', 500, "An unexpected error occurred."),
        ("filter[status][$nin]=created", 500, "An unexpected error occurred."),
        ("filter={bad", 400, "Invalid JSON in filter parameter: {bad"),
    ],
)
def test_bad_filters(http, query, status, detail):
    answer = http.get(f"{JOBS}?{query}")
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("page=0", "greater_than"),
        ("page=x", "int_parsing"),
        ("page_size=0", "greater_than"),
        ("page_size=1001", "less_than_equal"),
        ("sort=name", "enum"),
    ],
)
def test_bad_parameters(http, query, kind):
    answer = http.get(f"{JOBS}?{query}")
    assert answer.status_code == 422
    [error] = answer.json()["detail"]
    assert (error["type"], error["loc"]) == (kind, ["query", query.split("=")[0]])


def test_a_missing_workspace(http):
    answer = http.get(JOBS.replace("my-workspace", "none"))
    assert (answer.status_code, answer.json()) == (404, {"detail": "Workspace 'none' not found"})


class TestStoredResults:
    @pytest.fixture
    def http(self, service, connect):
        client = connect(service)
        for number in range(2):
            client.submit(f"job-{number}")
            client.wait(f"job-{number}")
        return client

    def test_one(self, http):
        entity = http.get(f"{RESULTS}/job-0").json()
        assert (entity["benchmark"], entity["dataset"]) == ("my-workspace/qa-bench", "my-workspace/qa")
        assert entity["results"][0]["scores"][0]["std_dev"] == 0.48989794855663565
        assert "model" not in entity

    def test_only_the_fields_that_were_asked_for(self, http):
        trimmed = http.get(f"{RESULTS}/job-0?aggregate_fields=mean&aggregate_fields=nan_count").json()
        assert trimmed["results"][0] == {
            "scores": [{"name": "exact-match", "count": 5, "nan_count": 0, "mean": 0.6}],
            "metric": "my-workspace/exact-match",
        }

    def test_the_list(self, http):
        answer = http.get(f"{RESULTS}?page_size=1&filter[benchmark]=my-workspace/qa-bench&aggregate_fields=mean")
        assert names(answer) == ["job-1"]
        assert answer.json()["pagination"]["total_results"] == 2
        assert names(http.get(f"{RESULTS}?filter[benchmark]=my-workspace/other")) == []

    @pytest.mark.parametrize(
        ("path", "status", "detail"),
        [
            ("/none", 404, "Benchmark job result 'my-workspace/none' not found."),
            ("?bogus=1", 400, "Unsupported query parameter(s): bogus."),
            ("?filter[bogus]=1", 400, "Unknown filter field 'bogus'."),
            ("/job-0?aggregate_fields=bogus", 422, "Invalid aggregate field: 'bogus'."),
        ],
    )
    def test_bad_requests(self, http, path, status, detail):
        answer = http.get(RESULTS + path)
        assert answer.status_code == status
        assert answer.json()["detail"].startswith(detail)
