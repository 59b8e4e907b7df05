"""How long the service takes, in seconds of its own clock."""

LATENCY = 0.02
"""From a client event to its acknowledgement: one round trip, as probed on OpenAI GA."""

THINKING = 0.25
"""From `response.create` to the first event of the answer."""

STEP = 0.02
"""Between two events of an answer; the captures show answers made faster than they play."""

TRANSCRIBING = 0.2
"""From a commit to what was said in it."""

RATE_LIMITS = 0.043
"""From `response.done` to `rate_limits.updated`, as probed on OpenAI GA."""
