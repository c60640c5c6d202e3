"""What route handlers need of the service."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_benchmarks.testing._jobs.controllers import Controllers
from airflow_provider_benchmarks.testing._jobs.scenarios import Scenarios
from airflow_provider_benchmarks.testing._state.state import State


@dataclass(frozen=True, slots=True)
class Context:
    """The service's data, and what moves it.

    :param token: bearer token that requests must have; None: authentication is off
    :param read_only_token: another one, which only allows reading
    """

    state: State
    scenarios: Scenarios
    controllers: Controllers
    token: str | None = None
    read_only_token: str | None = None
