"""Print the newest run of a DAG as one line of JSON: ``python -m tests.support.last_run DAG_ID``.

In a process of its own, since Airflow's database is chosen when Airflow is imported.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session

try:
    from airflow.models.xcom import XComModel
except ImportError:  # Airflow 2, which decodes the value itself
    from airflow.models.xcom import XCom as XComModel


def main(dag_id: str) -> None:
    print(json.dumps(read_last_run(dag_id)))


def read_last_run(dag_id: str) -> dict[str, Any]:
    """State, tasks, tries and XComs of the newest run of a DAG; of mapped tasks and their XComs those of the last."""
    with create_session() as session:
        run = session.query(DagRun).filter(DagRun.dag_id == dag_id).order_by(DagRun.id.desc()).first()
        if run is None:
            return {"state": "none", "tasks": {}, "tries": {}, "xcoms": []}
        of_run = {"dag_id": dag_id, "run_id": run.run_id}
        tasks = session.query(TaskInstance).filter_by(**of_run).all()
        xcoms = session.query(XComModel).filter_by(**of_run).all()
        return {
            "state": str(run.state),
            "run_id": run.run_id,
            "tasks": {task.task_id: str(task.state) for task in tasks},
            "tries": {task.task_id: task.try_number for task in tasks},
            "xcoms": [[x.task_id, x.key, _value(x)] for x in xcoms],
        }


def _value(xcom: Any) -> object:
    value = XComModel.deserialize_value(xcom) if XComModel.__name__ == "XComModel" else xcom.value
    if not isinstance(value, str) or value[:1] not in '{["':
        return value
    try:
        return json.loads(value)
    except ValueError:  # a text that only begins so
        return value


if __name__ == "__main__":
    main(sys.argv[1])
