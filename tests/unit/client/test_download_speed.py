from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from airflow_provider_benchmarks.client import _download_speed
from airflow_provider_benchmarks.client._download_speed import DownloadSpeed, measured_download
from airflow_provider_benchmarks.exceptions import ServiceUnavailable


def test_one_that_is_too_slow_ends():
    speed = DownloadSpeed("rows", least=1000, timeout=30, length=100_000)
    for _ in range(59):
        speed.add(999, 1.0)
    with pytest.raises(
        ServiceUnavailable,
        match=r"rows: the download is too slow: 999 bytes per second over the last 60 s, less than the 1,000 .*; "
        r'59,940 bytes of 100,000 \(60%\) so far.*"min_download_speed"',
    ):
        speed.add(999, 1.0)


@pytest.mark.parametrize("least", [0, 1000])
def test_a_pause_as_long_as_the_timeout_is_no_slowness(least):
    speed = DownloadSpeed("rows", least=least, timeout=30)
    for _ in range(10):
        speed.add(100_000, 30.0)


def test_without_a_limit_none_is_too_slow():
    speed = DownloadSpeed("rows", least=0, timeout=30)
    for _ in range(1000):
        speed.add(1, 30.0)


def test_who_reads_slowly_makes_no_download_slow():
    speed = DownloadSpeed("rows", least=1000, timeout=1)
    for _ in range(1000):
        speed.add(1, 0.0)


def test_reads_belong_to_the_download_whose_piece_is_read():
    speed, seen = DownloadSpeed("rows", least=0, timeout=1), []

    def pieces():
        for _ in range(2):
            seen.append(measured_download())
            yield b"x"

    for _ in speed.of(pieces()):
        assert measured_download() is None
    assert seen == [speed, speed]


def test_a_long_one_reports_how_far_it_is(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    clock = [0.0]
    monkeypatch.setattr(_download_speed, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    speed = DownloadSpeed("rows of job-1", least=0, timeout=30, rows=lambda: 1234)
    for _ in range(5):
        clock[0] += 60
        speed.add(60_000, 1.0)
    assert [record.message for record in caplog.records] == [
        "rows of job-1: 1,234 rows in 120,000 bytes so far, at 1,000 bytes per second",
        "rows of job-1: 1,234 rows in 240,000 bytes so far, at 1,000 bytes per second",
    ]
