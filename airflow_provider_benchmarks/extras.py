"""Modules that not everyone installs, and the extra that each comes with."""

from __future__ import annotations

from importlib.util import find_spec

from airflow_provider_benchmarks.exceptions import ConfigurationError

_EXTRAS = {"jinja2": "testing", "matplotlib": "report", "pyarrow": "parquet", "xxhash": "parquet", "scipy": "stats"}
#: What files of row scores are written with as Parquet.
PARQUET = ("pyarrow", "xxhash")
#: What reports in HTML are made with.
REPORT = ("jinja2", "matplotlib")


def missing(*modules: str) -> list[str]:
    """Those of some modules that are not installed; none is imported."""
    return [module for module in modules if find_spec(module) is None]


def require(what: str, *modules: str, extra: str | None = None) -> None:
    """Refuse what some modules are needed for, where one is not installed.

    :param what: with its verb, for the message: ``CSV files need``
    :param extra: that has all of them, where another one has some, too
    :raises ConfigurationError: names what is missing, and the extra to install
    """
    if lacking := missing(*modules):
        extras = extra or ",".join(dict.fromkeys(_EXTRAS[module] for module in lacking))
        raise ConfigurationError(f"{what} {' and '.join(lacking)}: install airflow-provider-benchmarks[{extras}]")
