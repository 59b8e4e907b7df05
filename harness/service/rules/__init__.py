"""What the service does with each client event it accepts, and what it does of itself.

An event comes in canonical form, after its own dialect has let it pass. A rule
changes the session's state and queues what the service answers, or raises
`Refused`: then the answer is the catalogue's error and nothing has changed. An
event nobody answers stays unanswered.
"""

from harness.service.rules.dispatch import obey
from harness.service.rules.responses import after_response
from harness.service.rules.spoken import transcribed
from harness.service.rules.time import EXPIRY, start_expiry

__all__ = ["EXPIRY", "after_response", "obey", "start_expiry", "transcribed"]
