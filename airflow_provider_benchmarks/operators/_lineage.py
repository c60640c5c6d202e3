"""What OpenLineage is told of a gate: which scores it judged, and what each check found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_benchmarks.gates import Outcome

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_benchmarks.gates import Verdict


def lineage_of(verdict: Verdict | None, *, base_url: str, workspace: str) -> OperatorLineage[Any, Any] | None:
    """The scores as input datasets; the candidate's with each check as a data quality assertion.

    :param verdict: None where the gate could not judge
    :param base_url: of the evaluation service; scores are named after where they are
    """
    if verdict is None:
        return None
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality

    service = urlsplit(base_url)
    namespace = f"nemo-evaluator://{service.netloc}{service.path.rstrip('/')}"
    assertions = [
        quality.Assertion(
            assertion=" ".join(
                part
                for part in (result.check.statistic, result.expected, result.group and f"where {result.group}")
                if part
            ),
            success=result.outcome == Outcome.PASS,
            column=f"{result.metric}:{result.score}" if result.score else result.metric,
        )
        for result in verdict.results
    ]
    found: dict[str, Any] = {"dataQualityAssertions": quality.DataQualityAssertionsDatasetFacet(assertions=assertions)}
    inputs = [InputDataset(namespace=namespace, name=f"{workspace}/{verdict.job}/scores", inputFacets=found)]
    if verdict.baseline:
        inputs.append(InputDataset(namespace=namespace, name=f"{workspace}/{verdict.baseline}/scores"))
    return OperatorLineage(inputs=inputs)
