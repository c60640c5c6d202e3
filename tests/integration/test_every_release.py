"""The clients on the local service as each release: one conversation, whatever the release speaks."""

from __future__ import annotations

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.exceptions import Conflict
from airflow_provider_benchmarks.scores import row_scores_frame
from airflow_provider_benchmarks.testing import EvaluationService, example_spec
from tests.integration.conftest import WORKSPACE, wait_until_finished

NAMES = {"exact-match": "my-workspace/exact-match", "string-check": "my-workspace/string-check"}
PREFIXES = {"0.1": "/apis/evaluation", "0.3": "/apis/evaluator", "0.6": "/apis/evaluator", "0.7": "/apis/evaluator"}


@pytest.mark.parametrize("release", ["0.1", "0.3", "0.6", "0.7", "0.8"])
def test_a_job_is_submitted_polled_and_read(release):
    with EvaluationService(release=release, job_seconds=0.05) as service:
        service.seed_question_answer_example()
        config = ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)
        with BenchmarkClient(config) as client:
            assert client.get_generation().prefix == PREFIXES.get(release, "/apis/evals")
            spec = example_spec(release)
            fields = {"metric_names": NAMES}
            assert client.submit_job(spec, name="job-1", custom_fields=fields).created
            assert not client.submit_job(spec, name="job-1").created
            assert wait_until_finished(client, "job-1").status == "completed"
            scores = client.get_aggregate_scores("job-1")
            assert {score.metric for score in scores.scores} == set(NAMES.values())
            assert scores.get("exact-match").mean == 0.6
            frame = row_scores_frame(client.iter_row_scores("job-1"))
            assert frame["exact-match"].tolist() == [0, 0, 1, 1, 1]
            stored = b"".join(client.open_row_scores("job-1")[0])
            assert b'"my-workspace/exact-match"' in stored
            assert client.get_dataset(client.get_job("job-1"))
            assert client.get_logs("job-1")
            assert [job.name for job in client.list_jobs()] == ["job-1"]
            with pytest.raises(Conflict):
                client.submit_job({**spec, "params": {"limit_samples": 1}}, name="job-1")
            client.delete_job("job-1")
