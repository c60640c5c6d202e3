"""What works without the extras, and what says which one it needs."""

from __future__ import annotations

import json
import sys
from functools import partial

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_benchmarks.__main__ import main
from airflow_provider_benchmarks.benchmarks import Benchmark
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import NoRegression, Threshold, WithinHistory
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.operators._service_source import ServiceSource
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator, GateFailed
from airflow_provider_benchmarks.operators.results import DownloadRowScoresOperator
from airflow_provider_benchmarks.scores import read_row_scores
from airflow_provider_benchmarks.store import Place, RowFormat, ScoreStore, store_rows
from airflow_provider_benchmarks.testing import Fault
from airflow_provider_benchmarks.testing.seed import EXAMPLE_METRICS
from tests.integration.conftest import BENCHMARK, WORKSPACE
from tests.support import gate_jobs
from tests.support.contexts import task_context
from tests.support.gate_jobs import GOOD, ROWS, row

#: Ten rows have no score.
NANS = [*GOOD[:-10], *(row(i, "NaN") for i in range(ROWS - 10, ROWS))]
CALLS = [*GOOD[:-10], *(row(i, "NaN", inference_error="503") for i in range(ROWS - 10, ROWS))]
TOLD = 'The rows of benchmark job "{}" are not looked at, as pyarrow is not installed'


@pytest.fixture
def run_job(service):
    return partial(gate_jobs.run_job, service)


@pytest.fixture
def uninstall(monkeypatch):
    def hide(*modules):
        for module in modules:
            monkeypatch.setitem(sys.modules, module, None)

    return hide


def gate(*checks, **arguments):
    operator = BenchmarkGateOperator(**{"task_id": "gate", "checks": checks, **arguments})
    return operator.execute(task_context())


class TestThresholdsWithoutPyarrow:
    """Rows would tell failed calls from rows without a value; without them, each is taken for both."""

    @pytest.fixture(autouse=True)
    def without(self, uninstall):
        uninstall("pyarrow")

    def test_a_job_whose_rows_all_have_a_value_is_judged_as_ever(self, run_job, caplog):
        assert gate(Threshold("m", at_least=0.5), job_name=run_job("whole"))["outcome"] == "pass"
        assert "pyarrow" not in caplog.text

    @pytest.mark.parametrize("rows", [NANS, CALLS])
    def test_rows_without_a_value_miss(self, run_job, caplog, rows):
        with pytest.raises(GateFailed, match=r"10 of 120 rows have no value \(8.3%\), at most 0.0% may be missing"):
            gate(Threshold("m", at_least=0.5), job_name=run_job("gaps", rows))
        assert TOLD.format("gaps") in caplog.text

    @pytest.mark.parametrize("rows", [NANS, CALLS])
    def test_both_limits_must_hold(self, run_job, rows):
        run_job("gaps", rows)
        unknown = (
            r"it is not known, without airflow-provider-benchmarks\[parquet\], whether the call of the model "
            r"failed for 10 of 120 rows \(8.3%\), at most 0.0% may fail"
        )
        with pytest.raises(GateFailed, match=unknown):
            gate(Threshold("m", at_least=0.5, max_nan_fraction=0.1), job_name="gaps")
        with pytest.raises(GateFailed, match="10 of 120 rows have no value"):
            gate(Threshold("m", at_least=0.5, max_error_rate=0.1), job_name="gaps")
        verdict = gate(Threshold("m", at_least=0.5, max_nan_fraction=0.1, max_error_rate=0.1), job_name="gaps")
        assert verdict["outcome"] == "pass"

    @pytest.mark.parametrize(("statistic", "bar"), [("nan_count", 10), ("nan_fraction", 0.1)])
    def test_how_many_have_none_is_known(self, run_job, statistic, bar):
        check = Threshold("m", statistic=statistic, at_most=bar)
        assert gate(check, job_name=run_job("counted", NANS))["outcome"] == "pass"

    def test_a_job_without_rows_has_none_that_could_tell(self, run_job, service, caplog):
        run_job("no-rows", NANS)
        body = json.dumps({"data": [], "object": "list"}).encode()
        service.inject(Fault.malformed(body).on("GET", "*/no-rows/results"))
        assert gate(Threshold("m", at_least=0.5, max_nan_fraction=0.1), job_name="no-rows")["outcome"] == "pass"
        assert "pyarrow" not in caplog.text


@pytest.mark.parametrize(("rows", "outcome"), [(GOOD, "pass"), (NANS, "fail")])
def test_a_stored_job_that_the_service_has_purged(service, run_job, uninstall, tmp_path, caplog, rows, outcome):
    store = ScoreStore(str(tmp_path / "store"))
    gate(Threshold("m", at_least=0.1), job_name=run_job("purged", rows), store=store.root, on_failure="continue")
    with gate_jobs.client_of(service) as client:
        client.delete_job("purged")
    uninstall("pyarrow")
    check = Threshold("m", at_least=0.5, max_nan_fraction=0.1)
    verdict = gate(check, job_name="purged", store=store.root, on_failure="continue")
    assert verdict["outcome"] == outcome
    assert (TOLD.format("purged") in caplog.text) is (outcome == "fail")


@pytest.mark.parametrize(
    ("check", "absent", "told"),
    [
        (NoRegression("m"), ["pyarrow"], r"need pyarrow: install airflow-provider-benchmarks\[parquet\]"),
        (NoRegression("m"), ["xxhash"], r"need xxhash: install airflow-provider-benchmarks\[parquet\]"),
        (NoRegression("m"), ["scipy"], r"need scipy: install airflow-provider-benchmarks\[stats\]"),
        (
            NoRegression("m"),
            ["scipy", "pyarrow"],
            r"need scipy and pyarrow: install airflow-provider-benchmarks\[stats,parquet\]",
        ),
        (Threshold("m", at_least=0, by="category"), ["pyarrow"], r"\[parquet\]"),
        (Threshold("m", at_least=0, where={"level": 1}), ["pyarrow"], r"\[parquet\]"),
        (Threshold("m", at_least=0, statistic="p95"), ["pyarrow"], r"\[parquet\]"),
        (Threshold("m", at_least=0, confidence=0.9), ["scipy"], r"\[stats\]"),
    ],
)
def test_a_gate_says_what_it_lacks_when_the_dag_is_parsed(uninstall, tmp_path, check, absent, told):
    uninstall(*absent)
    (tmp_path / "policy.json").write_text(json.dumps({"checks": [{"type": check.kind, **check.to_dict()}]}))
    for where in ({"checks": [check]}, {"policy": str(tmp_path / "policy.json")}):
        with pytest.raises(ConfigurationError, match=f'gate "gate": its checks .*{told}'):
            BenchmarkGateOperator(task_id="gate", job_name="j", baseline="old", **where)


def test_what_a_template_names_is_checked_when_the_task_runs(service, uninstall, tmp_path):
    (tmp_path / "policy.json").write_text('{"checks": [{"metric": "m", "at_least": 0, "by": "category"}]}')
    operator = BenchmarkGateOperator(task_id="gate", job_name="j", policy="{{ params.policy }}")
    uninstall("pyarrow")
    operator.render_template_fields({"params": {"policy": str(tmp_path / "policy.json")}})
    with pytest.raises(ConfigurationError, match=r"need pyarrow: .*\[parquet\]"):
        operator.execute(task_context())


def test_checks_that_need_nothing_more(uninstall):
    uninstall("scipy", "pyarrow", "xxhash")
    with DAG("d", schedule=None):
        checks = [Threshold("m", at_least=0), Threshold("m", statistic="p90", at_least=0), WithinHistory("m")]
        BenchmarkGateOperator(task_id="gate", job_name="j", checks=checks, store="/tmp/scores")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"compression": "zstd"}, r'row scores as JSONL with compression="zstd" need pyarrow: .*\[parquet\]'),
        ({"format": "parquet"}, r"Parquet and CSV files of row scores need pyarrow: .*\[parquet\]"),
        ({"format": "csv"}, r"Parquet and CSV files of row scores need pyarrow: .*\[parquet\]"),
    ],
)
def test_a_download_says_what_it_lacks(service, run_job, monkeypatch, uninstall, tmp_path, arguments, told):
    monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", service.connection_json())
    run_job("job-1")
    uninstall("pyarrow")
    place = str(tmp_path / "rows")
    with pytest.raises(ConfigurationError, match=f'task "rows": {told}'):
        DownloadRowScoresOperator(task_id="rows", job_name="job-1", destination=place, **arguments)
    with pytest.raises(ConfigurationError, match=told):
        BenchmarkHook().download_row_scores("job-1", place, **arguments)
    for compression in (None, "gzip"):
        DownloadRowScoresOperator(task_id="rows", job_name="j", destination=place, compression=compression)


@pytest.mark.parametrize("compression", [None, "zstd"])
def test_reading_says_what_it_lacks(uninstall, tmp_path, compression):
    lines = [json.dumps(each).encode() + b"\n" for each in GOOD]
    row_format = RowFormat(name="jsonl" if compression else "parquet", compression=compression)
    path = str(tmp_path / "rows")
    store_rows(lines, Place(path), row_format=row_format)
    uninstall("pyarrow")
    with pytest.raises(ConfigurationError, match=r"need pyarrow: install airflow-provider-benchmarks\[parquet\]"):
        read_row_scores(path)
    with pytest.raises(ConfigurationError, match=r"need pyarrow: install airflow-provider-benchmarks\[parquet\]"):
        store_rows(lines, Place(path), row_format=row_format)


class TestCommand:
    @pytest.fixture
    def judge(self, tmp_path):
        """Judge stored scores, of which ten of 120 are NaN, in a shell."""
        score = {"name": "accuracy", "count": ROWS - 10, "nan_count": 10, "mean": 0.8}
        aggregate = {"results": [{"metric": "my-workspace/m", "scores": [score]}]}
        (tmp_path / "aggregate-scores.json").write_text(json.dumps(aggregate))
        lines = [json.dumps(each).encode() + b"\n" for each in NANS]
        store_rows(lines, Place(str(tmp_path / "row-scores.parquet")), row_format=RowFormat(name="parquet"))

        def run(*checks):
            (tmp_path / "policy.json").write_text(json.dumps({"checks": checks}))
            return main(["gate", f"--policy={tmp_path / 'policy.json'}", f"--candidate={tmp_path}"])

        return run

    def test_a_plain_threshold(self, judge, uninstall, caplog):
        check = {"metric": "m", "at_least": 0.5, "max_nan_fraction": 0.1}
        assert judge(check) == 0
        uninstall("pyarrow")
        assert judge(check) == 1
        assert judge({**check, "max_error_rate": 0.1}) == 0
        assert "as pyarrow is not installed" in caplog.text

    @pytest.mark.parametrize(
        ("check", "absent", "told"),
        [
            ({"at_least": 0.5, "by": "category"}, "pyarrow", r"they need pyarrow: install .*[parquet]"),
            ({"at_least": 0.5, "confidence": 0.9}, "scipy", r"need scipy: install .*[stats]"),
        ],
    )
    def test_what_can_not_be_judged_without(self, judge, uninstall, capsys, check, absent, told):
        uninstall(absent)
        assert judge({"metric": "m", **check}) == 2
        shown = capsys.readouterr().err
        assert shown.startswith("could not judge: ")
        assert all(part in shown for part in told.split(".*"))


def test_without_pyarrow_it_is_known_which_version_of_the_benchmark_a_job_has_run(service, uninstall):
    metrics = {f"{WORKSPACE}/{name}": body for name, body in EXAMPLE_METRICS.items()}
    benchmark = Benchmark(BENCHMARK, dataset=f"{WORKSPACE}/qa", metrics=metrics)
    run_job = partial(gate_jobs.run_job, service)
    run_job("stored", NANS)
    hook = BenchmarkHook()
    hook.submit_job(benchmark=benchmark, name="gaps")
    hook.wait_for_job("gaps", poll_interval=0.05)
    uninstall("pyarrow")
    with ServiceSource("gate", hook, None, [Threshold("m", at_least=0.5)], "gaps", None) as source:
        scores = source.candidate().scores
    assert scores.rows_unread
    assert scores.content == benchmark.content
