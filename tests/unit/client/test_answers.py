"""Whatever JSON an answer is, what comes of it is a model that can be used, or an error of this package."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_benchmarks.client import GENERATIONS, ClientConfig
from airflow_provider_benchmarks.client._operations import Operations
from airflow_provider_benchmarks.client._requests import Answer, Request
from airflow_provider_benchmarks.exceptions import IncompleteResults, JobError, ProtocolError
from airflow_provider_benchmarks.jobs import BenchmarkJob, JobPoller, LogSummary, finish, progress_line

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["active", "completed", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", " \n", "ws/b", "[[[", "NaN"]
    )
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def an_object(*keys: str, **known: Any) -> st.SearchStrategy[Any]:
    """An object with some of the keys, each with any value; or with what is given for it."""
    strange = st.fixed_dictionaries({}, optional=dict.fromkeys(keys, JSON))
    return st.tuples(strange, st.fixed_dictionaries(known)).map(lambda both: {**both[1], **both[0]})


STEPS = st.lists(an_object("name", "status", "error_details", tasks=st.lists(an_object("error_stack"), max_size=2)))
FIELDS = ("status_details", "error_details", "spec", "steps", "created_at", "updated_at", "custom_fields", "id")
JOB = {"name": "job-1", "workspace": "ws", "status": "active"}


def but_for_one(known: dict[str, Any], *keys: str) -> st.SearchStrategy[Any]:
    """An object that is as it should be but for one field."""
    return st.tuples(st.sampled_from([*known, *keys]), JSON).map(lambda odd: {**known, odd[0]: odd[1]})


JOBS = (
    JSON
    | but_for_one(JOB, "description", *FIELDS)
    | an_object("description", *FIELDS, name=st.just("job-1"), status=st.just("active"), steps=STEPS)
    | an_object(
        name=st.just("job-1"),
        status=st.sampled_from(["active", "error", "completed"]),
        spec=an_object("benchmark", "dataset"),
        status_details=an_object("progress", "samples_processed"),
        error_details=JSON,
        steps=STEPS,
        created_at=SCALARS,
    )
)

CONFIG = ClientConfig(base_url="http://evaluator.invalid", workspace="ws")
OPERATIONS = Operations(CONFIG, GENERATIONS["benchmark-jobs"])
#: Marks a test of answers that every generation reads in a way of its own.
every_generation = pytest.mark.parametrize(
    "operations", [Operations(CONFIG, generation) for generation in GENERATIONS.values()], ids=GENERATIONS
)


def of(operation: Any, payload: Any) -> Any:
    """What an operation of one request makes of an answer."""
    next(operation)
    with pytest.raises(StopIteration) as done:
        operation.send(Answer(200, {}, json.dumps(payload).encode()))
    return done.value.value


def use(job: BenchmarkJob) -> None:
    """Do with a job what waiting and its end do."""
    assert str(job)
    assert progress_line(job, 1e9)
    assert isinstance(job.dataset, str)
    assert hash(job.name)
    assert job.with_status(job) == job or job != job  # noqa: PLR0124  NaN
    JobPoller(job.name, job.workspace, interval=1, deadline=None).on_job(job, 0.0)
    try:
        finish(job)
    except JobError:
        assert job.is_finished


@every_generation
@given(JOBS)
def test_a_job(operations, payload):
    for operation in (
        operations.get("job-1", workspace="ws"),
        operations.get_status("job-1", workspace="ws"),
        operations.cancel("job-1", workspace="ws"),
    ):
        try:
            job = of(operation, payload)
        except ProtocolError:
            continue
        assert job.name == "job-1"
        use(job)


@every_generation
@given(st.lists(JOBS, max_size=4) | JSON, an_object("total_pages") | JSON)
def test_a_list_of_jobs(operations, data, pagination):
    try:
        jobs, pages = of(operations.list_page(1, workspace="ws", status=()), {"data": data, "pagination": pagination})
    except ProtocolError:
        return
    assert 0 <= pages <= 100_000
    for job in jobs:
        use(job)


@every_generation
@given(JSON | st.lists(JSON | an_object("message", "timestamp", "job_step"), max_size=4), JSON)
def test_a_page_of_log(operations, data, cursor):
    try:
        lines, following = of(operations.log_page("job-1", None, workspace="ws"), {"data": data, "next_page": cursor})
    except ProtocolError:
        return
    assert following is None or isinstance(following, str)
    LogSummary(lines).tail(10)


RESULT = {"name": "row-scores", "download_url": "/x", "artifact_url": "ws/files#rows.jsonl"}


@given(JSON | st.lists(JSON | but_for_one(RESULT, "created_at"), max_size=4))
def test_results_and_the_file_of_the_rows(data):
    try:
        results = of(OPERATIONS.results("job-1", workspace="ws"), {"data": data})
        of(OPERATIONS.row_scores_file("job-1", workspace="ws"), {"data": data})
    except ProtocolError:
        return
    assert all(isinstance(result.name, str) for result in results)


SCORE_FIELDS = (
    "count",
    "nan_count",
    "mean",
    "sum",
    "score_type",
    "percentiles",
    "histogram",
    "rubric_distribution",
    "value",
)
NAMES = JSON | st.dictionaries(st.sampled_from(["a", "a_2", "b"]), st.sampled_from(["ws/a", "ws/b"]))
BUNDLES = JSON | st.lists(JSON | an_object("outputs", metric_type=st.sampled_from(["a", "b", "a_2"])), max_size=3)


@given(
    an_object(custom_fields=an_object(metric_names=NAMES), spec=an_object("dataset", metrics=BUNDLES)),
    an_object(scores=JSON | st.lists(JSON | but_for_one({"name": "a.b", "count": 5, "mean": 0.5}, *SCORE_FIELDS))),
)
def test_aggregate_scores_whose_names_the_job_explains(job, payload):
    operation = Operations(CONFIG, GENERATIONS["evaluate-jobs"]).aggregate_scores("job-1", workspace="ws")
    next(operation)
    try:
        operation.send(Answer(200, {}, json.dumps({**job, **JOB}).encode()))
        with pytest.raises(StopIteration) as done:
            operation.send(Answer(200, {}, json.dumps(payload).encode()))
    except (ProtocolError, IncompleteResults):
        return
    json.dumps(done.value.value.to_records())


SCORES = st.lists(JSON | but_for_one({"name": "a", "count": 5, "mean": 0.5}, *SCORE_FIELDS), max_size=3)


@given(
    JSON
    | st.fixed_dictionaries(
        {"results": JSON | st.lists(JSON | an_object(metric=st.just("ws/m") | JSON, scores=SCORES), max_size=2)}
    )
    | st.fixed_dictionaries(
        {
            "metrics": JSON
            | st.lists(JSON | an_object(metric_ref=st.just("ws/m"), aggregation=an_object(scores=SCORES)), max_size=2)
        }
    )
)
def test_aggregate_scores(payload):
    try:
        scores = of(OPERATIONS.aggregate_scores("job-1", workspace="ws"), payload)
    except (ProtocolError, IncompleteResults):
        return
    json.dumps(scores.to_records())


@given(JSON | an_object("dataset", "platform_version", "detail"))
def test_what_is_only_reported(payload):
    job = BenchmarkJob(name="job-1", workspace="ws", status="completed")
    assert isinstance(of(OPERATIONS.dataset(job), payload), str)
    assert isinstance(of(OPERATIONS.platform_version(), payload), str)
    of(OPERATIONS.health(), payload)


@given(JSON | st.fixed_dictionaries({"detail": JSON | st.lists(JSON | an_object("loc", "msg"), max_size=3)}))
def test_the_detail_of_an_error(payload):
    assert isinstance(GENERATIONS["benchmark-jobs"].detail_of(json.dumps(payload).encode()), str)


DEEP = b"[" * 100_000


def test_json_that_is_nested_too_deep():
    operation = OPERATIONS.get("job-1", workspace="ws")
    next(operation)
    with pytest.raises(ProtocolError, match="nested too deep"):
        operation.send(Answer(200, {}, DEEP))
    assert GENERATIONS["benchmark-jobs"].detail_of(DEEP).startswith("[[[")


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("name", ["job-1"], "a text"),
        ("name", 5, "a text"),
        ("workspace", {"name": "ws"}, "a text"),
        ("workspace", 5, "a text"),
        ("status", ["active"], "a text"),
        ("status", {"phase": "active"}, "a text"),
        ("status", True, "a text"),
        ("spec", "ws/b", "an object"),
        ("spec", [], "an object"),
        ("custom_fields", ["fingerprint"], "an object"),
    ],
)
def test_what_decides_must_be_right(field, value, expected):
    with pytest.raises(ProtocolError, match=f'status answered 200.*expected {expected} as "{field}", found'):
        of(OPERATIONS.get_status("job-1", workspace="ws"), {**JOB, field: value})


@pytest.mark.parametrize(
    "odd",
    [
        {"status_details": ["x"]},
        {"status_details": {"progress": [1], "samples_processed": 10**400}},
        {"error_details": [1]},
        {"steps": 5},
        {"steps": [None, "x"]},
        {"created_at": 5, "updated_at": ["now"]},
        {"created_at": "0001-01-01T00:00:00+14:00", "updated_at": "9999-12-31T23:59:59-12:00"},
        {"description": 5, "id": None},
    ],
)
def test_what_is_for_show_is_left_out_where_it_is_odd(odd):
    job = of(OPERATIONS.get_status("job-1", workspace="ws"), {**JOB, **odd})
    assert (job.progress, job.samples_processed, job.error, job.steps) == (None, None, None, ())
    assert (job.created_at, job.updated_at, job.description) == (None, None, None)


def test_a_step_whose_task_left_an_empty_stack():
    job = of(
        OPERATIONS.get("job-1", workspace="ws"), {**JOB, "steps": [{"name": "a", "tasks": [{"error_stack": " "}]}]}
    )
    assert job.steps[0].error is None


def test_what_was_found_is_cut_short():
    with pytest.raises(ProtocolError) as caught:
        of(OPERATIONS.get("job-1", workspace="ws"), {**JOB, "status": ["x" * 5000]})
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("begin", [OPERATIONS.get, OPERATIONS.get_status, OPERATIONS.cancel])
def test_the_answer_must_be_about_the_job_that_was_asked_for(begin):
    with pytest.raises(ProtocolError, match='expected benchmark job "job-1", found "job-2"'):
        of(begin("job-1", workspace="ws"), {**JOB, "name": "job-2"})


def test_so_must_the_answer_to_a_submit():
    submit = OPERATIONS.submit(
        {"benchmark": "ws/b"}, workspace="ws", name="job-1", description=None, custom_fields=None
    )
    with pytest.raises(ProtocolError, match='expected benchmark job "job-1", found "job-2"'):
        of(submit, {**JOB, "name": "job-2"})


def test_an_odd_entry_does_not_spoil_the_list():
    data = [JOB, {**JOB, "name": "job-2", "status": ["active"]}, None, {**JOB, "name": "job-3"}]
    jobs, pages = of(OPERATIONS.list_page(1, workspace="ws", status=()), {"data": data})
    assert [job.name for job in jobs] == ["job-1", "job-3"]
    assert pages == 1


@pytest.mark.parametrize("pages", ["3", -1, 10**9, 1.5, [1]])
def test_a_number_of_pages_that_is_none(pages):
    with pytest.raises(ProtocolError, match='expected a number of pages as "total_pages"'):
        of(OPERATIONS.list_page(1, workspace="ws", status=()), {"data": [], "pagination": {"total_pages": pages}})


def test_a_request_has_the_time_that_its_waits_allow():
    config = ClientConfig(base_url="http://evaluator.invalid", timeout=10)
    assert config.time_limit(Request(method="GET", path="/")) == 15
    assert config.time_limit(Request(method="GET", path="/", time_limit=4)) == 4
    assert config.time_limit(Request(method="GET", path="/", time_limit=400)) == 15
    operations = Operations(config, GENERATIONS["benchmark-jobs"])
    post = next(operations.submit({}, workspace="ws", name="job-1", description=None, custom_fields=None))
    assert config.time_limit(post) >= 60
