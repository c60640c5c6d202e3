"""What a trigger has asked Airflow goes on to its end, or before Airflow 3.2 the triggerer dies with all its triggers.

``make test-airflow VERSION=3.0.6`` runs this on such an Airflow.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_2_PLUS

import tests.support
from airflow_provider_benchmarks.testing import EvaluationService
from tests.crashes.conftest import WORKSPACE, Crashes, started

SLOW_TRIGGERER = Path(tests.support.__file__).with_name("slow_triggerer.py")
CASES = ["unanswered", "bystander", "slow-lookup"]
pytestmark = pytest.mark.skipif(
    AIRFLOW_V_3_2_PLUS or not AIRFLOW_V_3_0_PLUS,
    reason="newer triggerers drop answers of which nobody knows, and older ones ask no supervisor",
)


@pytest.fixture
def crashes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashes]:
    """An Airflow with a slow triggerer that runs the trigger of a bystander."""
    with EvaluationService() as service:
        for found in started(tmp_path_factory.mktemp("slow"), service, CASES):
            service.hold_jobs("active")
            found.airflow.api.add_connection("in_database", host=service.url)
            found.airflow.kill("triggerer")
            found.airflow.start("triggerer", program=(sys.executable, "-P", str(SLOW_TRIGGERER)))
            found.airflow.api.trigger("bystander")
            yield found


def lives_and_goes_on(crashes: Crashes, bystander: str) -> None:
    crashes.service.finish_job(WORKSPACE, bystander, "completed")
    crashes.succeeds("bystander")
    assert "out of order" not in crashes.airflow.whole_log("triggerer")


def test_an_answer_to_the_question_whether_a_task_was_ended_comes_too_late(crashes):
    bystander = crashes.deferred("bystander")
    crashes.airflow.api.trigger("unanswered")
    name = crashes.deferred("unanswered")

    crashes.airflow.api.mark("unanswered", "run", "failed")
    crashes.wait(
        lambda: "can't be known" in crashes.airflow.task_logs("unanswered") + crashes.airflow.whole_log("triggerer"),
        "unanswered",
    )
    lives_and_goes_on(crashes, bystander)

    assert crashes.client.get_job(name).status == "active"


def test_tasks_are_ended_while_their_triggers_look_up_the_connection(crashes):
    bystander = crashes.deferred("bystander")
    crashes.airflow.api.trigger("slow-lookup")
    crashes.wait(lambda: crashes.airflow.task_logs("slow-lookup").count(" starting") >= 4, "slow-lookup")

    crashes.airflow.api.mark_run("slow-lookup", "failed")
    crashes.wait(lambda: "trigger completed" in crashes.airflow.task_logs("slow-lookup"), "slow-lookup")
    lives_and_goes_on(crashes, bystander)
