from __future__ import annotations

pytest_plugins = ["pytester"]


def test_the_fixture_points_the_default_connection_at_a_fresh_service(pytester, pytestconfig, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    pytester.makeconftest('pytest_plugins = ["airflow_provider_benchmarks.testing.fixtures"]')
    pytester.makepyfile(
        """
        import json, os
        import httpx

        def test_one(evaluation_service):
            connection = json.loads(os.environ["AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT"])
            assert connection == {
                "conn_type": "nemo_evaluator",
                "host": evaluation_service.url,
                "extra": {"workspace": "my-workspace"},
            }
            path = "/apis/evaluation/v2/workspaces/my-workspace/benchmarks/qa-bench"
            assert httpx.get(connection["host"] + path, trust_env=False).status_code == 200

        def test_two():
            assert "AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT" not in os.environ
        """
    )
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)
