"""Gates that tell how they came out: by the Slack provider's own notifier, and by a function."""

from __future__ import annotations

import os
import urllib.request
from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import dag
from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

from airflow_provider_benchmarks.gates import Threshold
from airflow_provider_benchmarks.notifications.gate import BenchmarkGateNotifier
from airflow_provider_benchmarks.operators.gates import BenchmarkGateOperator
from airflow_provider_benchmarks.operators.jobs import RunBenchmarkJobOperator


def post(text: str) -> None:
    urllib.request.urlopen(os.environ["RECEIVER"], data=text.encode())


def break_down(text: str) -> None:
    raise RuntimeError("the chat is down")


@dag(schedule=None, start_date=datetime(2026, 1, 1), params={"store": ""})
def notified_gates():
    slack = BenchmarkGateNotifier(SlackWebhookNotifier(slack_webhook_conn_id="chat", text=""))
    run = RunBenchmarkJobOperator(task_id="run", spec={"benchmark": "my-workspace/qa-bench"}, poll_interval=0.1)
    judged: dict[str, Any] = {"job_name": run.output, "store": "{{ params.store }}", "retries": 0}
    missed = [Threshold("exact-match", at_least=0.9)]
    BenchmarkGateOperator(
        task_id="missed", checks=missed, report="{{ params.store }}/report.html", on_failure_callback=slack, **judged
    )
    BenchmarkGateOperator(
        task_id="held",
        checks=[Threshold("exact-match", at_least=0.5)],
        on_success_callback=BenchmarkGateNotifier(send=post),
        **judged,
    )
    BenchmarkGateOperator(
        task_id="untold", checks=missed, on_failure_callback=BenchmarkGateNotifier(send=break_down), **judged
    )
    BenchmarkGateOperator(
        task_id="no_verdict", **{**judged, "job_name": "no-such-job"}, checks=missed, on_failure_callback=slack
    )
    BenchmarkGateOperator.partial(
        task_id="mapped", map_index_template="{{ benchmark }} {{ benchmark_job }}", **judged
    ).expand(checks=[missed, [Threshold("exact-match", at_least=0.5)]])


notified_gates()
