"""Example DAGs of newer Airflows do no harm on older ones."""

from __future__ import annotations

import importlib.util

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

from tests.support.airflow_runs import EXAMPLE_DAGS


def test_the_approval_is_between_the_report_and_the_pin_where_airflow_has_approvals(monkeypatch):
    made: list[DAG] = []
    enter = DAG.__enter__
    monkeypatch.setattr(DAG, "__enter__", lambda dag: made.append(dag) or enter(dag))
    path = EXAMPLE_DAGS / "release_with_approval.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))

    if not AIRFLOW_V_3_1_PLUS:
        assert made == []
        return
    (dag,) = made
    follows = {task.task_id: task.downstream_task_ids for task in dag.tasks}
    assert follows == {
        "run_benchmark": {"gate", "pin_baseline"},
        "gate": {"report"},
        "report": {"approval"},
        "approval": {"pin_baseline"},
        "pin_baseline": {"promote"},
        "promote": set(),
    }
