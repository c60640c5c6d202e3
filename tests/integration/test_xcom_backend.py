"""The example DAG with XComs in object storage, as large deployments keep them."""

from __future__ import annotations

import json

from airflow_provider_benchmarks.testing import EvaluationService
from tests.support.airflow_runs import AirflowHome


def test_scores_and_verdict_go_through_the_object_storage_backend(tmp_path):
    airflow, xcoms = AirflowHome(tmp_path / "airflow"), tmp_path / "xcoms"
    airflow.prepare()
    with EvaluationService() as service:
        service.seed_question_answer_example()
        run = airflow.test_dag(
            "nightly_regression",
            service.url,
            conf={"store": f"file://{tmp_path}/scores"},
            AIRFLOW__CORE__XCOM_BACKEND="airflow.providers.common.io.xcom.backend.XComObjectStorageBackend",
            AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH=f"file://{xcoms}",
            AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD="0",
        )
    assert run.state == "success", run.log[-5000:]
    assert "my-workspace/exact-match: exact-match = 0.6" in run.log  # a task that reads the records back
    kept = [json.loads(path.read_text()) for path in xcoms.rglob("*") if path.is_file()]
    assert any(isinstance(value, dict) and value.get("outcome") == "pass" for value in kept), kept
    assert any(isinstance(value, list) and value[0].get("metric_ref") for value in kept), kept
