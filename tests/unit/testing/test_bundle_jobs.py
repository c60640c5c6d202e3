"""The local service as later releases: what tests can request, and what the recordings have no example of."""

from __future__ import annotations

import json

import pytest

from airflow_provider_benchmarks.testing import EXAMPLE_DATASET, EXAMPLE_ROWS, EvaluationService, Seeder, example_spec

RELEASES = ("0.3", "0.6", "0.7", "0.8")
NOTHING_SCORED = {
    "type": "number-check",
    "operation": "==",
    "left_template": "{{item.output}}",
    "right_template": "{{item.reference}}",
}
ROW = {
    "row_index": 0,
    "item": {"output": "a"},
    "sample": {},
    "metrics": {"exact-match": [{"name": "exact-match", "value": 1}]},
    "requests": [],
    "metric_errors": {"f1": "no value"},
    "metric_diagnostics": None,
}


class Driver:
    """Submits to a service of one release."""

    def __init__(self, service, http, release):
        self.service, self.http, self.release = service, http, release
        prefix = "evals" if release >= "0.8" else "evaluator"
        self.api = f"/apis/{prefix}/v2/workspaces/my-workspace"
        self.jobs = f"{self.api}/evaluate/jobs"

    def submit(self, name="run-1", **spec):
        return self.http.post(self.jobs, json={"name": name, "spec": {**example_spec(self.release), **spec}})

    def run(self, name="run-1", **spec):
        """Submit a job, which ends at once; return its status."""
        assert self.submit(name, **spec).status_code == 201
        return self.status(name)

    def status(self, name="run-1"):
        return self.http.get(f"{self.jobs}/{name}/status").raise_for_status().json()

    def download(self, result, name="run-1"):
        return self.http.get(f"{self.jobs}/{name}/results/{result}/download").raise_for_status().content

    def rows(self, name="run-1"):
        return [json.loads(line) for line in self.download("row-scores", name).splitlines()]

    def log(self, name="run-1"):
        page = self.http.get(f"{self.jobs}/{name}/logs", params={"limit": 1000}).json()
        return [line["message"].removeprefix("[stderr] ") for line in page["data"]]


@pytest.fixture
def start(connect):
    """Start a service whose jobs end at once."""
    running = []

    def make(release, **options):
        service = EvaluationService(**{"release": release, "job_seconds": 0, **options}).start()
        running.append(service)
        service.seed_question_answer_example()
        return Driver(service, connect(service), release)

    yield make
    for service in running:
        service.stop()


def bundle(metric):
    own = example_spec("0.8")["metrics"][0]["outputs"][0]
    outputs = [{**own, "name": metric["type"]}]
    return {"metric_type": metric["type"], "outputs": outputs, "payload": {"kind": "inline", "metric": metric}}


@pytest.mark.parametrize("release", RELEASES)
def test_the_example(start, release):
    driver = start(release)
    assert driver.run()["status"] == "completed"
    scores = json.loads(driver.download("aggregate-scores"))["scores"]
    assert {score["name"]: score["mean"] for score in scores} == {
        "exact-match.exact-match": 0.6,
        "string-check.string-check": 0.8,
    }
    assert [row["item"] for row in driver.rows()] == [dict(row) for row in EXAMPLE_ROWS]


@pytest.mark.parametrize(
    ("release", "status"), [("0.3", "completed"), ("0.6", "completed"), ("0.7", "error"), ("0.8", "error")]
)
def test_a_job_that_scored_nothing(start, release, status):
    driver = start(release)
    ended = driver.run(metrics=[bundle(NOTHING_SCORED)], dataset=[{"output": "a", "reference": "b"}])
    assert ended["status"] == status
    (score,) = json.loads(driver.download("aggregate-scores"))["scores"]
    assert (score["count"], score["nan_count"], score["mean"]) == (0, 1, None)
    assert driver.rows()[0]["metrics"] == {"number-check": [{"name": "number-check", "value": "NaN"}]}
    evaluation = ended["status_details"].get("evaluation")
    assert (evaluation is None) == (status == "completed")
    assert evaluation is None or (evaluation["failed"], evaluation["scored"], evaluation["total"]) == (True, 0, 1)


@pytest.mark.parametrize("subject", [EXAMPLE_DATASET, None])
def test_given_results_are_returned_as_they_are(start, subject):
    driver = start("0.8")
    aggregate = {"scores": [{"name": "exact-match.exact-match", "count": 1, "nan_count": 0, "mean": 1.0}]}
    driver.service.give_results(subject, aggregate=aggregate, rows=[ROW])
    ended = driver.run(dataset=f"{EXAMPLE_DATASET}#qa.jsonl")
    assert (ended["status"], json.loads(driver.download("aggregate-scores"))) == ("completed", aggregate)
    assert driver.rows() == [ROW]
    evaluation = ended["status_details"]["evaluation"]
    assert (evaluation["total"], evaluation["scored"], evaluation["errored"]) == (1, 1, 1)
    whole = json.loads(driver.download("evaluation-results"))
    assert whole["per_metric"]["exact-match"]["row_scores"] == [ROW]


def test_rows_on_disk_are_counted_by_the_aggregate_scores(start, tmp_path):
    driver = start("0.8")
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROW) + "\n")
    scores = [{"name": "a.b", "count": 3, "nan_count": 2}, {"name": "a.c", "count": None, "nan_count": 4}]
    driver.service.give_results(None, aggregate={"scores": scores}, rows=tmp_path / "rows.jsonl")
    evaluation = driver.run()["status_details"]["evaluation"]
    assert (evaluation["total"], evaluation["scored"]) == (5, 3)


@pytest.mark.parametrize("aggregate", [b"{", b"[]", {"scores": 1}, {"results": []}])
def test_results_of_another_shape_are_not_counted(start, aggregate):
    driver = start("0.8")
    driver.service.give_results(None, aggregate=aggregate, rows=b'{"a":1}\n{"\n')
    ended = driver.run()
    assert (ended["status"], "evaluation" in ended["status_details"]) == ("completed", False)
    assert driver.download("row-scores") == b'{"a":1}\n{"\n'


@pytest.mark.parametrize("release", RELEASES)
def test_the_log_of_a_failed_job(start, release):
    driver = start(release)
    driver.service.fail_jobs(None, "Job exited with code 1", root_error="boom\nand more")
    ended = driver.run()
    assert (ended["status"], ended["error_details"]) == ("error", {"message": "Job exited with code 1"})
    log = driver.log()
    if release == "0.3":
        assert log[-2:] == ["RuntimeError: boom", "and more"]
        assert "Traceback (most recent call last):" in log
    else:
        assert log[-1].startswith("Traceback (most recent call last):   File ")
        assert log[-1].endswith(" RuntimeError: boom and more")
        assert "\x1b[31m\x1b[1merror\x1b[0m" in log[-2]
    stack = ended["steps"][0]["tasks"][0]["error_stack"]
    assert "boom" in stack
    driver.service.evaluate_jobs(None)
    assert driver.run("run-2")["status"] == "completed"


def test_a_failure_before_the_evaluation_has_no_log(start):
    driver = start("0.8")
    driver.service.fail_jobs(EXAMPLE_DATASET, "no such secret")
    ended = driver.run()
    assert (ended["status"], ended["steps"][0]["tasks"], driver.log()) == ("error", [], [])
    assert "no such secret" in ended["error_details"]["message"]


@pytest.mark.parametrize(("release", "lines"), [("0.3", 2), ("0.8", 3)])
def test_the_tail_of_a_log(start, release, lines):
    driver = start(release)
    driver.run()
    page = driver.http.get(f"{driver.jobs}/run-1/logs", params={"tail": 3}).json()
    assert [line["message"] for line in page["data"]] == [f"[stderr] {line}" for line in driver.log()[-lines:]]
    assert (page["total"], page["next_page"]) == (len(driver.log()), None)
    assert (page["prev_page"] is not None) == (release == "0.8")


def test_wrong_outputs_are_refused(start):
    driver = start("0.8")
    wrong = example_spec("0.8")["metrics"][0]
    wrong["outputs"][0]["description"] = "mine"
    answer = driver.submit(metrics=[wrong])
    assert (answer.status_code, "do not match" in answer.json()["detail"]) == (422, True)
    assert driver.http.post(f"{driver.api}/metrics/mine", json=wrong).status_code == 422
    other = bundle({"type": "my-own"})
    assert driver.submit(metrics=[other]).status_code == 201


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"dataset": "my-workspace/none"}, "Failed to load dataset 'my-workspace/none'"),
        ({"target": {"url": "http://model"}, "params": {"max_retries": 0}}, "calls no model"),
        ({"metrics": [bundle({"type": "my-own"})]}, 'metrics of type "my-own"'),
        ({"metrics": [bundle({**NOTHING_SCORED, "operation": "about"})]}, 'with the operation "about"'),
    ],
)
def test_what_the_local_service_can_not_evaluate_is_an_error(start, spec, error):
    driver = start("0.8")
    assert driver.run(**spec)["status"] == "error"
    assert error in driver.log()[-1]


def test_limits_and_numbers(start):
    driver = start("0.8")
    rows = [{"output": "The answer is 4", "reference": "4"}, {"output": "-1.5", "reference": "x"}]
    at_least = {**NOTHING_SCORED, "operation": ">="}
    driver.run(metrics=[bundle(at_least)], dataset=rows, params={"limit_samples": 1})
    assert [row["metrics"]["number-check"][0]["value"] for row in driver.rows()] == [1.0]


def test_parameters_can_be_null(start):
    driver = start("0.8")
    driver.run(params=None)
    assert len(driver.rows()) == len(EXAMPLE_ROWS)


def test_one_value_has_no_sample_deviation(start):
    driver = start("0.8")
    driver.run(dataset=[{"output": "a", "reference": "a"}])
    score = json.loads(driver.download("aggregate-scores"))["scores"][0]
    assert (score["median"], score["sample_std_dev"], score["sample_variance"]) == (1.0, None, None)


def test_jobs_are_held_and_timed_by_their_dataset(start, clock):
    driver = start("0.8", clock=clock)
    driver.service.set_job_seconds(100, benchmark=EXAMPLE_DATASET)
    driver.service.hold_jobs("pending", benchmark=EXAMPLE_DATASET)
    driver.submit()
    driver.submit("run-2", dataset=[dict(EXAMPLE_ROWS[0])])
    clock.now += 500
    assert (driver.status()["status"], driver.status("run-2")["status"]) == ("pending", "completed")
    driver.service.release_jobs()
    clock.now += 90
    assert driver.status()["status"] == "active"
    assert "progress" not in driver.status()["status_details"]
    assert driver.http.post(f"{driver.jobs}/run-1/cancel").json()["status"] == "cancelling"
    clock.now += 50
    assert driver.status()["steps"][0]["status_details"]["task_cleanup_pending"] is False


def test_a_job_of_another_kind(start):
    driver = start("0.8")
    driver.service.add_metric_job("my-workspace", "metric-1")
    assert driver.http.get(f"{driver.jobs}/metric-1").status_code == 500
    assert driver.status("metric-1")["status"] == "created"
    assert driver.http.get(driver.jobs).json()["data"] == []


def test_a_deleted_jobs_name_can_be_used_again(start):
    driver = start("0.8")
    driver.run()
    assert driver.http.delete(f"{driver.jobs}/run-1").status_code == 204
    assert driver.run(params={"limit_samples": 1})["status"] == "completed"
    assert driver.http.get(f"{driver.api}/eval-results/run-1").json()["row_count"] == 1


def test_a_stored_metric(start):
    driver = start("0.8")
    found = driver.http.get(f"{driver.api}/metrics/exact-match").json()
    assert (found["name"], found["metric_type"]) == ("exact-match", "exact-match")
    assert driver.http.get(f"{driver.api}/metrics/none").status_code == 404
    (sent,) = example_spec("0.8")["metrics"][:1]
    assert driver.http.post(f"{driver.api.replace('my-workspace', 'none')}/metrics/m", json=sent).status_code == 422
    assert driver.http.post(f"{driver.api}/metrics/m", json={}).json()["detail"][0]["type"] == "missing"
    assert driver.http.post(driver.jobs, json={}).json()["detail"][0]["loc"] == ["body", "spec"]


def test_the_first_of_the_later_releases_stores_no_results(start):
    driver = start("0.2")
    assert driver.run()["status"] == "completed"
    assert driver.http.get(f"{driver.api}/eval-results/run-1").json() == {"detail": "Not Found"}


def test_a_release_that_is_not_known_yet_is_like_the_last_known_one(start):
    driver = start("0.9")
    assert driver.http.get("/cluster-info").json()["platform_version"] == "0.9.0"
    assert driver.run()["status"] == "completed"


def test_a_token_is_asked_for_under_each_prefix(connect):
    with EvaluationService(release="0.8", token="t") as service:
        assert service.seed_question_answer_example() == EXAMPLE_DATASET
        http = connect(service)
        for path in ("evals/v2/workspaces/my-workspace/evaluate/jobs", "evaluation/v2/workspaces/w/benchmark-jobs"):
            assert http.get(f"/apis/{path}").status_code == 401
        assert http.get("/cluster-info").status_code == 200


def test_no_benchmark_is_stored(connect):
    with EvaluationService(release="0.8") as service, Seeder(service.url, release="0.8") as seeder:
        assert seeder.question_answer_example() == EXAMPLE_DATASET
        with pytest.raises(ValueError, match="0.8.1 stores no benchmarks"):
            seeder.benchmark("my-workspace", "b", metrics=[], dataset=EXAMPLE_DATASET)


SCORES = {"scores": [{"name": "exact-match.exact-match", "count": 1, "nan_count": 0, "mean": 0.25}]}


class TestNames:
    """Jobs that this package submits name their benchmark in their custom fields."""

    @pytest.fixture
    def run(self, start):
        """Run a job of a benchmark that is called otherwise than its dataset; return its scores."""

        def make(request):
            driver = start("0.8")
            request(driver.service)
            body = {"name": "run-1", "spec": example_spec("0.8"), "custom_fields": {"benchmark": "ml/translate"}}
            assert driver.http.post(driver.jobs, json=body).status_code == 201
            return driver

        return make

    @pytest.mark.filterwarnings("ignore:the local evaluation service has had no job")
    def test_results_and_failures_are_for_a_benchmark_or_its_dataset(self, run):
        def given(service):
            service.give_results(EXAMPLE_DATASET, aggregate={}, rows=[])
            service.give_results("ml/translate", aggregate=SCORES)

        assert json.loads(run(given).download("aggregate-scores")) == SCORES
        assert run(lambda service: service.fail_jobs("ml/translate", "no luck")).status()["status"] == "error"
        assert (
            run(lambda service: service.hold_jobs("pending", benchmark="ml/translate")).status()["status"] == "pending"
        )
        assert run(lambda service: service.hold_jobs("pending", benchmark="ml/other")).status()["status"] == "completed"

    def test_what_was_requested_for_no_job_at_all_is_told_at_the_end(self, run):
        service = run(lambda service: service.give_results("ml/translat", aggregate=SCORES)).service
        with pytest.warns(UserWarning, match="has had no job of ml/translat, .* its jobs were of ml/translate, "):
            service.stop()

    @pytest.mark.filterwarnings("error::UserWarning")
    def test_nothing_is_told_where_there_is_no_doubt(self, run, start):
        run(lambda service: service.give_results("ml/translate", aggregate=SCORES)).service.stop()
        unused = start("0.8").service
        unused.fail_jobs("ml/translate", "no luck")
        unused.stop()


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    ("metric", "missing"),
    [
        ({"type": "exact-match", "refrence": "{{item.reference}}", "candidate": "{{item.output}}"}, ["reference"]),
        ({"type": "string-check", "operation": "contains", "left_template": "a"}, ["right_template"]),
        ({"type": "number-check", "left": "1"}, ["operation", "left_template", "right_template"]),
    ],
)
def test_a_metric_that_lacks_a_field_is_refused_at_submit(start, release, metric, missing):
    answer = start(release).submit(metrics=[bundle(metric)])
    assert answer.status_code == 422
    found = [error["loc"][-1] for error in answer.json()["detail"] if error["type"] == "missing"]
    assert found == missing
