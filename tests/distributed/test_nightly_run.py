"""A mapped nightly run on PostgreSQL, CeleryExecutor and Redis, with two workers and two triggerers, of which one dies.

``make test-distributed`` installs what it needs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.store import ScoreStore
from airflow_provider_benchmarks.testing import EvaluationService, Seeder
from tests.distributed.deployment import deployment
from tests.support.airflow_runs import AirflowHome
from tests.support.airflow_services import AirflowServices

WORKSPACE = "my-workspace"
CASES = [f"case-{case:02}" for case in range(20)]
LIMIT = 1800.0
#: PostgreSQL's jsonb takes no NUL.
ROWS = [
    {"input": "a\0b", "reference": "yes", "output": "yes"},
    {"input": "key\0", "reference": "yes", "output": "yes"},
    {"input": "plain", "reference": "yes", "output": "no"},
]


@dataclass(slots=True)
class Night:
    airflow: AirflowServices
    service: EvaluationService
    client: BenchmarkClient
    store: str

    def states(self, task_id: str) -> Counter[str | None]:
        """Number of mapped tasks in each state."""
        path = f"/dags/nightly/dagRuns/~/taskInstances?limit=100&task_display_name_pattern={task_id}"
        tasks: list[dict[str, Any]] = self.airflow.api.get(path)["task_instances"]
        return Counter(task["state"] for task in tasks if task["task_id"] == task_id)

    def wait(self, condition: Any) -> Any:
        return self.airflow.wait(condition, self.what_is, limit=LIMIT)

    def what_is(self) -> str:
        tasks = {task: dict(self.states(task)) for task in ("run", "rows", "gate")}
        logs = [self.airflow.log(name) for name in ("scheduler", "worker-2", "triggerer-2")]
        return "\n".join([str(tasks), f"{len(list(self.client.list_jobs()))} jobs", *logs])


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    home = AirflowHome(tmp_path_factory.mktemp("distributed"), Path(__file__).parent / "dags")
    store = f"file://{tmp_path_factory.mktemp('store')}"
    with EvaluationService() as service:
        seed(service)
        config = ClientConfig(base_url=service.url, workspace=WORKSPACE, trust_env=False)
        with deployment(home, service.url, STORE=store) as airflow, BenchmarkClient(config) as client:
            yield Night(airflow, service, client, store)


def seed(service: EvaluationService) -> None:
    with Seeder(service.url) as seeder:
        seeder.question_answer_example()
        dataset = seeder.dataset(WORKSPACE, "odd", ROWS)
        for case in CASES:
            seeder.benchmark(WORKSPACE, case, metrics=[f"{WORKSPACE}/exact-match"], dataset=dataset)


def test_a_worker_and_a_triggerer_die_in_the_middle(night):
    night.service.hold_jobs("active")
    night.airflow.api.trigger("nightly")
    night.wait(lambda: len(list(night.client.list_jobs())) >= 8)
    night.airflow.kill("worker-1")
    night.wait(lambda: night.states("run")["deferred"] == len(CASES))
    night.airflow.kill("triggerer-1")
    night.service.release_jobs()
    state = night.wait(lambda: night.airflow.api.ended("nightly"))

    assert state == "success", night.what_is()
    assert Counter(job.benchmark for job in night.client.list_jobs()) == dict.fromkeys(
        (f"{WORKSPACE}/{case}" for case in CASES), 1
    )
    for case in CASES:
        (stored,) = ScoreStore(night.store).history(workspace=WORKSPACE, benchmark=f"{WORKSPACE}/{case}")
        assert list(stored.outcomes.values()) == ["pass"]
    assert "out of order" not in night.airflow.whole_log("triggerer-2")
