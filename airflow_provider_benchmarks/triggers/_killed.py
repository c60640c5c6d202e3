"""Tell a task that was ended while it was deferred from a trigger that only moves or restarts.

Airflow cancels a trigger in both cases, some seconds later. From 3.3 on it calls ``on_kill`` as well, but also when
another triggerer has taken the trigger over. So the state of the task decides, and in doubt nothing was ended.

Thousands of tasks can be ended at once, and what a trigger asks Airflow goes through one thread: the questions of an
event loop are asked together, the states of all runs and map indexes of a task in one.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_benchmarks.triggers._asking import ask_in_thread
from airflow_provider_benchmarks.triggers._per_loop import PerLoop

logger = logging.getLogger(__name__)

#: For the answer to one question, seconds from when it is asked. A busy Airflow 3 takes over 10 s for the first one.
#: Before 3.3 the question is asked when a triggerer shuts down as well, which may have nobody left to answer it; a
#: supervisor ends it for good within 30 s.
_LIMIT = 60.0 if AIRFLOW_V_3_0_PLUS else 10.0
#: Tasks that are ended so many seconds after another are asked for together with it.
_GATHER = 0.1
#: Runs in one question: their ids must fit into an address.
_RUNS = 50
#: Links in one go through the thread, each a question of its own to Airflow, of which others must not wait too long.
_LINKS = 10
_DEFERRED = "deferred"

T = TypeVar("T")


async def was_killed(ti: Any, job_name: str) -> bool:
    """Whether a task was marked, cleared or timed out while it was deferred, so that nobody waits for its job any longer.

    False while the task is deferred and waits for this job, and where that can't be known.

    :param ti: the trigger's task instance; None where it has none
    :param job_name: the job that the trigger waits for
    """
    if ti is None:
        return False
    try:
        return await _questions.get(None, _Questions).ask(ti, job_name)
    except Exception as error:  # noqa: BLE001  whatever it is: not knowing is no reason to cancel a job
        logger.warning("Whether task %s was ended can't be known, so its job is left running: %r", ti.task_id, error)
        return False


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    ti: Any
    job_name: str
    answer: asyncio.Future[bool]

    def settle(self, answer: bool | Exception) -> None:
        if self.answer.done():  # whoever asked has gone
            return
        if isinstance(answer, Exception):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


class _Questions:
    """The questions of one event loop, and the task that has them answered; it ends when there are none."""

    def __init__(self) -> None:
        self._asked: list[_Question] = []
        self._gathered: list[_Question] = []
        self._deferred: list[_Question] = []
        # A context of its own: what it logs belongs to no task.
        self._task = asyncio.get_running_loop().create_task(self._answer_all(), context=contextvars.Context())

    @property
    def is_over(self) -> bool:
        return self._task.done()

    async def ask(self, ti: Any, job_name: str) -> bool:
        question = _Question(ti, job_name, asyncio.get_running_loop().create_future())
        self._asked.append(question)
        return await question.answer

    def _all(self) -> list[_Question]:
        return [*self._gathered, *self._asked, *self._deferred]

    async def _answer_all(self) -> None:
        try:
            await asyncio.sleep(_GATHER)
            # States first, since they tell most: a task that is deferred needs the second question.
            while self._asked or self._deferred:
                if self._asked:
                    self._gathered, self._asked = self._asked, []
                    for group in _by_task(self._gathered):
                        if waiting := [question for question in group if not question.answer.done()]:
                            await self._answer(waiting, _states_of, self._settle_by_state)
                else:
                    some, self._deferred = self._deferred[:_LINKS], self._deferred[_LINKS:]
                    await self._answer(some, _job_urls_of, self._settle_by_link)
        finally:
            _questions.drop(None, self)
            for question in self._all():
                question.answer.cancel()  # only where it is not there yet

    async def _answer(
        self,
        questions: Sequence[_Question],
        look_up: Callable[[Sequence[Any]], Sequence[T]],
        settle: Callable[[_Question, T], None],
    ) -> None:
        try:
            found = await ask_in_thread(lambda: look_up([question.ti for question in questions]), limit=_LIMIT)
        except TimeoutError:
            # Airflow answers nobody now, and a triggerer that stops must not wait for it again and again.
            silent = TimeoutError(f"Airflow gave no answer within {_LIMIT:.0f} s")
            for question in (*questions, *self._all()):
                question.settle(silent)
            self._asked, self._deferred = [], []
        except Exception as error:  # noqa: BLE001  whatever it is, it is known to those who asked
            for question in questions:
                question.settle(error)
        else:
            for question, answer in zip(questions, found, strict=True):
                settle(question, answer)

    def _settle_by_state(self, question: _Question, found: tuple[bool, str | None]) -> None:
        known, state = found
        if known and str(state) == _DEFERRED:
            self._deferred.append(question)
        else:
            question.settle(known)

    def _settle_by_link(self, question: _Question, url: str | None) -> None:
        # A task that was cleared may be deferred again by now, within a second. Then its link shows the new job.
        question.settle(url is not None and url.rpartition("/")[2] != question.job_name)


_questions: PerLoop[_Questions] = PerLoop()


def _by_task(questions: Iterable[_Question]) -> Iterable[list[_Question]]:
    """Put together what one question can ask for: some runs of a task, with all their map indexes."""
    tasks: defaultdict[tuple[str, str], defaultdict[str, list[_Question]]] = defaultdict(lambda: defaultdict(list))
    for question in questions:
        tasks[question.ti.dag_id, question.ti.task_id][question.ti.run_id].append(question)
    for runs in tasks.values():
        of_runs = list(runs.values())
        for start in range(0, len(of_runs), _RUNS):
            yield [question for of_run in of_runs[start : start + _RUNS] for question in of_run]


def _states_of(tis: Sequence[Any]) -> list[tuple[bool, str | None]]:
    """Whether each state is known, and the state; a cleared task has none.

    :param tis: task instances of one task
    """
    if not AIRFLOW_V_3_0_PLUS:
        return _states_in_database(tis)
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    indexes = {ti.map_index for ti in tis}
    states = RuntimeTaskInstance.get_task_states(
        dag_id=tis[0].dag_id,
        task_ids=[tis[0].task_id],  # of two tasks the keys could be the same, where one is mapped
        run_ids=sorted({ti.run_id for ti in tis}),
        map_index=indexes.pop() if len(indexes) == 1 else None,
    )
    found = []
    for ti in tis:
        of_run = states.get(ti.run_id) or {}
        key = ti.task_id if ti.map_index is None or ti.map_index < 0 else f"{ti.task_id}_{ti.map_index}"
        found.append((key in of_run, of_run.get(key)))
    return found


def _states_in_database(tis: Sequence[Any]) -> list[tuple[bool, str | None]]:
    """Before Airflow 3 triggers may look there."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        rows = (
            session.query(TaskInstance.run_id, TaskInstance.map_index, TaskInstance.state)
            .filter(TaskInstance.dag_id == tis[0].dag_id, TaskInstance.task_id == tis[0].task_id)
            .filter(TaskInstance.run_id.in_({ti.run_id for ti in tis}))
            .all()
        )
    states = {(run_id, map_index): state for run_id, map_index, state in rows}
    return [((ti.run_id, ti.map_index) in states, states.get((ti.run_id, ti.map_index))) for ti in tis]


def _job_urls_of(tis: Sequence[Any]) -> list[str | None]:
    """The address of the job that each task submitted or attached to last."""
    from airflow.providers.common.compat.sdk import XCom

    from airflow_provider_benchmarks.links import BenchmarkJobLink

    found = []
    for ti in tis:
        url = XCom.get_one(
            key=BenchmarkJobLink().xcom_key,
            dag_id=ti.dag_id,
            task_id=ti.task_id,
            run_id=ti.run_id,
            map_index=-1 if ti.map_index is None else ti.map_index,
        )
        found.append(url if isinstance(url, str) else None)
    return found
