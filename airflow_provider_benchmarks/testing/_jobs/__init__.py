"""Benchmark jobs of the local evaluation service: their life cycle, evaluation, results and logs."""
