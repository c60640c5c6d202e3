from __future__ import annotations

import httpx
import pytest

from airflow_provider_benchmarks.client import ClientConfig
from airflow_provider_benchmarks.exceptions import ConfigurationError

BASE = "https://evaluator.example.com"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"base_url": "evaluator.example.com"}, "must look like"),
        ({"base_url": "ftp://evaluator.example.com"}, "must look like"),
        ({"base_url": "https://"}, "must look like"),
        ({"base_url": "https://user:pass@host"}, "must not hold credentials"),
        ({"base_url": "htps://user:pass@host"}, "must not hold credentials"),
        ({"base_url": "user:pass@host"}, "must not hold credentials"),
        ({"base_url": "https://host:80a"}, "must look like"),
        ({"base_url": "https://host:65536"}, "must look like"),
        ({"base_url": "https://[::1"}, "must look like"),
        ({"base_url": "https://host?x=1"}, "must not hold credentials, a query"),
        ({"token": "a\nb"}, "API token has line breaks"),
        ({"token": "tökén"}, "API token"),
        ({"headers": {"X-Api-Key": "a\r\nInjected: 1"}}, 'header "X-Api-Key"'),
        ({"headers": {"X-Api-Kéy": "a"}}, '"X-Api-Kéy" can\'t be the name of an HTTP header'),
        ({"headers": {"X Api Key": "a"}}, '"X Api Key" can\'t be the name'),
        ({"headers": {"": "a"}}, "can't be the name"),
        ({"timeout": 0}, "more than 0 seconds"),
        ({"timeout": float("inf")}, "at most 86,400"),
        ({"timeout": float("nan")}, "at most 86,400"),
        ({"api": "v3"}, 'unknown api generation "v3"; known: auto, benchmark-jobs'),
        ({"verify": "/no/such/ca.pem"}, "does not exist"),
    ],
)
def test_wrong_values_are_named(fields, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        ClientConfig(**{"base_url": BASE, **fields})
    assert "user:pass" not in str(caught.value)


def test_a_file_that_is_no_ca_is_named(tmp_path):
    path = tmp_path / "ca.pem"
    path.write_text("not a certificate")
    with pytest.raises(ConfigurationError, match=r"ca\.pem"):
        ClientConfig(base_url=BASE, verify=str(path)).transport_options()


def test_secrets_are_not_in_the_repr():
    config = ClientConfig(base_url=BASE, token="s3cret", headers={"X-Api-Key": "k3y"})
    assert "s3cret" not in repr(config)
    assert "k3y" not in repr(config)


def test_no_token_no_authorization():
    assert ClientConfig(base_url=BASE).secret_headers() == {}
    assert ClientConfig(base_url=BASE, token="t").secret_headers() == {"Authorization": "Bearer t"}


def test_headers_are_sent_once_without_blanks_and_the_token_wins():
    headers = {"authorization": "Basic old", "x-api-key": "old", "X-Api-Key": " k3y\t\n", "accept": "text/plain"}
    config = ClientConfig(base_url=BASE, token=" t\n", headers=headers)
    with httpx.Client(headers=config.transport_options()["headers"]) as client:
        sent = client.build_request("GET", BASE).headers
    assert [sent.get_list(name) for name in ("authorization", "x-api-key", "accept")] == [
        ["Bearer t"],
        ["k3y"],
        ["text/plain"],
    ]
    without_token = ClientConfig(base_url=BASE, headers=headers).secret_headers()
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
    assert config.is_own_origin(httpx.URL(url)) is own
    request = httpx.Request("GET", url, headers=config.secret_headers())
    config.strip_secrets(request)
    assert ("authorization" in request.headers, "x-api-key" in request.headers) == (own, own)
