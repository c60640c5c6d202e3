"""The answers of docs/cookbook.md about gates and releases do what they say, as they stand there."""

from __future__ import annotations

import http.server
import json
import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import jsonschema
import pytest
import yaml

from airflow_provider_benchmarks.benchmarks import read_benchmark
from airflow_provider_benchmarks.benchmarks.outputs import outputs_of
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.scores import AggregateScore, AggregateScores
from airflow_provider_benchmarks.store import ScoreStore
from airflow_provider_benchmarks.testing import Fault
from tests.integration.conftest import BENCHMARK, WORKSPACE
from tests.support.documents import blocks_of
from tests.support.page_commands import run_commands
from tests.support.page_dags import PageDags
from tests.support.page_jobs import TONES, give, item_of, run_job, share
from tests.support.s3_server import BUCKET

OF_BENCHMARK = {"workspace": WORKSPACE, "benchmark": BENCHMARK}
ONLINE = f"{WORKSPACE}/qa-online"
GOOD, BAD = share(100), share(60)
#: The items of an online job: what the model has answered is beside them.
QUESTIONS = [item_of(index) for index in range(120)]


@pytest.fixture
def dags(pages: PageDags) -> PageDags:
    """The folder of the DAGs, with the benchmark files."""
    for name, block in zip(("qa-bench", "qa-online"), blocks_of("test_the_benchmark_file"), strict=True):
        pages.write(f"benchmarks/{name}.yaml", block.code)
    return pages


@pytest.fixture
def store(pages: PageDags) -> ScoreStore:
    return ScoreStore(pages.store)


def results(run, task="gate"):
    """The outcome of each check of a gate, with what it observed."""
    return [(result["outcome"], result.get("group", "")) for result in run.xcoms[task, "verdict"]["results"]]


def test_the_settings(documented):
    (block,) = documented
    show = "printenv AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT AIRFLOW_CONN_AWS AIRFLOW__BENCHMARKS__SCORE_STORE"
    printed = run_commands(f"{block.code}\n{show}")
    *connections, store = printed.splitlines()
    evaluator, aws = (json.loads(text) for text in re.findall(r"\{.*?\}\}", "".join(connections)))
    assert (evaluator["conn_type"], aws["conn_type"]) == ("nemo_evaluator", "aws")
    assert store == "s3://aws@benchmark-scores"


def test_the_benchmark_file(documented, tmp_path):
    for block, name in zip(documented, (BENCHMARK, ONLINE), strict=True):
        (tmp_path / "benchmark.yaml").write_text(block.code)
        assert read_benchmark(tmp_path / "benchmark.yaml").name == name


@pytest.mark.parametrize(("scores", "state"), [(GOOD, "success"), (BAD, "failed")])
def test_a_job_of_someone_else(documented, dags, service, scores, state):
    (block,) = documented
    run = dags.run(block.code, {"job": run_job(service, "qa-42", scores)})
    assert (run.state, run.tasks) == (state, {"wait": "success", "gate": state})


def test_the_last_release(documented, dags, service, store):
    (block,) = documented
    give(service, GOOD)
    first = dags.run(block.code)
    assert (first.state, results(first)) == ("success", [("warn", "")])
    give(service, share(110))
    again = dags.run(block.code)
    assert (again.state, results(again)) == ("success", [("pass", "")])
    pinned = store.pinned(**OF_BENCHMARK)
    assert again.xcoms["gate", "verdict"]["baseline"] == first.xcoms["run", "return_value"]
    give(service, BAD)
    worse = dags.run(block.code)
    assert (worse.state, worse.tasks["gate"], worse.tasks["pin"]) == ("failed", "failed", "upstream_failed")
    assert store.pinned(**OF_BENCHMARK).job == pinned.job == again.xcoms["run", "return_value"]


def test_no_baseline_yet(documented, dags, service):
    code, command = (block.code for block in documented)
    run_job(service, "qa-42", GOOD)
    first = dags.run(code)
    assert (first.state, results(first)) == ("failed", [("fail", "")])
    assert '"qa-42"' not in run_commands("benchmarks pin my-workspace/qa-bench || true", dags)
    assert "qa-42" in run_commands(command, dags)
    run = dags.run(code, {"job": run_job(service, "qa-43", share(110))})
    assert (run.state, run.xcoms["gate", "verdict"]["baseline"]) == ("success", "qa-42")


def test_two_models(documented, dags, service, tmp_path):
    (block,) = documented
    give(service, {("answer-match", "exact-match"): GOOD}, benchmark=ONLINE, items=QUESTIONS)
    run = dags.run(block.code.replace("/tmp/head-to-head.md", f"{tmp_path}/report.md"))
    assert run.state == "success"
    jobs = [run.xcoms[f"run_{name}", "return_value"] for name in ("small", "large")]
    assert [run.xcoms["gate", "verdict"][key] for key in ("baseline", "job")] == jobs
    assert jobs[0] in (tmp_path / "report.md").read_text()
    assert "exact-match" in run_commands(f"benchmarks compare {jobs[0]} {jobs[1]}", dags)


def test_a_rubric(documented, dags, service):
    judged, block = documented
    judge = read_benchmark(dags.write("benchmarks/qa-judged.yaml", judged.code)).metrics["my-workspace/judge"]
    assert [output["name"] for output in outputs_of("judge", judge)] == ["tone", "tone.label", "clarity"]
    assert [category["label"] for category in judge["scores"][0]["rubric"]] == list(TONES)
    tone = ["formal"] * 110 + ["casual"] * 10
    run = dags.run(block.code, {"job": run_job(service, "many", {("judge", "tone"): tone * 5})})
    assert (run.state, results(run)) == ("success", [("pass", ""), ("pass", "")])
    run = dags.run(block.code, {"job": run_job(service, "few", {("judge", "tone"): ["formal"] * 20})})
    assert (run.state, results(run)) == ("failed", [("pass", ""), ("fail", "")])


def test_lower_is_better(documented, dags, service, store):
    (block,) = documented
    latency = ("latency", "latency")
    run_job(service, "old", {latency: [1 + i % 7 / 10 for i in range(120)]})
    run = dags.run(block.code, {"job": "old"})
    assert (run.state, results(run)) == ("success", [("pass", ""), ("warn", "")])
    store.pin(store.find("old", workspace=WORKSPACE))
    run = dags.run(block.code, {"job": run_job(service, "slow", {latency: [1.5 + i % 7 / 10 for i in range(120)]})})
    assert (run.state, results(run)) == ("failed", [("pass", ""), ("fail", "")])


def test_each_category_by_itself(documented, dags, service, store):
    (block,) = documented
    run_job(service, "old", GOOD)
    assert dags.run(block.code, {"job": "old"}).state == "success"
    store.pin(store.find("old", workspace=WORKSPACE))
    bad_at_math = [value * (index % 4 != 1) for index, value in enumerate(GOOD)]
    run = dags.run(block.code, {"job": run_job(service, "new", bad_at_math)})
    found = results(run)
    assert run.state == "failed"
    assert sorted(found[:2]) == [("fail", "category = math"), ("pass", "category = prose")]
    assert sorted(found[2:]) == [("fail", "category = math"), ("pass", "category = prose")]


def test_some_rows_only(documented, dags, service):
    (block,) = documented
    run = dags.run(block.code, {"job": run_job(service, "good", [0.0 if i % 2 == 0 else 1.0 for i in range(120)])})
    assert run.state == "success"
    (result,) = run.xcoms["gate", "verdict"]["results"]
    fit = [item for item in map(item_of, range(120)) if item["category"] == "math" and item["level"] > 1]
    assert (result["observed"], result["count"]) == (1.0, sum(item["length"] < 100 for item in fit))
    assert dags.run(block.code, {"job": run_job(service, "few", GOOD[:40])}).state == "failed"


def test_rows_without_a_score(documented, dags, service):
    (block,) = documented
    run = dags.run(block.code, {"job": run_job(service, "good", [None, None, *[1.0] * 118])})
    assert (run.state, results(run)) == ("success", [("pass", ""), ("pass", "")])
    run = dags.run(block.code, {"job": run_job(service, "gaps", [*[None] * 12, *[1.0] * 108])})
    assert (run.state, results(run)) == ("failed", [("fail", ""), ("warn", "")])


def test_slow_drift(documented, dags, service, store):
    (block,) = documented
    for night in range(11):
        give(service, share(100 + night % 3))
        run = dags.run(block.code)
        assert run.state == "success"
        assert results(run) == [("warn" if night < 10 else "pass", ""), ("warn" if night < 1 else "pass", "")], night
        if not night:
            store.pin(store.history(**OF_BENCHMARK)[0])
    give(service, share(20))
    run = dags.run(block.code)
    assert (run.state, results(run)) == ("failed", [("fail", ""), ("fail", "")])


def test_several_benchmarks(documented, dags, service):
    (block,) = documented
    qa, _ = blocks_of("test_the_benchmark_file")
    dags.write("benchmarks/math-bench.yaml", qa.code.replace("qa-bench", "math-bench"))
    for name in ("qa-bench", "math-bench"):
        dags.write(f"policies/{name}.yaml", "checks: [{metric: exact-match, at_least: 0.7}]")
    give(service, GOOD)
    give(service, GOOD, benchmark="my-workspace/math-bench")
    run = dags.run(block.code)
    assert (run.state, run.tasks["ship"]) == ("success", "success")
    give(service, BAD, benchmark="my-workspace/math-bench")
    run = dags.run(block.code)
    assert run.tasks == {
        "qa-bench.run": "success",
        "qa-bench.gate": "success",
        "math-bench.run": "success",
        "math-bench.gate": "failed",
        "ship": "upstream_failed",
    }


def test_many_models(documented, dags, service):
    code = documented[0].code.replace("s3://aws@benchmark-scores", dags.store)
    give(service, {("answer-match", "exact-match"): GOOD}, benchmark=ONLINE, items=QUESTIONS)
    service.clear_requests()
    assert dags.run(code).state == "success"
    for index, model in enumerate(("small", "large")):
        (job,) = ScoreStore(f"{dags.store}/{model}").history(workspace=WORKSPACE, benchmark=ONLINE)
        assert job.outcomes == {f"many_models.candidate.gate[{index}]": "pass"}
    submits = [json.loads(each.body) for each in service.requests if each.path.endswith("/benchmark-jobs") if each.body]
    assert sorted(body["spec"]["model"]["name"] for body in submits) == ["large", "small"]
    service.inject(Fault.answer(400).on("POST", "*/benchmark-jobs", times=1))
    assert dags.run(code).state == "failed"
    stored = [ScoreStore(f"{dags.store}/{model}") for model in ("small", "large")]
    # One model could not be run; the other one is judged all the same.
    assert sorted(len(each.history(workspace=WORKSPACE, benchmark=ONLINE)) for each in stored) == [1, 2]


def test_an_editor_explains_a_policy(documented, tmp_path):
    command, policy = documented
    run_commands(f"cd {tmp_path}\n{command.code}")
    schema = tmp_path / re.search(r"\$schema=(\S+)", policy.code).group(1)
    validator = jsonschema.Draft202012Validator(json.loads(schema.read_text()))
    assert list(validator.iter_errors(yaml.safe_load(policy.code))) == []
    mistyped = validator.iter_errors(yaml.safe_load(policy.code.replace("at_least", "at_lest")))
    assert any("'at_lest' was unexpected" in error.message for error in mistyped)


def test_a_policy_in_git(documented, dags, service, store):
    policy, dag = (block.code for block in documented)
    dags.write("policies/release.yaml", policy)
    run_job(service, "old", GOOD)
    first = dags.run(dag, {"job": "old"})
    assert results(first) == [("pass", ""), ("fail", ""), ("warn", "")]
    store.pin(store.find("old", workspace=WORKSPACE))
    bad_at_math = [value * (index % 8 != 1) for index, value in enumerate(share(116))]
    run = dags.run(dag, {"job": run_job(service, "new", bad_at_math)})
    assert [outcome for outcome, _ in results(run)[2:]].count("warn") == 1
    assert run.state == "failed"
    dags.write("policies/release.yaml", policy.replace("at_least", "at_lest"))
    with pytest.raises(AssertionError, match=r"policies/release\.yaml.*line 4"):
        dags.load(dag)


def test_a_dry_run(documented, dags, service, store, tmp_path):
    (block,) = documented
    run_job(service, "qa-42", BAD)
    run = dags.run(block.code.replace("/tmp/dry-run.md", f"{tmp_path}/report.md"))
    assert (run.state, run.tasks["gate"], results(run)) == ("success", "success", [("fail", "")])
    assert (tmp_path / "report.md").read_text().startswith("**FAIL")
    assert store.outcomes(store.find("qa-42", workspace=WORKSPACE)) == {"dry_run.gate": "fail"}


@pytest.mark.parametrize(
    ("sample", "everything", "states"),
    [
        (share(48, 50), None, ("skipped", "skipped", "success")),
        (share(38, 50), share(100), ("success", "success", "success")),
        (share(38, 50), BAD, ("success", "failed", "upstream_failed")),
    ],
)
def test_a_sample_first(documented, dags, service, store, monkeypatch, sample, everything, states):
    (block,) = documented
    give(service, sample)
    dag = dags.load(block.code)
    rest = dag.get_task("all_rows")
    execute = type(rest).execute

    def with_all_rows(self, context):
        if self.task_id == "all_rows":
            give(service, everything)
        return execute(self, context)

    monkeypatch.setattr(type(rest), "execute", with_all_rows)
    run = dags.run(block.code)
    assert tuple(run.tasks[task] for task in ("all_rows", "second", "ship")) == states
    ran_all = [name for (task, key), name in run.xcoms.items() if (task, key) == ("all_rows", "return_value")]
    assert [job.job for job in store.history(**OF_BENCHMARK)] == ran_all


def test_repeats(documented, dags, service, store):
    (block,) = documented
    items = [{"input": f"question {i // 3}", "seed": i % 3} for i in range(180)]
    values = [float(i % 3 != 2 or i % 2) for i in range(180)]
    give(service, {("answer-match", "exact-match"): values}, items=items)
    run = dags.run(block.code, {"job": run_job(service, "old")})
    assert (run.state, results(run)) == ("success", [("pass", ""), ("pass", ""), ("warn", "")])
    assert [result["count"] for result in run.xcoms["gate", "verdict"]["results"][:2]] == [60, 60]


def test_a_waiver(documented, dags, service, store):
    waiver, dag = (block.code for block in documented)
    usual = blocks_of("test_a_policy_in_git")[0].code
    dags.write("policies/release-7.yaml", waiver)
    dags.write("policies/release.yaml", usual)
    run_job(service, "old", share(72))
    assert dags.run(dag, {"job": "old"}).state == "failed"
    store.pin(store.find("old", workspace=WORKSPACE))
    better = [1.0] * 3 + share(72)[3:]
    conf = {"job": run_job(service, "qa-42", better), "policy": "policies/release-7.yaml"}
    run = dags.run(dag, conf)
    assert (run.state, [outcome for outcome, _ in results(run)]) == ("success", ["warn", "pass", "pass", "pass"])

    checks, usual_checks = (
        [line for line in policy.splitlines() if not line.lstrip().startswith("#")] for policy in (waiver, usual)
    )
    differing = [pair for pair in zip(checks, usual_checks, strict=True) if pair[0] != pair[1]]
    assert [(mine, theirs.replace("}", ", severity: warn}")) for mine, theirs in differing] == [(differing[0][0],) * 2]


def test_judge_again(documented, dags, service, store, tmp_path):
    (block,) = documented
    (policy, _) = blocks_of("test_a_policy_in_git")
    (waiver, _) = blocks_of("test_a_waiver")
    dag = blocks_of("test_a_dry_run")[0].code.replace("/tmp/", f"{tmp_path}/")
    for name in ("release-6", "qa-42"):
        run_job(service, name, GOOD)
        dags.run(dag, {"job": name})
    dags.write("policies/release.yaml", policy.code)
    commands = block.code.replace("/srv/scores", f"{tmp_path}/scores")
    before = sorted((tmp_path / "scores").rglob("*"))
    assert run_commands(commands, dags).startswith("PASS: ")
    assert sorted((tmp_path / "scores").rglob("*")) == before
    assert waiver.code != policy.code


def test_roll_a_pin_back(documented, dags, service, store, tmp_path):
    (block,) = documented
    dag = blocks_of("test_a_dry_run")[0].code.replace("/tmp/", f"{tmp_path}/")
    for name in ("release-6", "release-7"):
        run_job(service, name, GOOD)
        dags.run(dag, {"job": name})
        store.pin(store.find(name, workspace=WORKSPACE))
    printed = run_commands(block.code, dags)
    assert printed.index("release-7") < printed.index("release-6")
    assert "Ada: release 7 was withdrawn" in printed
    assert store.pinned(**OF_BENCHMARK).job == "release-6"


def run_in_notebook(block, store):
    """Run a block that is for a notebook, on this store."""
    code = block.code.replace("s3://aws@benchmark-scores", store.root)
    exec(compile(code, "cookbook.md", "exec"), {})  # noqa: S102


def test_what_got_worse(documented, dags, service, store, tmp_path, capsys):
    (block,) = documented
    dag = blocks_of("test_a_dry_run")[0].code.replace("/tmp/", f"{tmp_path}/")
    bad_at_math = [value * (index % 4 != 1) for index, value in enumerate(GOOD)]
    for name, values in (("qa-41", GOOD), ("qa-42", bad_at_math)):
        run_job(service, name, values)
        dags.run(dag, {"job": name})
    capsys.readouterr()
    run_in_notebook(block, store)
    printed = capsys.readouterr().out
    lost = sum(before > after for before, after in zip(GOOD, bad_at_math, strict=True))
    assert f"math    {lost}\n" in printed
    assert "question 1 " in printed
    assert "prose" not in printed

    old = store.find("qa-41", workspace=WORKSPACE)
    rowless = BenchmarkJob(name="rowless", **OF_BENCHMARK, status="completed", created_at=old.created_at)
    store.add(rowless, old.aggregate, store_rows=None)
    with pytest.raises(SystemExit, match="without its rows"):
        run_in_notebook(replace(block, code=block.code.replace("qa-41", "rowless")), store)


def test_a_report_with_a_link(documented, dags, service, s3, monkeypatch):
    dag, settings = (block.code for block in documented)
    monkeypatch.setenv("AIRFLOW_CONN_AWS", s3.connection)
    for line in settings.splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        monkeypatch.setenv(name, value.split("'")[1])
    run = dags.run(dag.replace("benchmark-scores", BUCKET), {"job": run_job(service, "qa-42", GOOD)})
    assert run.state == "success"
    (page,) = [key for key in s3.list_keys() if key.startswith("reports/")]
    assert s3.read(page).startswith(b"<!doctype html>")
    address = "https://console.aws.amazon.com/s3/buckets"
    assert run.xcoms["gate", "_link_ReportLink"] == f"{address}/{BUCKET}?prefix={quote(page)}"
    assert run.xcoms["gate", "_link_BenchmarkJobLink"] == f"{service.url}/studio/{WORKSPACE}/jobs/qa-42"


def test_delete_old_jobs(documented, dags, service, store):
    (block,) = documented
    days = {"oldest": 900, "old": 800, "released": 700, "after": 600, "new": 1}
    aggregate = AggregateScores((AggregateScore(metric="w/m", name="m", mean=0.5, count=1),))
    for name, age in days.items():
        created_at = datetime.now(UTC) - timedelta(days=age)
        job = BenchmarkJob(name=name, **OF_BENCHMARK, status="completed", created_at=created_at)
        stored = store.add(job, aggregate, store_rows=None)
        if name == "released":
            store.pin(stored)
    run_in_notebook(block, store)
    assert [job.job for job in store.history(**OF_BENCHMARK)] == ["new", "after", "released"]
    unpinned = ScoreStore(f"{store.root}-unpinned")
    with pytest.raises(SystemExit, match="No job is pinned"):
        run_in_notebook(block, unpinned)
    store.pin(store.get("new", **OF_BENCHMARK))
    run_in_notebook(block, store)
    assert [job.job for job in store.history(**OF_BENCHMARK)] == ["new"]


class Chat(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted to it."""

    texts: list[str]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.texts.append(body["text"])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *arguments: object) -> None:
        pass


def test_notify(documented, dags, service, monkeypatch):
    (block,) = documented
    handler = type("ThisChat", (Chat,), {"texts": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as chat:
        threading.Thread(target=chat.serve_forever, daemon=True).start()
        connection = {"conn_type": "slackwebhook", "password": f"http://127.0.0.1:{chat.server_port}/hook"}
        monkeypatch.setenv("AIRFLOW_CONN_RELEASES", json.dumps(connection))
        run = dags.run(block.code, {"job": run_job(service, "qa-42", BAD)})
        chat.shutdown()
    assert run.state == "failed"
    (text,) = handler.texts
    assert "FAIL" in text
    assert "exact-match" in text
