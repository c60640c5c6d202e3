"""An online job on the real platform: the service calls a model, and scores what it responds."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from airflow_provider_benchmarks.benchmarks import Benchmark, JobRequest
from airflow_provider_benchmarks.client import BenchmarkClient, ClientConfig
from airflow_provider_benchmarks.testing import EXAMPLE_WORKSPACE, Seeder
from tests.support.airflow_services import wait_for

pytestmark = pytest.mark.releases("0.1", "0.3", "0.6", "0.7", "0.8")

RESPONSES = {"What is 2+2?": "4", "Capital of France?": "Paris", "Largest planet?": "Saturn"}
REFERENCES = {"What is 2+2?": "4", "Capital of France?": "Paris", "Largest planet?": "Jupiter"}
SAYS_IT = f"{EXAMPLE_WORKSPACE}/says-it"
LIMIT = 600
#: 0.1.0's jobs take a model at 127.0.0.1 for one at the platform's own address.
LOOPBACK = "127.0.0.2"
BENCHMARK = Benchmark(
    f"{EXAMPLE_WORKSPACE}/online",
    dataset=f"{EXAMPLE_WORKSPACE}/questions",
    metrics={
        SAYS_IT: {
            "type": "exact-match",
            "reference": "{{item.reference}}",
            "candidate": "{{sample.output_text}}",
        }
    },
)


class ChatModel(BaseHTTPRequestHandler):
    """Responds to the last message as OpenAI's chat completions do."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = request["messages"][-1]["content"] if "messages" in request else request["prompt"]
        self.server.prompts.append(text)  # type: ignore[attr-defined]
        message = {"role": "assistant", "content": RESPONSES.get(text, "pong")}
        choice = {"index": 0, "message": message, "text": message["content"], "finish_reason": "stop"}
        body = json.dumps({"id": "1", "object": "chat.completion", "model": "m", "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def model() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer((LOOPBACK, 0), ChatModel) as server:
        server.prompts = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_what_a_model_responds_is_scored(platform, model):
    with Seeder(platform.url, release=platform.release) as seeder:
        rows = [{"input": question, "reference": REFERENCES[question]} for question in RESPONSES]
        seeder.dataset(EXAMPLE_WORKSPACE, "questions", rows)
    request = JobRequest(
        BENCHMARK,
        model={"url": f"http://{LOOPBACK}:{model.server_port}/v1/chat/completions", "name": "chat"},
        prompt_template={"messages": [{"role": "user", "content": "{{item.input}}"}]},
        params={"parallelism": 1},
    )
    config = ClientConfig(base_url=platform.url, workspace=EXAMPLE_WORKSPACE, trust_env=False)
    with BenchmarkClient(config) as client:
        client.submit_job(request, name="online")
        wait_for(lambda: client.get_job("online").is_finished, LIMIT, lambda: f"{client.get_job('online')}")
        logs = "\n".join(line.message for line in client.get_logs("online"))
        assert client.get_job("online").status == "completed", logs
        scores = client.get_aggregate_scores("online")
        rows = list(client.iter_row_scores("online"))

    assert set(RESPONSES) <= set(model.prompts)
    assert scores.get(SAYS_IT).mean == pytest.approx(2 / 3)
    found = {row.item["input"]: (row.sample["output_text"], row.metrics[SAYS_IT]["exact-match"]) for row in rows}
    assert found == {
        question: (response, float(response == REFERENCES[question])) for question, response in RESPONSES.items()
    }
