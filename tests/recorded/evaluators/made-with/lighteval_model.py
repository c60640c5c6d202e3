"""A model for lighteval that answers the first questions of a list."""

import json
import os
from pathlib import Path

from lighteval.models.abstract_model import LightevalModel
from lighteval.models.model_output import ModelResponse
from lighteval.utils.cache_management import SampleCache

ROWS = [json.loads(line) for line in Path("questions.jsonl").read_text().splitlines()]
RIGHT = int(os.environ["RIGHT"])


class Listed(LightevalModel):
    tokenizer = None
    add_special_tokens = False
    max_length = 2048

    def __init__(self, config):
        self.config = config
        self._cache = SampleCache(config)

    def greedy_until(self, docs):
        return [ModelResponse(input=doc.query, text=[self.answer(doc.query)]) for doc in docs]

    def answer(self, prompt):
        place = next(number for number, row in enumerate(ROWS) if row["question"] in prompt)
        return ROWS[place]["answer"] if place < RIGHT else "no idea"

    def loglikelihood(self, docs):
        raise NotImplementedError

    def loglikelihood_rolling(self, docs):
        raise NotImplementedError
