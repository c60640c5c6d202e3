"""What a task has noted of its lineage, in OpenLineage's own classes: names of datasets, and facets.

Each dataset and each facet is made by itself: one that can't be made, such as a facet that an older client does not
have, costs none of the others. Texts are what every database stores, and have no secrets.
"""

from __future__ import annotations

import inspect
import logging
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_benchmarks.gates import Outcome
from airflow_provider_benchmarks.masking import safe_text
from airflow_provider_benchmarks.operators._dataset_names import service_namespace, stored_name
from airflow_provider_benchmarks.operators._lineage import Dataset, Kind, Lineage
from airflow_provider_benchmarks.scores.json_values import is_number
from airflow_provider_benchmarks.scores.means import MAX_MEANS

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_benchmarks.gates import CheckResult
    from airflow_provider_benchmarks.scores import AggregateScore, AggregateScores

T = TypeVar("T")
#: Number of checks of a gate that are told, and the order in which they are while there is room.
MAX_CHECKS = 200
_ORDER = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.WARN, Outcome.PASS)
#: A percentile: p10 and p100 by percents, p999 by further decimals.
_PERCENTILE = re.compile(r"p([0-9]{1,9})")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Service:
    """The service of a task.

    :param namespace: of its datasets
    :param workspace: of the task
    """

    namespace: str
    workspace: str

    @classmethod
    def of(cls, operator: Any) -> _Service | None:
        """None where the task has not read its connection: nothing is asked for lineage's sake."""
        hook = vars(operator).get("hook")
        config = None if hook is None else vars(hook).get("config")
        if config is None:
            return None
        return cls(service_namespace(config.base_url), config.workspace)


def operator_lineage(operator: Any, lineage: Lineage, *, has_outlets: bool) -> OperatorLineage[Any, Any]:
    """Make what OpenLineage takes of a task's notes, and of what the DAG file declares.

    OpenLineage looks at declared inlets and outlets only where an operator tells it nothing.

    :param has_outlets: what the task was to write, by its outlets, it has written
    """
    from airflow.providers.openlineage.extractors import OperatorLineage

    service = _made("the service", lambda: _Service.of(operator))
    inputs = [_made(note.name, partial(_input, note, service)) for note in lineage.inputs.values()]
    outputs = [_made(note.name, partial(_output, note, service)) for note in lineage.outputs.values()]
    inputs, outputs = ([each for each in found if each is not None] for found in (inputs, outputs))
    _add_declared(inputs, operator.inlets)
    _add_declared(outputs, operator.outlets if has_outlets else ())
    facets = _facets(externalQuery=lambda: _external_query(lineage, service))
    return OperatorLineage(inputs=inputs, outputs=outputs, run_facets=facets)


def _made(what: str, make: Callable[[], T | None]) -> T | None:
    """What a function makes; None where it fails: lineage is for people, and no task depends on it."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001
        level = logging.DEBUG if isinstance(error, ImportError) else logging.WARNING  # older clients have fewer facets
        logger.log(level, "Left out of OpenLineage's event: %s (%s)", safe_text(what), safe_text(repr(error)))
        return None


def _facets(**makers: Callable[[], Any]) -> dict[str, Any]:
    """Those facets of which something is known."""
    found = {name: _made(name, make) for name, make in makers.items()}
    return {name: facet for name, facet in found.items() if facet is not None}


def _known(kind: Callable[..., T], **values: Any) -> T:
    """Make an object of the fields that its class has: those of older clients lack some."""
    fields = inspect.signature(kind).parameters
    return kind(**{name: value for name, value in values.items() if name in fields and value is not None})


def _name_of(dataset: Dataset, service: _Service | None) -> tuple[str, str] | None:
    """The namespace and the name of a dataset; None for one of a service that the task has not reached."""
    if dataset.kind is Kind.STORED:
        return stored_name(dataset.name)
    if service is None:
        return None
    if dataset.kind is Kind.BENCHMARK:
        return service.namespace, safe_text(dataset.name)
    return service.namespace, safe_text(f"{dataset.workspace or service.workspace}/{dataset.name}/scores")


def _input(dataset: Dataset, service: _Service | None) -> Any:
    from openlineage.client.event_v2 import InputDataset

    name = _name_of(dataset, service)
    if name is None:
        return None
    facets = _facets(
        inputStatistics=lambda: _statistics(dataset, is_input=True),
        dataQualityMetrics=lambda: _quality_metrics(dataset),
        dataQualityAssertions=lambda: _assertions(dataset),
    )
    schema = _facets(schema=lambda: _schema(dataset.scores))
    return InputDataset(namespace=name[0], name=name[1], facets=schema, inputFacets=facets)


def _output(dataset: Dataset, service: _Service | None) -> Any:
    from openlineage.client.event_v2 import OutputDataset

    name = _name_of(dataset, service)
    if name is None:
        return None
    facets = _facets(outputStatistics=lambda: _statistics(dataset, is_input=False))
    schema = _facets(schema=lambda: _schema(dataset.scores))
    return OutputDataset(namespace=name[0], name=name[1], facets=schema, outputFacets=facets)


def _statistics(dataset: Dataset, *, is_input: bool) -> Any:
    """Rows, bytes and files of a dataset; None where none of them is known."""
    if (dataset.rows, dataset.bytes, dataset.files) == (None, None, None):
        return None
    kind: Any
    if is_input:
        from openlineage.client.facet_v2 import input_statistics_input_dataset

        kind = input_statistics_input_dataset.InputStatisticsInputDatasetFacet
    else:
        from openlineage.client.facet_v2 import output_statistics_output_dataset

        kind = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet
    return _known(kind, rowCount=dataset.rows, size=dataset.bytes, fileCount=dataset.files)


def _columns(scores: AggregateScores | None) -> dict[tuple[str, str], str]:
    """The first scores of a job as columns, by metric and name; one that would be called like another has a number."""
    names: dict[tuple[str, str], str] = {}
    for score in () if scores is None else scores.scores[:MAX_MEANS]:
        name = free = _column(score.metric, score.name)
        number = 2
        while free in names.values():
            free, number = f"{name} ({number})", number + 1
        names.setdefault((score.metric, score.name), free)
    return names


def _column(metric: str, score: str | None) -> str:
    return safe_text(f"{metric}:{score}" if score else metric)


def _schema(scores: AggregateScores | None) -> Any:
    """The scores as columns, by the names that assertions have for them."""
    if scores is None or not scores.scores:
        return None
    from openlineage.client.facet_v2 import schema_dataset

    return schema_dataset.SchemaDatasetFacet(
        fields=[schema_dataset.SchemaDatasetFacetFields(name=name, type="double") for name in _columns(scores).values()]
    )


def _quality_metrics(dataset: Dataset) -> Any:
    """The statistics of each score."""
    if dataset.scores is None or not dataset.scores.scores:
        return None
    from openlineage.client.facet_v2 import data_quality_metrics_input_dataset as quality

    names, found = _columns(dataset.scores), dataset.scores.scores[:MAX_MEANS]
    # Of two with the same metric and name, nothing tells which one others mean: the first is told.
    columns = {
        names[score.metric, score.name]: quality.ColumnMetrics(**_statistics_of(score)) for score in reversed(found)
    }
    kind = quality.DataQualityMetricsInputDatasetFacet
    return _known(kind, columnMetrics=columns, rowCount=dataset.scores.expected_rows)


def _statistics_of(score: AggregateScore) -> dict[str, Any]:
    """What OpenLineage has a field for: the mean is the sum by the count."""
    total = score.sum
    if not is_number(total) and is_number(score.mean) and score.count:
        total = score.mean * score.count
    numbers = {"sum": total, "count": score.count, "min": score.min, "max": score.max}
    found: dict[str, Any] = {name: value for name, value in numbers.items() if is_number(value)}
    quantiles = {
        _quantile(place[1]): value
        for name, value in score.percentiles.items()
        if (place := _PERCENTILE.fullmatch(name)) and is_number(value)
    }
    return {**found, "nullCount": score.nan_count, "quantiles": quantiles}


def _quantile(digits: str) -> str:
    is_percent = len(digits) <= 2 or digits == "100"
    return f"{int(digits) / 100 if is_percent else float(f'0.{digits}'):g}"


def _assertions(dataset: Dataset) -> Any:
    """What each check of a gate found; of many, those first that were not met."""
    if dataset.verdict is None:
        return None
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality

    results, names = dataset.verdict.results, _columns(dataset.scores)
    chosen = sorted(range(len(results)), key=lambda place: _ORDER.index(results[place].outcome))[:MAX_CHECKS]
    found = [_assertion(results[place], names) for place in sorted(chosen)]
    if others := [results[place] for place in sorted(set(range(len(results))).difference(chosen))]:
        found.append(_further(others))
    return quality.DataQualityAssertionsDatasetFacet(assertions=[_known(quality.Assertion, **each) for each in found])


def _assertion(result: CheckResult, columns: dict[tuple[str, str], str]) -> dict[str, Any]:
    parts = (result.check.observed_statistic, result.expected, result.group and f"where {result.group}")
    column = columns.get((result.metric, result.score or ""), _column(result.metric, result.score))
    return {
        "assertion": safe_text(" ".join(part for part in parts if part)),
        "success": result.outcome == Outcome.PASS,
        "column": column,
        # What does not fail the gate is a warning, though its check could not be judged.
        "severity": "warn" if result.outcome == Outcome.WARN else "error",
        "description": safe_text(result.reason) or None,
        "expected": safe_text(result.expected) or None,
        "actual": None if result.observed is None else safe_text(result.observed_text),
        "params": {"outcome": str(result.outcome)},
    }


def _further(results: Sequence[CheckResult]) -> dict[str, Any]:
    """The checks that there is no room for, as a single assertion: OpenLineage has no other place for their number."""
    outcomes = Counter(str(result.outcome) for result in results)
    worst = min((result.outcome for result in results), key=_ORDER.index)
    return {
        "assertion": f"{len(results):,} further checks",
        "success": worst == Outcome.PASS,
        "severity": "warn" if worst == Outcome.WARN else "error",
        "description": f"Left out: {', '.join(f'{number:,} {outcome}' for outcome, number in outcomes.items())}",
        "params": {"outcome": str(worst)},
    }


def _external_query(lineage: Lineage, service: _Service | None) -> Any:
    """Which job on the service the task is about, also where it has no scores."""
    if not lineage.job or service is None:
        return None
    from openlineage.client.facet_v2 import external_query_run

    job = safe_text(f"{lineage.workspace or service.workspace}/{lineage.job}")
    return external_query_run.ExternalQueryRunFacet(externalQueryId=job, source=service.namespace)


def _add_declared(datasets: list[Any], entities: Any) -> None:
    """Add what the DAG file declares as inlets or outlets, but for what is there already."""
    from airflow.providers.openlineage.extractors.manager import ExtractorManager

    for entity in entities:
        known = {(each.namespace, each.name) for each in datasets}
        found = _made("an inlet or outlet", partial(ExtractorManager.convert_to_ol_dataset, entity))
        if found is not None and (found.namespace, found.name) not in known:
            datasets.append(found)
