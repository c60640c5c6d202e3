from __future__ import annotations

from dataclasses import fields

import pytest

from airflow_provider_benchmarks.client import ClientConfig
from airflow_provider_benchmarks.connection_fields import CONNECTION_FIELDS, read_fields, secret_values
from airflow_provider_benchmarks.exceptions import ConfigurationError


def test_each_is_a_field_of_the_configuration():
    assert CONNECTION_FIELDS.keys() <= {field.name for field in fields(ClientConfig)}


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_what_is_not_set_has_the_default_of_the_configuration(blank):
    assert read_fields(dict.fromkeys(CONNECTION_FIELDS, blank)) == {}
    assert read_fields({}) == {}


def test_texts_and_values_of_json_are_read():
    extra = {"workspace": " qa ", "timeout": 7, "api": "auto", "headers": '{"X-A": " a "}', "unknown": 1}
    assert read_fields(extra) == {"workspace": "qa", "timeout": 7.0, "api": "auto", "headers": {"X-A": " a "}}


@pytest.mark.parametrize(
    ("value", "verify"),
    [(False, False), ("False", False), ("no", False), ("1", True), (True, True), ("/etc/ca.pem", "/etc/ca.pem")],
)
def test_verify_is_a_word_or_a_path(value, verify):
    assert read_fields({"verify": value}) == {"verify": verify}


def test_the_values_of_headers_are_secrets():
    assert secret_values({"headers": {"X-A": " k3y "}, "workspace": "qa"}) == ["k3y"]
    assert secret_values({"workspace": "qa"}) == []
    with pytest.raises(ConfigurationError, match='extra "headers" must be a JSON object'):
        secret_values({"headers": "k3y"})


@pytest.mark.parametrize(
    ("value", "speed"), [(0, 0.0), ("0", 0.0), ("off", 0.0), ("None", 0.0), (False, 0.0), (250, 250.0), ("1e3", 1000.0)]
)
def test_the_least_speed_of_downloads_can_be_turned_off(value, speed):
    assert read_fields({"min_download_speed": value}) == {"min_download_speed": speed}


def test_a_least_speed_is_a_number():
    with pytest.raises(ConfigurationError, match='"min_download_speed" must be a number of bytes per second, or 0'):
        read_fields({"min_download_speed": "fast"})
