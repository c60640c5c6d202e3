"""What OpenLineage is told of a gate: which scores it judged, and what each check found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_benchmarks.gates import Outcome
from airflow_provider_benchmarks.storable import storable_text

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
            assertion=storable_text(
                " ".join(
                    part
                    for part in (
                        result.check.observed_statistic,
                        result.expected,
                        result.group and f"where {result.group}",
                    )
                    if part
                )
            ),
            success=result.outcome == Outcome.PASS,
            column=storable_text(f"{result.metric}:{result.score}" if result.score else result.metric),
        )
        for result in verdict.results
    ]
    found: dict[str, Any] = {"dataQualityAssertions": quality.DataQualityAssertionsDatasetFacet(assertions=assertions)}
    candidate, baseline = (storable_text(f"{workspace}/{job}/scores") for job in (verdict.job, verdict.baseline))
    inputs = [InputDataset(namespace=namespace, name=candidate, inputFacets=found)]
    if verdict.baseline:
        inputs.append(InputDataset(namespace=namespace, name=baseline))
    return OperatorLineage(inputs=inputs)
