"""The walk of "Moving to a newer release" in docs/compatibility.md, from the real 0.1.0 to the real 0.8.1.

``make test-move`` runs it, which installs both.
"""

from __future__ import annotations

import pytest

from airflow_provider_benchmarks.store import ScoreStore
from airflow_provider_benchmarks.testing import Seeder
from tests.support.airflow_runs import AirflowHome, RunOutcome
from tests.support.real_platform import RealPlatform

OLD, NEW = "0.1", "0.8"
EXACT = "my-workspace/exact-match"
INLINE = {"AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "False"}
pytestmark = pytest.mark.real_platform


def comparison(run: RunOutcome) -> dict[str, object]:
    """What the gate found of the exact matches that it compared with the baseline."""
    (found,) = [result for result in run.xcoms["gate", "verdict"]["results"] if result["statistic"] == "difference"]
    return {key: found[key] for key in ("metric", "observed", "count")}


def test_the_old_baseline_gates_after_the_move(tmp_path) -> None:
    airflow, store = AirflowHome(tmp_path / "airflow"), ScoreStore(f"file://{tmp_path}/scores")
    airflow.prepare()
    conf = {"store": store.root}

    with RealPlatform(release=OLD) as platform:
        with Seeder(platform.url, release=OLD) as seeder:
            seeder.question_answer_example()
        before = airflow.test_dag("nightly_regression", platform.url, conf=conf, **INLINE)
    assert before.state == "success", before.log
    old = before.xcoms["run_benchmark", "return_value"]
    store.pin(store.get(old, workspace="my-workspace", benchmark="my-workspace/qa-bench"))

    with RealPlatform(release=NEW) as platform:
        with Seeder(platform.url, release=NEW) as seeder:
            seeder.question_answer_example()
        nightly = airflow.test_dag("nightly_regression", platform.url, conf=conf, **INLINE)
        release = airflow.test_dag("model_release_gate", platform.url, conf=conf, **INLINE)

    assert nightly.state == "success", nightly.log
    same = {"metric": EXACT, "observed": 0.0, "count": 5}
    for run in (nightly, release):  # with the last that passed, and with the pinned one
        verdict = run.xcoms["gate", "verdict"]
        assert verdict["baseline"] == old, run.log
        assert comparison(run) == same
    stored = store.history(workspace="my-workspace", benchmark="my-workspace/qa-bench")
    assert len(stored) == 3
    assert {score.metric for job in stored for score in job.aggregate.scores} == {EXACT, "my-workspace/string-check"}
