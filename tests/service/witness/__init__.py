"""One who watches a session from outside and knows the service's invariants; nothing of the model is used.

The rules are those that every published capture keeps, and those of the API
reference, said over in the plainest way: one event after another, as the client
hears them. Each lane of a session has its own ear: the session's settings, the
conversation, the input audio with what is heard in it, and the responses.
"""

from tests.service.witness.witness import Witness

__all__ = ["Witness"]
