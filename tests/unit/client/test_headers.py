from __future__ import annotations

import httpx
import pytest

from airflow_provider_benchmarks import __version__
from airflow_provider_benchmarks.client import ClientConfig
from airflow_provider_benchmarks.client._headers import (
    headers_of_every_request,
    is_own_origin,
    secret_headers,
    strip_secrets,
)

BASE = "https://evaluator.example.com"


def test_the_user_agent_is_the_package_with_its_version():
    sent = headers_of_every_request(ClientConfig(base_url=BASE))
    assert sent["User-Agent"] == f"airflow-provider-benchmarks/{__version__}"


def test_a_header_of_the_connection_comes_before_ours():
    sent = headers_of_every_request(ClientConfig(base_url=BASE, headers={"user-agent": "a gateway's own"}))
    assert [value for name, value in sent.items() if name.lower() == "user-agent"] == ["a gateway's own"]


def test_no_token_no_authorization():
    assert secret_headers(ClientConfig(base_url=BASE)) == {}
    assert secret_headers(ClientConfig(base_url=BASE, token="t")) == {"Authorization": "Bearer t"}


def test_headers_are_sent_once_without_blanks_and_the_token_wins():
    headers = {"authorization": "Basic old", "x-api-key": "old", "X-Api-Key": " k3y\t\n", "accept": "text/plain"}
    config = ClientConfig(base_url=BASE, token=" t\n", headers=headers)
    with httpx.Client(headers=headers_of_every_request(config)) as client:
        sent = client.build_request("GET", BASE).headers
    assert [sent.get_list(name) for name in ("authorization", "x-api-key", "accept")] == [
        ["Bearer t"],
        ["k3y"],
        ["text/plain"],
    ]
    without_token = secret_headers(ClientConfig(base_url=BASE, headers=headers))
    assert without_token["authorization"] == "Basic old"


@pytest.mark.parametrize(
    ("base", "url", "own"),
    [
        (BASE, f"{BASE}/x", True),
        (BASE, f"{BASE}:443/x", True),
        (BASE, "https://evaluator.example.com:8443/x", False),
        (BASE, "http://evaluator.example.com/x", False),
        (BASE, "https://evaluator.example.com.evil.net/x", False),
        ("http://evaluator.example.com", f"{BASE}/x", True),
        ("http://evaluator.example.com:8080", f"{BASE}/x", False),
    ],
)
def test_only_the_service_itself_is_its_own_origin(base, url, own):
    config = ClientConfig(base_url=base, token="t", headers={"X-Api-Key": "k"})
    assert is_own_origin(config, httpx.URL(url)) is own
    request = httpx.Request("GET", url, headers=secret_headers(config))
    strip_secrets(config, request)
    assert ("authorization" in request.headers, "x-api-key" in request.headers) == (own, own)
