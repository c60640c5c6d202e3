"""Jinja templates of metrics.

Templates see ``item`` (the dataset row), ``sample`` (what the release has of an offline job) and the row's fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jinja2
from jinja2.sandbox import SandboxedEnvironment

Item = dict[str, Any]

_ENVIRONMENT = SandboxedEnvironment(undefined=jinja2.StrictUndefined)
_UNDEFINED_MESSAGE = re.compile(r"'dict object' has no attribute '([^']+)'|'([^']+)' is undefined")


def render(template: str, item: Item, sample: Item | None = None) -> Any:
    """Render a template; a single ``{{ expression }}`` returns the value itself, not its text.

    :raises jinja2.UndefinedError: the item lacks a field that the template uses
    """
    context = {**item, "item": item, "sample": sample or {}}
    value: Any = _compile(template)(context)
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises: the environment's undefined is the strict one
    return json.loads(value) if "tojson" in template and isinstance(value, str) else value


@lru_cache(maxsize=256)
def _compile(template: str) -> Callable[[Item], Any]:
    text = template.strip()
    single = text.startswith("{{") and text.endswith("}}") and text.count("{{") == text.count("}}") == 1
    if single and "{%" not in text:
        expression = _ENVIRONMENT.compile_expression(text[2:-2].strip(), undefined_to_none=False)
        return lambda context: expression(**{name: value for name, value in context.items() if name.isidentifier()})
    return _ENVIRONMENT.from_string(template).render


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A row as a metric sees it.

    :param metric: fields of the metric
    :param advice: end of the error for a field that the item lacks
    """

    metric: Mapping[str, Any]
    item: Item
    sample: Item
    advice: str

    def render(self, field: str) -> Any:
        """Render a template of the metric.

        :raises ValueError: the template is wrong, or the item lacks a field; in the service's own words
        """
        try:
            return render(str(self.metric[field]), self.item, self.sample)
        except jinja2.UndefinedError as error:
            message = error.message or str(error)
            missing = _UNDEFINED_MESSAGE.fullmatch(message)
            detail = f"jinja_error={message!r}."
            if missing:
                key = missing[1] or missing[2]
                detail = f"Dataset item has missing_key='{key}' but the '{field}' template references it."
            raise ValueError(
                f"{_describe(self.metric)} could not render its '{field}' template for this row.\n"
                f"Available item keys={sorted(self.item)}. \nAvailable sample keys={sorted(self.sample)}.\n{detail}\n"
                f"{self.advice}"
            ) from error
        except jinja2.TemplateError as error:
            raise ValueError(str(error)) from error


def _describe(metric: Mapping[str, Any]) -> str:
    if metric["type"] == "exact-match":
        return f"ExactMatchMetric(reference={metric['reference']!r}, candidate={metric.get('candidate')!r})"
    shown = ", ".join(f"{name}={metric[name]!r}" for name in ("operation", "left_template", "right_template"))
    return f"{'String' if metric['type'] == 'string-check' else 'Number'}CheckMetric({shown})"
