"""How layers that work without Airflow open a URL that names an Airflow connection.

They can't import the layer that does it. The package's ``__init__`` hands its opener down to here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_airflow_opener: Callable[[str], Any] | None = None


def set_airflow_opener(opener: Callable[[str], Any]) -> None:
    """Hand down what makes a path of a URL.

    :param opener: raises ImportError where Airflow is not installed
    """
    global _airflow_opener
    _airflow_opener = opener


def airflow_path(url: str) -> Any:
    """Make Airflow's path of a URL, which has ``open``, ``fs`` and ``path``.

    :raises ImportError: Airflow is not installed
    :raises ConfigurationError: there is no such connection, or no filesystem for the URL
    """
    if _airflow_opener is None:
        raise ImportError("no opener was handed down")
    return _airflow_opener(url)
