from __future__ import annotations

import ssl

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
        ({"timeout": "5"}, "at most 86,400, found '5'"),
        ({"timeout": None}, "at most 86,400, found None"),
        ({"timeout": True}, "at most 86,400, found True"),
        ({"timeout": 10**400}, "at most 86,400"),
        *(({"retry_seconds": odd}, "retry_seconds must be") for odd in (float("inf"), float("nan"), -1, "5", 10**5000)),
        *(
            ({"headers": {name: "5"}}, f'the header "{name}" is set')
            for name in ("Content-Length", "TRANSFER-ENCODING")
        ),
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


def test_the_usual_authorities_are_read_once_for_each_environment(tmp_path, monkeypatch):
    def context(**fields):
        return ClientConfig(base_url=BASE, **fields).transport_options()["verify"]

    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    usual = context()
    assert (usual.check_hostname, usual.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert context() is usual

    (tmp_path / "none.pem").write_text("no certificates")  # httpx 0.27 does without a file that is missing
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(ConfigurationError, match=r"the certificates of .*none\.pem can't be read: "):
        context()
    assert context(verify=False) is False
    assert context(trust_env=False) is not usual


def test_secrets_are_not_in_the_repr():
    config = ClientConfig(base_url=BASE, token="s3cret", headers={"X-Api-Key": "k3y"})
    assert "s3cret" not in repr(config)
    assert "k3y" not in repr(config)


@pytest.mark.parametrize("speed", [-1, float("nan"), float("inf")])
def test_a_least_speed_is_a_number_that_can_be_had(speed):
    with pytest.raises(ConfigurationError, match="min_download_speed must be 0 bytes per second"):
        ClientConfig(base_url="http://evaluator.invalid", min_download_speed=speed)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"base_url": None}, "base_url must be a text, found a value of type NoneType"),
        ({"base_url": 5}, "base_url must be a text"),
        ({"workspace": None}, "workspace must be a text"),
        ({"workspace": ["a"]}, "workspace must be a text"),
        ({"token": 5}, "token must be a text"),
        ({"headers": [1]}, "headers must be a mapping, found a list"),
        ({"headers": {"a": 5}}, "header a must be a text|header 'a' must be a text"),
        ({"headers": {5: "a"}}, "the names of headers must be texts"),
        ({"api": []}, "api must be a text"),
        ({"verify": None}, "verify must be True, False, or the path"),
        ({"min_download_speed": "x"}, "min_download_speed must be 0 bytes per second"),
        ({"min_download_speed": None}, "min_download_speed must be 0 bytes per second"),
        ({"min_download_speed": 10**400}, "min_download_speed must be 0 bytes per second"),
    ],
)
def test_values_of_another_type(fields, said):
    with pytest.raises(ConfigurationError, match=said):
        ClientConfig(**{"base_url": "http://evaluator.invalid", **fields})
