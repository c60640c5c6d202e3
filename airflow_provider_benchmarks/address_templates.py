"""Addresses for people, from a template of the configuration and the names of what they show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter
from urllib.parse import quote, urlsplit

from airflow_provider_benchmarks.brief import shortened
from airflow_provider_benchmarks.exceptions import ConfigurationError
from airflow_provider_benchmarks.storable import storable_text

#: The one field that is an address itself, or its beginning.
BASE_URL = "base_url"
_NOT_IN_ADDRESSES = re.compile(r"[\s\x00-\x1f\x7f\\<>\"]")


def fields_of(template: str) -> set[str]:
    """The names of the fields in a template; none where it can't be read."""
    try:
        return {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError:
        return set()


def filled_address(template: str, fields: Mapping[str, str], *, option: str) -> str:
    """Fill in a template such as ``https://ui.example.com/{workspace}/jobs/{job_name}``.

    Values are percent-encoded, but for slashes; ``base_url`` stands as it is.

    :param option: where the template comes from, for messages
    :raises ConfigurationError: it can't be read, has a field that is not known, or gives no address of a web page
    """
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise _error(option, template, str(error), fields) from error
    address = ""
    for literal, name, spec, conversion in parts:
        address += literal
        if name is None:
            continue
        if name not in fields:
            raise _error(option, template, f"{{{shortened(name, 40)}}} is none of its fields", fields)
        if spec or conversion:
            extra = f"{f'!{conversion}' if conversion else ''}{f':{spec}' if spec else ''}"
            raise _error(option, template, f"{{{name}}} takes no {shortened(extra, 40)}", fields)
        value = storable_text(fields[name])
        address += value.rstrip("/") if name == BASE_URL else quote(value, safe="/")
    if not is_address(address):
        raise _error(option, template, f'"{shortened(address)}" is no http or https address', fields)
    return address


def is_address(text: str) -> bool:
    """True for an address of a web page that names no user."""
    try:
        url = urlsplit(text)
        named = bool(url.hostname) and "@" not in url.netloc
    except ValueError:
        return False
    is_clean = text.isprintable() and _NOT_IN_ADDRESSES.search(text) is None
    return named and url.scheme in ("http", "https") and is_clean


def _error(option: str, template: str, problem: str, fields: Mapping[str, str]) -> ConfigurationError:
    known = ", ".join(f"{{{name}}}" for name in fields)
    return ConfigurationError(f'{option} = "{shortened(template)}": {shortened(problem)}. It may have {known}.')
