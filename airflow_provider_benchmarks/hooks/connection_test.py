"""What the connection form's Test button finds out."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_provider_benchmarks.exceptions import InvalidRequest, NotFound, ProtocolError, Unauthorized
from airflow_provider_benchmarks.hooks.quick_requests import short_timeout_client

if TYPE_CHECKING:
    from airflow_provider_benchmarks.client import ClientConfig

#: For all its requests: a person waits for it.
TOTAL_SECONDS = 30.0
#: What a gateway that lets only the service's own paths through answers a request for its health: jobs work then.
_HIDDEN_HEALTH = (NotFound, ProtocolError, InvalidRequest, Unauthorized)


def reached(config: ClientConfig) -> str:
    """Check that the service responds, accepts the token, and has the workspace.

    :return: what was reached, in a sentence
    :raises BenchmarkError: says what to mend
    """
    with short_timeout_client(config) as client, client.within(TOTAL_SECONDS):
        generation = client.get_generation()
        client.check_workspace()
        with suppress(*_HIDDEN_HEALTH):
            client.check_health()
        version = client.get_platform_version()
    return (
        f"Reached {generation.title_of(version)} ({generation.name}, platform version {version}) at "
        f'{config.base_url} under {generation.prefix}, workspace "{config.workspace}".'
    )
