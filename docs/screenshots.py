"""``make screenshots``: the pictures of docs/images/, from a real browser and a real Airflow after a release failed."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from airflow_provider_benchmarks.testing import EvaluationService
from tests.support.airflow_runs import EXAMPLE_DAGS, REPOSITORY, AirflowHome
from tests.support.airflow_services import AirflowServices

IMAGES = REPOSITORY / "docs" / "images"
CHROMIUM = "/usr/bin/chromium"
DAG = "model_release_gate"
ROWS = 400
JOB_SECONDS = 75.0  # long enough for the log to tell how the wait goes on
SIZE = {"width": 1440, "height": 900}
#: Replaces a text on the whole page: where this checkout lies is of no interest.
RENAME = """([old, now]) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(old, now);
}"""


def results(*, lost: int) -> dict[str, Any]:
    """Scores of a model that loses these of its rows, all in one category."""
    names = ("exact-match", "string-check")
    rows = []
    for index in range(ROWS):
        value = float(index % 20 != 1 and not (index % 4 == 0 and index < 4 * lost))
        item = {"input": f"What is {index} + {index}?", "reference": str(2 * index)}
        item["category"] = "math" if index % 4 == 0 else "prose"
        answer = str(2 * index) if value else f"I think that it is {2 * index + 1}."
        metrics = {f"my-workspace/{name}": [{"name": name, "value": value}] for name in names}
        rows.append({"row_index": index, "item": item, "sample": {"output_text": answer}, "metrics": metrics})
    mean = sum(row["metrics"]["my-workspace/exact-match"][0]["value"] for row in rows) / ROWS
    spread = (mean * (1 - mean)) ** 0.5
    statistics = {"count": ROWS, "nan_count": 0, "mean": mean, "std_dev": spread, "variance": spread**2}
    statistics |= {"min": 0, "max": 1, "sum": mean * ROWS, "score_type": "range"}
    scores = [{"metric": f"my-workspace/{name}", "scores": [{"name": name, **statistics}]} for name in names]
    return {"aggregate": {"results": scores}, "rows": rows}


def main() -> int:
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory(prefix="screenshots-") as folder,
        EvaluationService(job_seconds=0.2) as service,
        sync_playwright() as playwright,
    ):
        benchmark = service.seed_question_answer_example()
        settings = {
            "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True",
            "AIRFLOW__BENCHMARKS__STORAGE_URL": "https://storage.example.com/{key}",
            "AIRFLOW__BENCHMARKS__JOB_URL": "https://studio.example.com/{workspace}/jobs/{job_name}",
        }
        airflow = AirflowHome(Path(folder) / "airflow", EXAMPLE_DAGS)
        with AirflowServices(airflow, service.url, **settings) as services:
            conf = {"store": f"file://{folder}/scores", "reports": f"file://{folder}/reports"}
            run = _run_twice(services, service, benchmark, conf)
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport=SIZE)
            base = f"{services.url}/dags/{DAG}/runs/{quote(run)}/tasks"
            for name, path, words in (
                ("gate-log", "gate", "FAIL:"),
                ("gate-links", "gate/details", "Benchmark job"),
                ("gate-rendered", "gate/rendered_templates", "rendered_checks"),
                ("wait-log", "run_benchmark", "string-check"),
            ):
                page.goto(f"{base}/{path}")
                found = page.get_by_text(words).first
                found.wait_for(timeout=60_000)
                if name != "gate-log":  # Airflow shows the end of a log: that must have the verdict
                    found.scroll_into_view_if_needed()
                page.evaluate(RENAME, [str(REPOSITORY), "/opt/airflow"])
                page.screenshot(path=IMAGES / f"{name}.png")
            _report(page, Path(folder) / "reports")
            browser.close()
    return 0


def _run_twice(services: AirflowServices, service: EvaluationService, benchmark: str, conf: dict[str, str]) -> str:
    """Release a good model, which is pinned, and then a worse one; the id of the second run."""
    service.give_results(benchmark, **results(lost=0))
    services.api.trigger(DAG, **conf)
    first = services.run_dag(DAG, trigger=False)
    assert first.state == "success", first.log
    service.set_job_seconds(JOB_SECONDS)
    service.give_results(benchmark, **results(lost=50))
    services.api.trigger(DAG, **conf)
    second = services.run_dag(DAG, trigger=False)
    assert second.tasks["gate"] == "failed", second.log
    return str(services.api.runs(DAG)[0]["dag_run_id"])


def _report(page: Any, reports: Path) -> None:
    (newest,) = sorted(reports.glob("*.html"), key=lambda path: path.stat().st_mtime)[-1:]
    page.goto(newest.as_uri())
    page.screenshot(path=IMAGES / "report.png")
    page.get_by_text("Rows that got worse most").first.evaluate("heading => heading.scrollIntoView()")
    page.screenshot(path=IMAGES / "report-rows.png")


if __name__ == "__main__":
    sys.exit(main())
