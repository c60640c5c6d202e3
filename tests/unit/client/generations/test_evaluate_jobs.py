"""What the adapter of the later releases makes of their recorded answers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_benchmarks.client import GENERATIONS, ClientConfig
from airflow_provider_benchmarks.jobs import BenchmarkJob, LogSummary, RowCounts, failure_reason, progress_line
from airflow_provider_benchmarks.scores.metric_names import MetricNames
from tests.conftest import RECORDED

NEWEST = GENERATIONS["evaluate-jobs"]
EARLIER, LATER = ClientConfig(base_url="http://evaluator.invalid", api="evaluate-jobs").generations


def content(release: str, number: int) -> bytes:
    (path,) = (Path(RECORDED) / release).glob(f"{number:03d}-*")
    return path.read_bytes()


def answer(release: str, number: int) -> Any:
    return json.loads(content(release, number))


def job(release: str, number: int, **fields: Any) -> BenchmarkJob:
    return NEWEST.read_job({**answer(release, number), **fields}, workspace="my-workspace")


class TestPaths:
    def test_they_begin_with_the_name_of_the_release_s_service(self):
        assert EARLIER.jobs_path("ws") == "/apis/evaluator/v2/workspaces/ws/evaluate/jobs"
        assert LATER.jobs_path("ws") == "/apis/evals/v2/workspaces/ws/evaluate/jobs"
        assert LATER is NEWEST

    def test_below_a_job_they_are_those_of_every_generation(self):
        assert NEWEST.status_path("ws", "a/b") == "/apis/evals/v2/workspaces/ws/evaluate/jobs/a%2Fb/status"
        assert NEWEST.result_path("ws", "a", "row-scores").endswith("/evaluate/jobs/a/results/row-scores/download")

    def test_of_the_stored_scores(self):
        assert EARLIER.stored_scores_path("ws", "a") == "/apis/evaluator/v2/workspaces/ws/eval-results/a"

    @pytest.mark.parametrize(
        ("release", "earlier", "later"),
        [
            ((0, 1), False, False),
            ((0, 2), True, False),
            ((0, 7), True, False),
            ((0, 8), False, True),
            ((1, 0), False, True),
        ],
    )
    def test_releases_that_speak_it(self, release, earlier, later):
        assert (EARLIER.speaks(release), LATER.speaks(release)) == (earlier, later)


class TestJobs:
    def test_a_job(self):
        found = job("0.8.1", 21)
        assert (found.name, found.id, found.status) == ("run-1", "platform-job-Ek7MF64mSGvmffc1UXJyJA", "completed")
        assert found.dataset == "my-workspace/qa"
        assert found.custom_fields == {"dag": "d", "n": 1, "_nemo_telemetry": {"plugins": ["evals"]}}
        assert found.benchmark.startswith("my-workspace/qa~exact-match~string-check~")  # nobody has named one

    def test_its_benchmark_is_the_one_that_its_submitter_has_named(self):
        assert job("0.8.1", 21, custom_fields={"benchmark": "ws/qa-bench"}).benchmark == "ws/qa-bench"
        assert "~" in job("0.8.1", 21, custom_fields={"benchmark": 5}).benchmark

    def test_one_that_nobody_has_named_has_the_name_of_its_spec(self):
        found = job("0.8.1", 21)
        spec = json.loads(json.dumps(found.spec))
        assert job("0.8.1", 21, name="other", spec={**spec, "params": {"parallelism": 8}}).benchmark == found.benchmark
        mapped = {"field_mapping": {"reference": "answer"}}
        for changed in ({"dataset": "ws/other"}, {"dataset": [{"a": 1}]}, {"metrics": spec["metrics"][:1]}, mapped):
            assert job("0.8.1", 21, spec={**spec, **changed}).benchmark != found.benchmark
        spec["metrics"][0]["payload"]["metric"]["candidate"] = "{{item.other}}"
        assert job("0.8.1", 21, spec=spec).benchmark != found.benchmark
        long = [{"metric_type": f"type-{n}"} for n in range(50)]
        assert len(job("0.8.1", 21, spec={**spec, "metrics": long}).benchmark) < 120
        assert job("0.8.1", 21, spec=None).benchmark == ""

    @pytest.mark.parametrize(
        "spec", [{"benchmark": {"inline": 1}}, {"metrics": []}, {"metrics": {"a": 1}}, {"benchmark": "x"}]
    )
    def test_a_spec_without_a_list_of_metrics_has_a_name_of_what_there_is(self, spec):
        found = job("0.8.1", 21, spec={**spec, "dataset": "my-workspace/qa", "params": {"parallelism": 1}})
        assert re.fullmatch("my-workspace/qa~[0-9a-f]{8}", found.benchmark)
        again = {**spec, "dataset": "my-workspace/qa", "params": {"parallelism": 2}}
        assert job("0.8.1", 21, spec=again).benchmark == found.benchmark
        assert job("0.8.1", 21, spec={**again, "more": 1}).benchmark != found.benchmark
        assert job("0.8.1", 21, spec={"benchmark": "ws/qa-bench"}).benchmark == "ws/qa-bench"

    def test_a_benchmark_that_is_no_text_is_no_matter_beside_metrics(self):
        found = job("0.8.1", 21)
        assert job("0.8.1", 21, spec={**found.spec, "benchmark": {"a": 1}}).benchmark == found.benchmark

    def test_rows_of_the_spec_are_a_dataset_by_their_content(self):
        found = job("0.8.1", 68)
        assert found.dataset.startswith("2 rows, sha256 ")
        spec = found.spec
        same, other = ({**spec, "dataset": rows} for rows in (list(spec["dataset"]), spec["dataset"][::-1]))
        assert job("0.8.1", 68, spec=same).dataset == found.dataset != job("0.8.1", 68, spec=other).dataset

    def test_rows_that_were_evaluated_are_its_progress(self):
        found = job("0.8.1", 20)
        assert (found.progress, found.samples_processed) == (100.0, 5)
        assert found.row_counts == RowCounts(
            total=5, scored=5, errored=0, message="5 of 5 rows scored; 0 reported errors."
        )
        assert job("0.6.0", 44).row_counts is None

    def test_rows_with_errors_are_shown(self):
        counts = {"unit": "rows", "total": 10, "scored": 3, "errored": 2}
        found = job("0.8.1", 20, status="active", status_details={"evaluation": counts})
        assert progress_line(found) == "active, 50 %, 5 of 10 samples, 2 rows with errors"

    @pytest.mark.parametrize(
        "counts", [{"unit": "tokens", "total": 10, "scored": 3}, {"total": "x"}, {"scored": -2, "total": 1}, 5, None]
    )
    def test_counts_that_are_none(self, counts):
        assert job("0.8.1", 20, status_details={"evaluation": counts}).progress is None

    def test_what_the_service_says_of_the_rows_is_the_reason_of_a_failure(self):
        assert failure_reason(job("0.8.1", 64)).startswith("No usable scores across 2 rows")


class TestNames:
    SPLIT = NEWEST.metric_names(job("0.8.1", 21))

    def test_metrics_are_named_by_their_type(self):
        scores = NEWEST.read_aggregate_scores(answer("0.8.1", 24), self.SPLIT)
        assert [(score.metric, score.name) for score in scores.scores] == [
            ("exact-match", "exact-match"),
            ("string-check", "string-check"),
        ]
        assert scores.get("exact-match").mean == 0.6

    def test_the_second_of_a_type_has_a_number(self):
        bundle = job("0.8.1", 21).spec["metrics"][0]
        names = NEWEST.metric_names(job("0.8.1", 21, spec={"metrics": [bundle, bundle]}))
        assert list(names.scores) == ["exact-match", "exact-match_2"]
        scores = NEWEST.read_aggregate_scores(answer("0.8.1", 58), names)
        assert [score.metric for score in scores.scores] == ["exact-match", "exact-match_2", "number-check"]

    def test_names_that_the_submitter_has_kept(self):
        kept = {"exact-match": "ws/exact", "string-check": "ws/string"}
        assert NEWEST.metric_names(job("0.8.1", 21, custom_fields={"metric_names": kept})).references == kept

    @pytest.mark.parametrize("kept", [5, ["a"], {"exact-match": 5}, {"a": "ws/a", "b": "ws/a"}, {"a": ""}])
    def test_names_that_can_not_be_used_are_left_out(self, kept, caplog):
        names = NEWEST.metric_names(job("0.8.1", 21, custom_fields={"metric_names": kept}))
        assert names.references == {}
        assert 'its field "metric_names" is not used' in caplog.text

    @pytest.mark.parametrize("spec", [{}, {"metrics": 5}, {"metrics": ["ws/m", {"metric_type": 5}]}])
    def test_a_spec_that_does_not_say(self, spec):
        assert NEWEST.metric_names(job("0.8.1", 21, spec=spec)) == MetricNames()


class TestScores:
    def test_statistics_that_later_releases_have(self):
        score = NEWEST.read_aggregate_scores(answer("0.8.1", 24), MetricNames()).get("exact-match")
        assert (score.median, score.sample_std_dev, score.sample_variance) == (
            1.0,
            pytest.approx(0.5477225575),
            pytest.approx(0.3),
        )
        assert score.to_record()["median"] == 1.0

    def test_those_of_an_earlier_release_have_none(self):
        record = NEWEST.read_aggregate_scores(answer("0.3.0", 10), MetricNames()).get("exact-match").to_record()
        assert (record["mean"], record["std_dev"], "median" in record) == (0.6, pytest.approx(0.48989794), False)

    @pytest.mark.parametrize(("release", "number"), [("0.6.0", 46), ("0.8.1", 66)])
    def test_nothing_scored(self, release, number):
        scores = NEWEST.read_aggregate_scores(answer(release, number), MetricNames())
        assert (scores.get("number-check").count, scores.get("number-check").nan_count) == (0, 2)
        assert not scores.has_values

    def test_the_dataset_of_the_stored_scores(self):
        assert NEWEST.read_stored_dataset(answer("0.8.1", 37)) == "my-workspace/qa"
        assert NEWEST.read_stored_dataset(answer("0.8.1", 69)) == ""


class TestLogs:
    def lines(self, release: str, number: int) -> list[Any]:
        return NEWEST.read_log_page(answer(release, number))[0]

    def test_colours_are_removed(self):
        lines = self.lines("0.8.1", 76)
        assert not any("\x1b" in f"{line}" for line in lines)
        failed = next(line for line in lines if line.level == "error")
        assert failed.message == "Benchmark streaming pipeline failed"
        assert failed.fields["root_error_type"] == "EvaluationError"
        assert failed.root_error.startswith("Evaluation failed during metric scoring for metric 'exact-match' on row 0")
        assert failed.at.startswith("2026-11-27T22:14:37")

    def test_a_traceback_gets_its_lines_back(self):
        texts = [line.message for line in self.lines("0.7.3", 41)]
        begin = texts.index("Traceback (most recent call last):")
        assert texts[begin + 1].startswith(
            '  File "/opt/evaluator/lib/python3.12/site-packages/nemo_helix_plugin/tasks'
        )
        assert texts[begin + 1].endswith('/dispatcher.py", line 121, in run_task_with_async_client')
        assert texts[begin + 2] == "    result = job.run(config, ctx=ctx, async_client=async_client)"
        assert texts[-2:] == [
            "    raise NemoTransportError(exc) from exc",
            "nemo_helix_plugin.client.errors.NemoTransportError",
        ]
        assert not any("^^" in text for text in texts)

    def test_a_chain_of_exceptions_gets_its_lines_back(self):
        texts = [line.message for line in self.lines("0.8.1", 76)]
        assert texts.count("Traceback (most recent call last):") == 3
        assert texts.count("The above exception was the direct cause of the following exception:") == 2
        assert "jinja2.exceptions.UndefinedError: 'dict object' has no attribute 'nope'" in texts
        assert "    raise self._undefined_exception(self._undefined_message)" in texts
        assert texts[-1].startswith("nhx_evals_sdk.execution.values.EvaluationError: Evaluation failed during")

    @pytest.mark.parametrize(
        ("release", "status", "log", "reason"),
        [
            ("0.8.1", 74, 76, "Evaluation failed during metric scoring for metric 'exact-match' on row 0"),
            ("0.7.3", 23, 41, "nemo_helix_plugin.client.errors.NemoTransportError"),
        ],
    )
    def test_the_reason_of_a_failure_is_found(self, release, status, log, reason):
        assert failure_reason(job(release, status), LogSummary(self.lines(release, log))).startswith(reason)

    def test_a_line_of_an_exception_is_an_error(self):
        entry = {"message": "[stderr] nemo.values.EvaluationError: Evaluation failed on row 0"}
        (line,) = NEWEST.read_log_lines(entry)
        assert (line.level, line.error) == ("error", "nemo.values.EvaluationError: Evaluation failed on row 0")

    @pytest.mark.parametrize(
        "text",
        ["plain", "Traceback (most recent call last):", "\x1b[1mbold\x1b[0m only", "File without a place", "a: Error"],
    )
    def test_other_lines_stay_as_they_are(self, text):
        (line,) = NEWEST.read_log_lines({"message": text})
        assert line.message == text.replace("\x1b[1m", "").replace("\x1b[0m", "")
        assert line.error == ""

    def test_an_operator_in_the_code_is_no_mark(self):
        text = (
            'Traceback (most recent call last):   File "a.py", line 1, in f     return a ^ b            ~~^~~ E.XError'
        )
        lines = [line.message for line in NEWEST.read_log_lines({"message": text})]
        assert lines[-2:] == ["    return a ^ b", "E.XError"]

    @pytest.mark.parametrize(
        "text",
        [
            "Traceback (most recent call last):" + " " * 200_000,
            'Traceback (most recent call last): File "a", line 1, in f' + " " * 200_000 + "x",
            "Traceback (most recent call last): " + "a." * 100_000,
            "\x1b[2mnow\x1b[0m [error] \x1b[1m" + " " * 200_000,
            "a." * 100_000,
        ],
    )
    def test_long_lines_are_read_in_no_time(self, text):
        assert NEWEST.read_log_lines({"message": text})

    def test_the_last_lines_can_be_asked_for(self):
        assert NEWEST.log_params(limit=1000, cursor=None, tail=50) == {"tail": 50}
        assert NEWEST.log_params(limit=1000, cursor="x", tail=50) == {"limit": 1000, "page_cursor": "x"}
        assert NEWEST.log_params(limit=1000, cursor=None, tail=5000) == {"limit": 1000}
        assert GENERATIONS["benchmark-jobs"].log_params(limit=1000, cursor=None, tail=50) == {"limit": 1000}


@pytest.mark.parametrize(
    ("release", "number", "taken"), [("0.8.1", 13, True), ("0.3.0", 2, True), ("0.7.3", 53, True), ("0.7.3", 17, False)]
)
def test_conflicts_that_are_about_the_name(release, number, taken):
    assert NEWEST.is_name_taken(NEWEST.detail_of(content(release, number))) is taken


@pytest.mark.parametrize(
    ("release", "number", "unknown"),
    [("0.8.1", 128, True), ("0.3.0", 31, True), ("0.8.1", 120, False), ("0.8.1", 121, False), ("0.3.0", 29, False)],
)
def test_a_path_that_the_service_does_not_have(release, number, unknown):
    assert NEWEST.is_unknown_path(content(release, number)) is unknown
