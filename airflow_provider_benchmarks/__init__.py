"""Apache Airflow provider for benchmark evaluation services: run benchmark jobs, fetch their scores, gate on them.

What people use can be imported from here: ``from airflow_provider_benchmarks import Threshold, ScoreStore``. A name is
imported when it is asked for: the package itself stays light, and what needs no Airflow works without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_benchmarks.openers import set_airflow_opener
from airflow_provider_benchmarks.provider_info import get_provider_info

if TYPE_CHECKING:
    from airflow_provider_benchmarks.benchmarks import Benchmark, read_benchmark
    from airflow_provider_benchmarks.client import AsyncBenchmarkClient, BenchmarkClient, ClientConfig
    from airflow_provider_benchmarks.exceptions import (
        BenchmarkError,
        ConfigurationError,
        Conflict,
        DestinationExists,
        GateFailed,
        GateInconclusive,
        IncompleteResults,
        InvalidRequest,
        JobCancelled,
        JobError,
        JobFailed,
        JobNotFound,
        JobTimeout,
        NotFound,
        NotStored,
        ProtocolError,
        ResultsTooLarge,
        ScoreNotFound,
        ServiceError,
        ServiceUnavailable,
        Unauthorized,
        Unwritable,
    )
    from airflow_provider_benchmarks.gates import (
        CheckResult,
        NoDrift,
        NoRegression,
        Outcome,
        Policy,
        Threshold,
        Verdict,
        WithinHistory,
        read_policy,
    )
    from airflow_provider_benchmarks.gates.evaluate import evaluate
    from airflow_provider_benchmarks.hooks.benchmarks import BenchmarkHook
    from airflow_provider_benchmarks.notifications.gate import BenchmarkGateNotifier
    from airflow_provider_benchmarks.operators.gates import (
        BenchmarkGateBranchOperator,
        BenchmarkGateOperator,
        PinBaselineOperator,
    )
    from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator
    from airflow_provider_benchmarks.operators.results import (
        DownloadAggregateScoresOperator,
        DownloadRowScoresOperator,
    )
    from airflow_provider_benchmarks.operators.store_results import StoreResultsOperator
    from airflow_provider_benchmarks.scores import (
        AggregateScore,
        AggregateScores,
        JobScores,
        RowScore,
        low_scoring_rows,
        read_results,
        read_row_scores,
        row_scores_frame,
    )
    from airflow_provider_benchmarks.sensors.jobs import BenchmarkJobSensor
    from airflow_provider_benchmarks.store import ScoreStore
    from airflow_provider_benchmarks.triggers.events import BenchmarkJobEventTrigger
    from airflow_provider_benchmarks.triggers.jobs import BenchmarkJobTrigger

__version__ = "0.1.0"

#: The names of each module that can be imported from here.
_NAMES = {
    "benchmarks": "Benchmark read_benchmark",
    "client": "AsyncBenchmarkClient BenchmarkClient ClientConfig",
    "exceptions": "BenchmarkError ConfigurationError Conflict DestinationExists GateFailed GateInconclusive "
    "IncompleteResults InvalidRequest JobCancelled JobError JobFailed JobNotFound JobTimeout NotFound NotStored "
    "ProtocolError ResultsTooLarge ScoreNotFound ServiceError ServiceUnavailable Unauthorized Unwritable",
    "gates": "CheckResult NoDrift NoRegression Outcome Policy Threshold Verdict WithinHistory evaluate read_policy",
    "hooks.benchmarks": "BenchmarkHook",
    "notifications.gate": "BenchmarkGateNotifier",
    "operators.gates": "BenchmarkGateBranchOperator BenchmarkGateOperator PinBaselineOperator",
    "operators.jobs": "RunBenchmarkJobOperator",
    "operators.results": "DownloadAggregateScoresOperator DownloadRowScoresOperator",
    "operators.store_results": "StoreResultsOperator",
    "scores": "AggregateScore AggregateScores JobScores RowScore low_scoring_rows read_results read_row_scores "
    "row_scores_frame",
    "sensors.jobs": "BenchmarkJobSensor",
    "store": "ScoreStore",
    "triggers.events": "BenchmarkJobEventTrigger",
    "triggers.jobs": "BenchmarkJobTrigger",
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [
    "AggregateScore",
    "AggregateScores",
    "AsyncBenchmarkClient",
    "Benchmark",
    "BenchmarkClient",
    "BenchmarkError",
    "BenchmarkGateBranchOperator",
    "BenchmarkGateNotifier",
    "BenchmarkGateOperator",
    "BenchmarkHook",
    "BenchmarkJobEventTrigger",
    "BenchmarkJobSensor",
    "BenchmarkJobTrigger",
    "CheckResult",
    "ClientConfig",
    "ConfigurationError",
    "Conflict",
    "DestinationExists",
    "DownloadAggregateScoresOperator",
    "DownloadRowScoresOperator",
    "GateFailed",
    "GateInconclusive",
    "IncompleteResults",
    "InvalidRequest",
    "JobCancelled",
    "JobError",
    "JobFailed",
    "JobNotFound",
    "JobScores",
    "JobTimeout",
    "NoDrift",
    "NoRegression",
    "NotFound",
    "NotStored",
    "Outcome",
    "PinBaselineOperator",
    "Policy",
    "ProtocolError",
    "ResultsTooLarge",
    "RowScore",
    "RunBenchmarkJobOperator",
    "ScoreNotFound",
    "ScoreStore",
    "ServiceError",
    "ServiceUnavailable",
    "StoreResultsOperator",
    "Threshold",
    "Unauthorized",
    "Unwritable",
    "Verdict",
    "WithinHistory",
    "__version__",
    "evaluate",
    "get_provider_info",
    "low_scoring_rows",
    "read_benchmark",
    "read_policy",
    "read_results",
    "read_row_scores",
    "row_scores_frame",
]


if not TYPE_CHECKING:  # a type checker would take every name for one that is there

    def __getattr__(name: str) -> Any:
        from importlib import import_module

        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value  # from now on it is found without this function
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})


def _airflow_path(url: str) -> Any:
    from airflow_provider_benchmarks.store.place import Place

    return Place(url).object_path


set_airflow_opener(_airflow_path)
