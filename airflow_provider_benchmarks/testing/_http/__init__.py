"""HTTP/1.1 for the local evaluation service: requests, responses, router, server. Knows nothing of evaluation."""
