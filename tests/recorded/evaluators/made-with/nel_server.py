"""An OpenAI-compatible server that answers the first questions of a list; for the last one it always returns 500."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT, RIGHT = int(sys.argv[1]), int(sys.argv[2])
ROWS = [json.loads(line) for line in Path("questions.jsonl").read_text().splitlines()]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = asked["messages"][-1]["content"]
        place = next(number for number, row in enumerate(ROWS) if row["question"] in text)
        if place == len(ROWS) - 1:
            self.answer(500, {"error": {"message": "the model is overloaded"}})
            return
        message = {"role": "assistant", "content": ROWS[place]["answer"] if place < RIGHT else "no idea"}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
        about = {"id": "1", "object": "chat.completion", "created": 1, "model": asked["model"]}
        self.answer(200, {**about, "choices": choices, "usage": usage})

    def answer(self, status, data):
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
