"""The arguments of a gate: its checks, and what they need: installed packages and a score store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

from airflow_provider_benchmarks.brief import brief, shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.extras import PARQUET, require
from airflow_provider_benchmarks.gates import Check, check_from_dict
from airflow_provider_benchmarks.gates.check import KINDS
from airflow_provider_benchmarks.gates.run import modules_of
from airflow_provider_benchmarks.gates.sources import PINNED, STORED_BASELINES
from airflow_provider_benchmarks.gates.stored_rows import must_have_rows
from airflow_provider_benchmarks.operators._arguments import has_template, is_of_another_task
from airflow_provider_benchmarks.operators._places import Use, place_problem, template_problem

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context


def read_checks(checks: Any, *, gate: str) -> list[Check]:
    """Build the checks: objects, or plain dicts, with templates in their texts.

    :param gate: the gate's task id, for messages
    :raises ConfigurationError: they are something else than checks; says what to write
    """
    if checks is None:
        return []
    if isinstance(checks, str):
        raise _error(gate, checks, 'a policy file is named with policy="…"')
    if isinstance(checks, Check | Mapping):
        raise _error(gate, checks, "put it into brackets: checks=[…]")
    if is_of_another_task(checks) or not isinstance(checks, Iterable):
        raise _error(gate, checks)
    return [_read_check(check, gate) for check in checks]


def render_checks(checks: Iterable[Check], operator: BaseOperator, context: Context) -> tuple[Check, ...]:
    """Render the templates in the checks' texts, such as ``baseline="{{ params.released }}"``.

    :raises ConfigurationError: what a template gives is not what the field may be; names the gate and the field
    """
    return tuple(
        _check_of(operator.render_template(check.to_dict(), context), gate=operator.task_id)
        if has_template(check.to_dict())
        else check
        for check in checks
    )


def _check_of(data: Any, *, gate: str) -> Check:
    try:
        return check_from_dict(data)
    except ConfigurationError as error:
        raise ConfigurationError(f'gate "{gate}": {error}') from error


def require_extras(checks: Sequence[Check], *, gate: str) -> None:
    """Refuse checks that need packages that are not installed, those of the storages of their baselines included.

    :param gate: the gate's task id, for messages
    :raises ConfigurationError: names the extras
    """
    for name in dict.fromkeys(check.needs().baseline for check in checks):
        problem = template_problem(name, Use.READ) if has_template(name) else place_problem(name, Use.READ)
        if problem is not None:
            raise ConfigurationError(f'gate "{gate}": baseline: {problem}')
    rows = PARQUET if must_have_rows(checks) else ()
    require(f'gate "{gate}": its checks (confidence, comparisons, slices) need', *modules_of(checks), *rows)


def require_store(checks: Sequence[Check], *, gate: str, baseline: Any) -> None:
    """Refuse checks that need a score store, where there is none: they would never have anything to compare with.

    ``if_no_baseline`` does not matter here: it is for a store that has no baseline yet.

    :param gate: the gate's task id, for messages
    :param baseline: the gate's own; None for the pinned one
    :raises ConfigurationError: says what to set
    """
    for check in checks:
        needs = check.needs()
        name = None if needs.baseline is None else needs.baseline or baseline or PINNED
        if name in STORED_BASELINES or needs.history or needs.since_pin:
            wanted = f'the baseline "{shortened(name)}"' if name else "the history"
            other = ', or name a job with baseline="…"' if name else ""
            raise ConfigurationError(
                f'gate "{gate}": {check.kind} of {shortened(check.metric)} looks at {wanted} of a score store, '
                f"and there is none: set store=, or [benchmarks] score_store{other}"
            )


def has_no_store(store: Any) -> bool:
    """True if a gate is known to have no score store when the DAG is parsed.

    :param store: as the gate names it; a template, or the output of a task, is not known yet
    """
    return store == "" or (store is None and not conf.get("benchmarks", "score_store", fallback=""))


def _read_check(check: Any, gate: str) -> Check:
    if isinstance(check, Check):
        return check
    if isinstance(check, Mapping):
        return _check_of(check, gate=gate)
    raise _error(gate, check)


def _error(gate: str, found: Any, advice: str = "") -> ConfigurationError:
    *kinds, last = (kind.__name__ for kind in KINDS.values())
    expected = f"a list of {', '.join(kinds)} or {last} objects, or of dicts with their fields"
    if is_of_another_task(found):
        what = "the output of a task, which is not known when the DAG is parsed"
        advice = "map the gate over a task that gives a list of such lists: .partial(…).expand(checks=…)"
    else:
        what = brief(found)
    return ConfigurationError(
        f'gate "{gate}": checks must be {expected}, found {what}{f"; {advice}" if advice else ""}'
    )
