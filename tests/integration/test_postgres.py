"""What tasks, triggers and events hand to Airflow is stored by a real PostgreSQL, whatever is in it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset
from airflow.triggers.base import TriggerEvent

from airflow_provider_benchmarks.exceptions import JobError, ServiceError
from airflow_provider_benchmarks.gates import NoRegression, Threshold
from airflow_provider_benchmarks.jobs import BenchmarkJob
from airflow_provider_benchmarks.jobs.outcome import status_of_event, wait_failed
from airflow_provider_benchmarks.operators._task_state import PreviousJob, TaskState
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator, PinBaselineOperator
from airflow_provider_benchmarks.operators.results import DownloadAggregateScoresOperator, DownloadRowScoresOperator
from airflow_provider_benchmarks.triggers.events import BenchmarkJobEventTrigger
from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger
from tests.integration.conftest import BENCHMARK, SPEC, WORKSPACE, wait_until_finished
from tests.support.contexts import outlet_events, task_context
from tests.support.gate_jobs import GOOD, client_of
from tests.support.postgres_server import PostgresServer, postgres_folder

# Before that values take another way to the database: Airflow 2 keeps them as bytes, which hold anything.
pytest.importorskip("airflow.sdk.serde", reason="from Airflow 3.2 on")

#: Texts and numbers that a column of PostgreSQL or the way to it refuses.
REFUSED = ["a\0b", "\ud800", "\udc00 x", float("nan"), float("inf"), 1e400, {"\0": 1}, {"\udfff": 1}]
ITEM = {
    "text": "a\0b",
    "half": "\ud83d alone",
    "key\0": 1,
    "key␀": 2,
    "__classname__": "builtins.tuple",
    "__type": "set",
    "__var": [1],
    "huge": 2**200,
    "id": 2**63 + 1,
    "deep": [{"\udc00": ["\0"]}],
}
DAG_RUN = {"dag_id": "nightly", "run_id": "scheduled__2026-01-01"}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    programs = postgres_folder()
    if programs is None:
        pytest.skip("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    with PostgresServer(programs) as server:
        server.create_tables()
        yield server


@pytest.fixture
def session(server) -> Iterator[Any]:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

    with Session(server.engine) as session:
        times = dict.fromkeys(["data_interval_end", "logical_date"])
        values = {"id": 1, "run_type": "manual", "state": "running", **times, **DAG_RUN}
        session.execute(DagRun.__table__.insert().values(**values))
        yield session
        session.rollback()


@pytest.fixture
def store_xcom(session) -> Callable[[Any], Any]:
    """Store an XCom as a task of Airflow does, and read it back."""

    def store(value: Any, key: str = "return_value") -> Any:
        import msgspec
        from airflow.models.xcom import XComModel
        from airflow.sdk.serde import deserialize, serialize

        sent = msgspec.msgpack.decode(msgspec.msgpack.encode(serialize(value)))
        XComModel.set(key=key, value=sent, task_id="t", serialize=False, session=session, **DAG_RUN)
        session.expire_all()
        return deserialize(session.query(XComModel).filter_by(key=key).one().value)

    return store


@pytest.fixture
def submit(session) -> Callable[[TriggerEvent], Any]:
    """Submit an event as a triggerer does; return the arguments that the task resumes with."""

    def submit_event(event: TriggerEvent) -> Any:
        from airflow.models.taskinstance import TaskInstance
        from airflow.models.trigger import Trigger
        from airflow.sdk.serde import deserialize

        now = datetime.now(UTC)
        session.execute(Trigger.__table__.insert().values(id=1, classpath="x", kwargs="{}", created_date=now))
        session.execute(
            TaskInstance.__table__.insert().values(
                id=uuid.uuid4(), task_id="t", pool="default", pool_slots=1, state="deferred", trigger_id=1,
                try_number=1, max_tries=0, map_index=-1, queue="default", next_method="execute_complete", **DAG_RUN,
            )
        )  # fmt: skip
        Trigger.submit_event(1, event, session=session)
        session.flush()
        session.expire_all()
        resumed = session.query(TaskInstance).one()
        assert resumed.state == "scheduled"
        return deserialize(resumed.next_kwargs)

    return submit_event


def store_asset_extra(session: Any, extra: Any) -> Any:
    from airflow.models.asset import AssetEvent

    event = AssetEvent(asset_id=1, extra=extra, timestamp=datetime.now(UTC))
    session.add(event)
    session.flush()
    session.refresh(event)
    return event.extra


@pytest.fixture
def odd_job(service) -> str:
    rows = [{**each, "item": {**each["item"], **ITEM}} for each in GOOD]
    score = {"name": "accuracy\0", "score_type": "range", "count": 120, "nan_count": 0, "mean": 0.8}
    score |= {"variance": 0.16, "std_dev": 0.4, "min": 0, "max": 1, "sum": 96, "median": "NaN"}
    score |= {"percentiles": {"p10\0": 0, "p10␀": 1, "p50": "Infinity"}}
    aggregate = {"results": [{"metric": f"{WORKSPACE}/m", "scores": [{**score, "name": "accuracy"}, score]}]}
    lines = b"".join(json.dumps(each).encode() + b"\n" for each in rows)
    service.give_results(BENCHMARK, aggregate=json.dumps(aggregate).encode(), rows=lines)
    with client_of(service) as client:
        client.submit_job(SPEC, name="odd")
        wait_until_finished(client, "odd")
    return "odd"


@pytest.mark.parametrize("value", REFUSED)
def test_the_database_or_the_way_to_it_refuses_what_is_replaced(store_xcom, value) -> None:
    with pytest.raises(Exception, match=r"unsupported Unicode|invalid input syntax|surrogates not allowed"):
        store_xcom([value])


def test_row_scores_as_an_xcom(store_xcom, odd_job) -> None:
    rows = DownloadRowScoresOperator(task_id="rows", job_name=odd_job).execute(task_context())
    item = store_xcom(rows)[0]["item"]
    assert len(item) == len(ITEM) + 2
    assert item | {"question": "", "category": ""} == {
        "question": "",
        "category": "",
        "text": "a␀b",
        "half": "� alone",
        "key␀ (2)": 1,
        "key␀": 2,
        "__classname__ (reserved)": "builtins.tuple",
        "__type (reserved)": "set",
        "__var": [1],
        "huge": str(2**200),
        "id": 2**63 + 1,
        "deep": [{"�": ["␀"]}],
    }


def test_aggregate_scores_as_an_xcom_and_as_the_extra_of_an_asset(session, store_xcom, odd_job) -> None:
    scores, events = Asset("scores"), outlet_events()
    operator = DownloadAggregateScoresOperator(task_id="scores", job_name=odd_job, outlets=[scores])
    records = operator.execute({**task_context(), "outlet_events": events})
    _, odd = store_xcom(records)
    assert odd["name"].startswith("accuracy␀")
    assert (odd["p10␀"], odd["p10␀ (2)"], odd["p50"]) == (1, 0, None)
    means = store_asset_extra(session, events[scores].extra)["means"]
    assert list(means.values()) == [0.8, 0.8]


def test_the_verdict_of_a_gate(session, store_xcom, odd_job, tmp_path) -> None:
    store = str(tmp_path / "store")
    PinBaselineOperator(task_id="pin", job_name=odd_job, store=store).execute(task_context())
    scores, events, context = Asset("scores"), outlet_events(), task_context()
    checks = [
        Threshold("m", score="accuracy", at_least=0.7, by="text"),
        Threshold("m", score="accuracy", at_least=0.7, where={"half": "\ud83d alone"}),
        Threshold("a metric\0", at_least=0.1),
        NoRegression("m", score="accuracy", baseline=odd_job, where={"text": "a\0b"}),
    ]
    report = tmp_path / "report.md"
    gate = BenchmarkGateOperator(
        task_id="gate", job_name=odd_job, checks=checks, store=store, report=str(report), on_failure="continue",
        outlets=[scores],
    )  # fmt: skip
    verdict = gate.execute({**context, "outlet_events": events})
    stored = store_xcom(verdict)
    assert dict(context["ti"].values)["verdict"] == verdict
    assert stored["outcome"] == "fail"
    assert [each["outcome"] for each in stored["results"]] == ["pass", "pass", "fail", "warn"]
    assert stored["results"][0]["group"].endswith("a␀b")
    assert 'metric "a metric␀" is not' in json.dumps(stored, ensure_ascii=False).replace('\\"', '"')
    assert "a␀b" in report.read_text()
    assert store_asset_extra(session, events[scores].extra)["outcome"] == "fail"


def test_the_event_of_a_wait_that_failed(submit) -> None:
    error = ServiceError("the service says \0 and \ud800", status_code=404, detail="\0", path="/x/\udfff", job="j\0")
    error.retry_after = float("inf")
    trigger = BenchmarkJobTrigger(conn_id="c", workspace="w", job_name="j\0")
    resumed = submit(trigger._event(**wait_failed(error)))
    with pytest.raises(ServiceError, match="the service says ␀ and �") as caught:
        status_of_event(resumed["event"], job_name="j\0")
    assert (caught.value.status_code, caught.value.detail, caught.value.path) == (404, "␀", "/x/�")


def test_an_event_is_still_only_taken_for_its_own_job(submit) -> None:
    resumed = submit(BenchmarkJobTrigger(conn_id="c", workspace="w", job_name="j")._event(status="completed"))
    assert status_of_event(resumed["event"], job_name="j") == "completed"
    with pytest.raises(JobError, match="does not say how the job ended"):
        status_of_event(resumed["event"], job_name="k")


def test_the_event_of_a_watcher(session, submit) -> None:
    job = BenchmarkJob(name="j", workspace="w", status="completed", benchmark="w/b\0")
    event = BenchmarkJobEventTrigger._event(job, {"means": {"w/m:s\0": 1.0, "w/m:s␀": None, "w/m:\ud800": 2.0}})
    extra = store_asset_extra(session, {"from_trigger": True, "payload": event.payload})
    assert extra["payload"]["means"] == {"w/m:s␀ (2)": 1.0, "w/m:s␀": None, "w/m:�": 2.0}
    assert submit(event)["event"]["benchmark"] == "w/b␀"


def test_the_state_of_a_task(session) -> None:
    states = pytest.importorskip("airflow.models.task_state_store", reason="Airflow keeps the state of tasks since 3.3")
    table = states.TaskStateStoreModel.__table__
    stored: dict[str, Any] = {}

    class Store:
        def set(self, key: str, value: Any) -> None:
            stored[key] = value

    TaskState({"task_state_store": Store()}).save(  # type: ignore[typeddict-unknown-key]
        PreviousJob(name="j\0", fingerprint="f", spec="s", max_tries=0)
    )
    text = json.dumps(stored["benchmark_job"], ensure_ascii=False)
    values = {"task_id": "t", "map_index": -1, "key": "k", "value": text, "dag_run_id": 1, **DAG_RUN}
    known = {column.name for column in table.columns}
    session.execute(
        table.insert().values(
            **{name: value for name, value in values.items() if name in known}, updated_at=datetime.now(UTC)
        )
    )
