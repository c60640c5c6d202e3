"""A verdict as an HTML page that needs nothing else: no script, no request, no more than 500 kB."""

from __future__ import annotations

from airflow_provider_benchmarks.extras import REPORT, require
from airflow_provider_benchmarks.gates.report_context import ReportContext
from airflow_provider_benchmarks.gates.verdict import Verdict
from airflow_provider_benchmarks.storable import storable_text
from airflow_provider_benchmarks.views.report import ReportView

_TEMPLATE = "report.html.jinja"


def html_page(verdict: Verdict, context: ReportContext | None = None) -> str:
    """The verdict, what keeps it from passing first; the same bytes for the same verdict.

    :param context: what is known besides
    :raises ConfigurationError: the packages that it needs are not installed (extra ``report``)
    """
    require("an HTML report needs", *REPORT, extra="report")
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Not select_autoescape, which goes by names: all that the page has is escaped.
    templates = Environment(
        loader=PackageLoader("airflow_provider_benchmarks", "views"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = templates.get_template(_TEMPLATE).render(view=ReportView.of(verdict, context or ReportContext()))
    return storable_text(page)
