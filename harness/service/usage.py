"""What a response cost, counted in tokens as the service's own usage is made up."""

from __future__ import annotations

from dataclasses import dataclass

from harness.dialects import Evidence
from harness.messages import Json
from harness.service.registry import CAPTURE_BETA, CAPTURES, rule

MS_PER_AUDIO_TOKEN = 50

_INPUT_TOKENS = 32
"""What the model read: nobody can count that without its tokenizer."""


@rule(
    "responses.usage.audio",
    "a token of spoken answer stands for 50 ms",
    evidence=Evidence.RECORDED,
    source="OpenAI beta capture of August 2025: 69 tokens, 3.45 s",
)
@rule(
    "responses.usage.input",
    "the model read 32 tokens",
    evidence=Evidence.ASSUMED,
    source="the service's tokenizer is not ours",
)
@dataclass
class Cost:
    """What the model said, in tokens."""

    text: int = 0
    audio: int = 0

    @property
    def output(self) -> int:
        return self.text + self.audio


@rule(
    "responses.usage.completed",
    "`response.done` says what the response cost",
    evidence=Evidence.RECORDED,
    source=f"{CAPTURES} and OpenAI beta captures: 19 of 19",
)
@rule(
    "responses.usage.nothing-said",
    "a response cut before it said anything has a usage of zeros throughout",
    evidence=Evidence.RECORDED,
    source=CAPTURE_BETA,
)
def usage(cost: Cost | None) -> Json:
    """The `usage` of `response.done`; of a response that said nothing without a cost."""
    read, cost = (0, Cost()) if cost is None else (_INPUT_TOKENS, cost)
    cached = {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0}
    return {
        "total_tokens": read + cost.output,
        "input_tokens": read,
        "output_tokens": cost.output,
        "input_token_details": {
            "text_tokens": read,
            "audio_tokens": 0,
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": cached,
        },
        "output_token_details": {"text_tokens": cost.text, "audio_tokens": cost.audio},
    }
