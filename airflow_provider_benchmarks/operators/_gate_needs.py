"""What a gate must have before it can judge: installed extras, and a score store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.extras import PARQUET, require
from airflow_provider_benchmarks.gates import Check, NoRegression, WithinHistory
from airflow_provider_benchmarks.gates.loading import PINNED, STORED_BASELINES, must_have_rows


def require_extras(checks: Sequence[Check], *, gate: str) -> None:
    """Refuse checks that can't be judged with what is installed.

    :param gate: the gate's task id, for messages
    :raises ConfigurationError: names the extras
    """
    statistics = ["scipy"] if any(check.needs_statistics for check in checks) else []
    rows = PARQUET if must_have_rows(checks) else ()
    require(f'gate "{gate}": its checks (confidence, comparisons, slices) need', *statistics, *rows)


def require_store(checks: Sequence[Check], *, gate: str, baseline: Any) -> None:
    """Refuse checks that look at a score store, where there is none: without what it compares with, nothing is shown.

    Whatever happens while a store has no baseline yet: this one would never have any.

    :param gate: the gate's task id, for messages
    :param baseline: the gate's own; None for the pinned one
    :raises ConfigurationError: says what to set
    """
    for check in checks:
        name = (check.baseline or baseline or PINNED) if isinstance(check, NoRegression) else None
        if name in STORED_BASELINES or isinstance(check, WithinHistory):
            wanted = f'the baseline "{shortened(name)}"' if name else "the history"
            other = ', or name a job with baseline="…"' if name else ""
            raise ConfigurationError(
                f'gate "{gate}": {check.kind} of {shortened(check.metric)} looks at {wanted} of a score store, '
                f"and there is none: set store=, or [benchmarks] score_store{other}"
            )


def has_no_store(store: Any) -> bool:
    """Whether it is known when the DAG is parsed that a gate has no score store.

    :param store: as the gate names it; a template, or the output of a task, is not known yet
    """
    return store == "" or (store is None and not conf.get("benchmarks", "score_store", fallback=""))
