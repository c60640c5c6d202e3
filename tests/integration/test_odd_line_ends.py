"""What stands around the rows of the service's file makes no difference, however and on whatever release it is read."""

from __future__ import annotations

import json

import pytest

from airflow_provider_benchmarks.exceptions import IncompleteResults
from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
from airflow_provider_benchmarks.operators.results import DownloadRowScoresOperator
from airflow_provider_benchmarks.scores import read_row_scores
from airflow_provider_benchmarks.testing import EvaluationService, example_spec
from tests.support.contexts import task_context

BOM = b"\xef\xbb\xbf"
ROWS = [
    json.dumps(
        {
            "row_index": place,
            "item": {"q": f"q{place}"},
            "sample": {},
            "metrics": {"my-workspace/m": [{"name": "m", "value": float(place % 2)}]},
            "requests": [],
        }
    ).encode()
    for place in range(6)
]
FILES = {
    "a byte order mark": BOM + b"\n".join(ROWS),
    "a byte order mark among the rows": b"\n".join(ROWS[:3]) + b"\n" + BOM + b"\n".join(ROWS[3:]),
    "bare CR": b"\r".join(ROWS) + b"\r",
    "bare CR after a byte order mark": BOM + b"\r".join(ROWS),
    "CR within rows": b"\n".join(row.replace(b', "item"', b',\r"item"') for row in ROWS),
    "all kinds of ends": ROWS[0] + b"\r" + ROWS[1] + b"\n" + ROWS[2] + b"\r\n" + b"\r".join(ROWS[3:]),
}


@pytest.fixture(params=["0.1", "0.8"])
def hook(request, monkeypatch):
    with EvaluationService(release=request.param, job_seconds=0.05) as service:
        service.seed_question_answer_example()
        monkeypatch.setenv("AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT", service.connection_json())
        hook = BenchmarkHook()

        def run(content: bytes) -> BenchmarkHook:
            score = {"name": "m", "count": 6, "nan_count": 0, "mean": 0.5, "std_dev": 0.5, "min": 0.0, "max": 1.0}
            of_release = {
                "0.1": {"results": [{"metric": "my-workspace/m", "scores": [score]}]},
                "0.8": {"scores": [{**score, "name": "m.m", "score_type": "range"}]},
            }
            service.give_results(None, aggregate=of_release[request.param], rows=content)
            hook.submit_job(example_spec(request.param), name="job-1")
            hook.wait_for_job("job-1", poll_interval=0.05, timeout=60)
            return hook

        yield run


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_each_way_to_the_rows_gives_the_same(hook, tmp_path, content):
    hook = hook(content)
    for limit in (None, 4):
        rows = list(hook.iter_row_scores("job-1", limit=limit))
        assert [(row.row_index, row.item["q"]) for row in rows] == [(i, f"q{i}") for i in range(6)][:limit]
        for form in ("jsonl", "parquet", "csv"):
            stored = hook.download_row_scores("job-1", str(tmp_path / f"rows.{form}"), format=form, limit=limit)
            frame = read_row_scores(stored.path)
            assert stored.rows == len(frame) == len(rows)
            assert frame["q"].tolist() == [row.item["q"] for row in rows]
    pushed = DownloadRowScoresOperator(task_id="rows", job_name="job-1").execute(task_context())
    assert [row["item"]["q"] for row in pushed] == [f"q{i}" for i in range(6)]


def test_a_file_that_is_damaged_is_so_for_each(hook, tmp_path):
    hook = hook(b"\n".join([*ROWS[:3], ROWS[3][:20], *ROWS[4:]]))
    with pytest.raises(IncompleteResults, match="4"):
        list(hook.iter_row_scores("job-1"))
    with pytest.raises(IncompleteResults, match="4"):
        hook.download_row_scores("job-1", str(tmp_path / "rows.jsonl"))
