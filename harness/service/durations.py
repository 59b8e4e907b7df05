"""How long the service takes, in seconds of its own clock."""

LATENCY = 0.02
"""From a client event to its acknowledgement: one round trip, as probed on OpenAI GA."""

THINKING = 0.25
"""From `response.create` to the first event of the answer."""

STEP = 0.02
"""Between two events of an answer; the captures show answers made faster than they play."""

TRANSCRIBING = THINKING + 0.01
"""From a commit to the first word of what was said in it: after `response.created`, as in 3 of 3 captures."""

TRANSCRIBED = 0.6
"""From a commit to its whole transcript: amid the audio of an answer, as in 3 of 3 captures."""

RATE_LIMITS = 0.043
"""From `response.done` to `rate_limits.updated`, as probed on OpenAI GA."""
