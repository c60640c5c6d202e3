"""The checks of a gate as its author writes them: objects or plain dicts, with templates in their texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import XComArg

from airflow_provider_benchmarks.brief import brief
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.gates import Check, check_from_dict
from airflow_provider_benchmarks.operators._base import has_template

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context

_WANTED = "checks must be a list of Threshold, NoRegression or WithinHistory objects, or of dicts with their fields"


def read_checks(checks: Any, *, gate: str) -> list[Check]:
    """Build the checks.

    :param gate: the gate's task id, for messages
    :raises ConfigurationError: they are something else than checks; says what to write
    """
    if checks is None:
        return []
    if isinstance(checks, str):
        raise _error(gate, checks, 'a policy file is named with policy="…"')
    if isinstance(checks, Check | Mapping):
        raise _error(gate, checks, "put it into brackets: checks=[…]")
    if isinstance(checks, XComArg) or not isinstance(checks, Iterable):
        raise _error(gate, checks)
    return [_read_check(check, gate) for check in checks]


def render_checks(checks: Iterable[Check], operator: BaseOperator, context: Context) -> tuple[Check, ...]:
    """Render the templates in the checks' texts, such as ``baseline="{{ params.released }}"``."""
    return tuple(
        check_from_dict(operator.render_template(check.to_dict(), context)) if has_template(check.to_dict()) else check
        for check in checks
    )


def _read_check(check: Any, gate: str) -> Check:
    if isinstance(check, Check):
        return check
    if isinstance(check, Mapping):
        return check_from_dict(check)
    raise _error(gate, check)


def _error(gate: str, found: Any, advice: str = "") -> ConfigurationError:
    if isinstance(found, XComArg):
        what = "the output of a task, which is not known when the DAG is parsed"
        advice = "map the gate over a task that gives a list of such lists: .partial(…).expand(checks=…)"
    else:
        what = brief(found)
    return ConfigurationError(f'gate "{gate}": {_WANTED}, found {what}{f"; {advice}" if advice else ""}')
