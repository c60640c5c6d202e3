"""Hundreds of jobs through a whole Airflow, with odd answers of every kind, while workers and triggerers die.

``make soak`` installs what it needs, prints the figures, and keeps them in ``.build/soak.txt``.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.store import ScoreStore
from airflow_provider_benchmarks.testing import EvaluationService, Seeder
from tests.distributed.deployment import deployment, start_triggerer, start_worker
from tests.soak.faults import FAULTS
from tests.soak.faulty_proxy import FaultyProxy
from tests.soak.resources import Resources
from tests.support.airflow_runs import REPOSITORY, AirflowHome, connection
from tests.support.airflow_services import AirflowServices, wait_for
from tests.support.s3_server import BUCKET, S3Server

JOBS = int(os.environ.get("JOBS", "500"))
MINUTES = float(os.environ.get("MINUTES", "15"))
SEED = int(os.environ.get("SEED", "1"))
CASES = 20
RUNS = max(JOBS // CASES, 1)
SHARE = 0.05
#: Rows of a job; of ``case-07`` 7 in 20 are right.
ROWS = 400
JOB_SECONDS = 10.0
KILL_SECONDS = 60.0
SAMPLE_SECONDS = 5.0
LIMIT = 4 * 3600.0
#: Of the triggerer that lives through it: its memory at the end, as a multiple of what it had after the first part of
#: the time, and how many more sockets. Beside other work more jobs wait at a time, and take some more memory; what a
#: thousand jobs leave behind, benchmarks/trigger_memory.py measures.
MORE_MEMORY, MORE_SOCKETS = 1.25, 10
#: The default of 60 s would let each answer that hangs take minutes, and the faults would be few.
TIMEOUT = 4
WORKSPACE = "my-workspace"

pytestmark = pytest.mark.timeout(LIMIT + 3600)


@dataclass(slots=True)
class Soak:
    """What runs, and what was counted meanwhile."""

    airflow: AirflowServices
    service: EvaluationService
    proxy: FaultyProxy
    s3: S3Server
    triggerer: Resources = field(default_factory=Resources)
    kills: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    #: By task, run and map index.
    states: dict[tuple[str, str, int], str] = field(default_factory=dict)
    tries: int = 0

    def query(self, statement: str) -> list[Any]:
        engine = create_engine(self.airflow.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
        try:
            with engine.connect() as database:
                return list(database.execute(text(statement)))
        finally:
            engine.dispose()

    def ended_runs(self) -> int:
        return int(self.query("select count(*) from dag_run where state in ('success', 'failed')")[0][0])

    def what_is(self) -> str:
        states = self.query("select task_id, state, count(*) from task_instance group by 1, 2 order by 1, 2")
        logs = [self.airflow.log(name) for name in ("scheduler", "worker-2", "triggerer-1")]
        return "\n".join([str(states), f"{self.proxy.requests} requests, faults: {self.proxy.faults}", *logs])


def seed(service: EvaluationService) -> None:
    with Seeder(service.url) as seeder:
        seeder.question_answer_example()
        for case in range(CASES):
            rows = [
                {"input": str(row), "reference": "yes", "output": "yes" if row % CASES < case else "no"}
                for row in range(ROWS)
            ]
            dataset = seeder.dataset(WORKSPACE, f"data-{case:02}", rows)
            seeder.benchmark(WORKSPACE, f"case-{case:02}", metrics=[f"{WORKSPACE}/exact-match"], dataset=dataset)
    service.set_job_seconds(JOB_SECONDS)


@pytest.fixture(scope="module")
def soak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Soak]:
    home = AirflowHome(tmp_path_factory.mktemp("soak"), Path(__file__).parent / "dags")
    with EvaluationService() as service, FaultyProxy(service.url, share=SHARE, seed=SEED) as proxy, S3Server() as s3:
        seed(service)
        settings = {
            "STORE": f"s3://aws@{BUCKET}/store",
            "SOAK_CASES": str(CASES),
            # Most tasks wait for an answer that does not come.
            "AIRFLOW__CORE__PARALLELISM": "16",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "8",
            "AIRFLOW_CONN_AWS": s3.connection,
            "AIRFLOW_CONN_NEMO_EVALUATOR_DEFAULT": connection(proxy.url, timeout=TIMEOUT),
        }
        with deployment(home, proxy.url, **settings) as airflow:
            running = Soak(airflow, service, proxy, s3)
            begin = time.monotonic()
            stop = threading.Event()
            beside = [
                threading.Thread(target=every, args=(seconds, stop, action), daemon=True)
                for seconds, action in (
                    (KILL_SECONDS, lambda: kill_one(running)),
                    (SAMPLE_SECONDS, lambda: running.triggerer.take(airflow.pid("triggerer-1"))),
                )
            ]
            try:
                for thread in beside:
                    thread.start()
                trigger_all(running, begin)
                wait_for(lambda: running.ended_runs() == RUNS, LIMIT, running.what_is)
            finally:
                stop.set()
                for thread in beside:
                    thread.join(timeout=120)
            running.seconds = time.monotonic() - begin
            found = running.query("select task_id, map_index, run_id, state, try_number from task_instance")
            running.states = {(task, run, index): state for task, index, run, state, _ in found}
            running.tries = sum(number for *_, number in found)
            report(running)
            yield running


def every(seconds: float, stop: threading.Event, action: Callable[[], None]) -> None:
    while not stop.wait(seconds):
        action()


def kill_one(soak: Soak) -> None:
    """Kill a triggerer or a worker, in turn, with all of its processes, and start another in its place."""
    kind = ("triggerer", "worker")[soak.kills.total() % 2]
    name = f"{kind}-2" if kind == "triggerer" else f"worker-{1 + soak.kills[kind] % 2}"
    soak.airflow.kill(name)
    (start_triggerer if kind == "triggerer" else start_worker)(soak.airflow, name)
    soak.kills[kind] += 1


def trigger_all(soak: Soak, begin: float) -> None:
    """Trigger the runs, spread over the minutes."""
    for number in range(RUNS):
        due = begin + number * MINUTES * 60 / RUNS
        wait_for(lambda due=due: time.monotonic() >= due, LIMIT, soak.what_is)
        soak.airflow.api.trigger("soak")


def report(soak: Soak) -> None:
    share = soak.proxy.faults.total() / soak.proxy.requests
    figures = [
        f"{RUNS * CASES} jobs, triggered over {MINUTES:.0f} min: {soak.seconds / 60:.0f} min; {os.cpu_count()} cores",
        f"{soak.tries:,} tries of {len(soak.states):,} task instances",
        f"{soak.proxy.requests:,} requests; {share:.1%} of the answers spoilt, in {len(soak.proxy.faults)} ways",
        f"killed: {soak.kills['triggerer']} triggerers, {soak.kills['worker']} workers",
    ]
    for what in ("memory", "files", "sockets", "threads"):
        factor, unit = (2**20, " MB") if what == "memory" else (1, "")
        medians = soak.triggerer.medians(lambda sample, what=what: getattr(sample, what))
        course = ", ".join(f"{median / factor:.0f}" for median in medians)
        figures.append(f"triggerer, {what}: {course}{unit}, medians of {len(medians)} equal parts of the time")
    written = "\n".join(figures)
    (REPOSITORY / ".build").mkdir(exist_ok=True)
    (REPOSITORY / ".build" / "soak.txt").write_text(f"{written}\n")
    print(f"\n{written}")


def tasks(soak: Soak, task_id: str) -> list[tuple[int, str]]:
    """Map index and state of each of its instances."""
    return [(index, state) for (task, _, index), state in soak.states.items() if task == task_id]


def passes(case: int) -> bool:
    return 2 * case >= CASES


def test_all_of_it_happened(soak):
    assert set(soak.proxy.faults) == set(FAULTS)
    assert min(soak.kills["triggerer"], soak.kills["worker"]) >= 1


def test_each_task_run_has_one_job(soak):
    assert Counter(state for _, state in tasks(soak, "judged.run")) == {"success": RUNS * CASES}
    with BenchmarkClient(ClientConfig(base_url=soak.service.url, workspace=WORKSPACE, trust_env=False)) as client:
        jobs = list(client.list_jobs())
    assert Counter(job.benchmark for job in jobs) == {f"{WORKSPACE}/case-{case:02}": RUNS for case in range(CASES)}
    assert {job.status for job in jobs} == {"completed"}


def test_each_verdict_is_what_the_data_say(soak):
    judged = tasks(soak, "judged.gate")
    assert len(judged) == RUNS * CASES
    for index, state in judged:
        assert state == ("success" if passes(index) else "failed"), index


def test_each_object_is_complete(soak, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_AWS", soak.s3.connection)
    store = ScoreStore(f"s3://aws@{BUCKET}/store")
    for case in range(CASES):
        history = store.history(workspace=WORKSPACE, benchmark=f"{WORKSPACE}/case-{case:02}", limit=2 * RUNS)
        assert len(history) == RUNS
        for stored in history:
            assert list(stored.outcomes.values()) == ["pass" if passes(case) else "fail"]
            assert stored.aggregate.get("exact-match").mean == pytest.approx(case / CASES)
            scores = store.scores(stored)
            assert scores.rows is not None
            assert len(scores.rows) == ROWS
    assert not soak.s3.unfinished_uploads()


def test_memory_and_sockets_are_flat(soak):
    memory, sockets = (soak.triggerer.medians(of) for of in (lambda each: each.memory, lambda each: each.sockets))
    assert memory[-1] < MORE_MEMORY * memory[1]
    assert sockets[-1] - sockets[1] < MORE_SOCKETS
