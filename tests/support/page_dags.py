"""Run the DAGs that pages show in the process of the test: a whole Airflow of its own takes each ten seconds."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
from tests.support.airflow_runs import AirflowHome, RunOutcome, outcome
from tests.support.last_run import read_last_run

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:  # before Airflow 3.2
    from airflow.models.dagbag import DagBag

#: The default intervals are for jobs that take minutes.
_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class PageDags:
    """A folder of DAG files, which is the only bundle of this process's Airflow."""

    folder: Path
    #: The score store that ``[benchmarks] score_store`` names.
    store: str

    def write(self, path: str, code: str) -> Path:
        written = self.folder / path
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(code)
        return written

    def load(self, code: str) -> DAG:
        """Write a DAG file, and return the one DAG that it has."""
        path = self.write("page_dag.py", code)
        bag = DagBag(str(path))
        assert not bag.import_errors, bag.import_errors
        (dag,) = bag.dags.values()
        for task in dag.tasks:
            if hasattr(task, "partial_kwargs") and task.operator_class is RunBenchmarkJobOperator:
                task.partial_kwargs["poll_interval"] = _SECONDS
                if not AIRFLOW_V_3_0_PLUS:
                    # Its dag.test() goes on with a deferred mapped task as if it were not mapped, and fails it then
                    # for what it returns where another task maps over that.
                    task.partial_kwargs["deferrable"] = False
            for name in ("poll_interval", "poke_interval"):
                if name in vars(task):
                    setattr(task, name, _SECONDS)
        return dag

    def run(self, code: str, conf: dict[str, Any] | None = None) -> RunOutcome:
        """Run a DAG file's DAG once, and return what it left; ``log`` is empty: the test has what was printed."""
        dag = self.load(code)
        dag.test(run_conf=conf)
        return outcome(read_last_run(dag.dag_id), "")


@contextmanager
def page_dags(folder: Path, set_environment: Any) -> Iterator[PageDags]:
    """Let this process's Airflow know the DAGs of a folder.

    :param set_environment: sets a variable until the test has ended
    """
    AirflowHome(Path(os.environ["AIRFLOW_HOME"])).prepare()
    bundle = {
        "name": "pages",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(folder)},
    }
    set_environment("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
    store = f"file://{folder.parent}/scores"
    set_environment("AIRFLOW__BENCHMARKS__SCORE_STORE", store)
    folder.mkdir(exist_ok=True)
    yield PageDags(folder, store)
