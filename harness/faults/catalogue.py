"""Every fault there is, with its parameters and their defaults. docs/faults.md is compared with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.faults import values
from harness.faults.values import NO_CODE, Value

FIRST_DELTA = "response.*.delta"

FLOATING = "rate_limits.updated|conversation.item.input_audio_transcription.*|output_audio_buffer.*"
"""What may come anywhere (captures: before, within and after responses): no client may rely on its place."""

ALWAYS = "always"


@dataclass(frozen=True)
class Parameter:
    """One parameter of a fault. `default` None: it may be left out, and then asks for nothing."""

    name: str
    what: str
    read: Callable[[str], Value]
    """Raises ValueError with what was expected."""
    default: Value | None = None


Given = Mapping[str, Value]
"""Parameters with their values, as they were given."""


@dataclass(frozen=True)
class Kind:
    """One kind of misbehaviour."""

    name: str
    what: str
    parameters: tuple[Parameter, ...] = ()
    check: Callable[[Given], None] = lambda _: None
    """Raises ValueError with what was expected, where the values cannot be together."""

    def parameter(self, name: str) -> Parameter | None:
        return next((one for one in self.parameters if one.name == name), None)


def _times(default: Value = 1) -> Parameter:
    return Parameter("times", "how often: a number, or `always`", values.times, default)


def _where(at: str = FIRST_DELTA, times: Value = 1) -> tuple[Parameter, ...]:
    return (
        Parameter(
            "at",
            "type of the event, canonical or as on the wire; `*` for anything, `|` for or",
            values.pattern,
            at,
        ),
        Parameter("nth", "which such event is the first it strikes", values.count, 1),
        Parameter("answer", "only in that response, counted over the whole case", values.count),
        _times(times),
    )


def _attempt() -> tuple[Parameter, ...]:
    return (Parameter("nth", "which attempt is the first it strikes", values.count, 1), _times())


def _when(default: str) -> Parameter:
    return Parameter("when", "`before` that event, or `after` it", values.one_of("before", "after"), default)


def _check_close(given: Given) -> None:
    if given.get("code") == NO_CODE and given.get("reason"):
        raise ValueError(f"another code, or no reason: {NO_CODE} is a close frame with nothing in it")


def _check_reorder(given: Given) -> None:
    if "until" in given and "events" in given:
        raise ValueError("`until` or `events`, and not both")


FAULTS: tuple[Kind, ...] = (
    Kind(
        "accept-any-session",
        "what the dialect's tables refuse in `session.update` and `response.create` is ignored instead; "
        "what the session's state forbids stays refused",
    ),
    Kind(
        "close",
        "the server closes the connection",
        (
            Parameter("code", "close code; 1005 is a close frame without one", values.close_code, 1011),
            Parameter("reason", "text of the close frame, at most 123 bytes", values.reason, ""),
            *_where(),
            _when("after"),
        ),
        _check_close,
    ),
    Kind("drop", "the connection is lost, without a close frame", (*_where(), _when("after"))),
    Kind("duplicate", "an event is sent twice", _where()),
    Kind(
        "error-event",
        "an error of the service that answers no client event",
        (
            Parameter("type", "`error.type`", values.text, "server_error"),
            Parameter("code", "`error.code`; null without it", values.text),
            Parameter("message", "`error.message`", values.text, "The fault error-event sent this error."),
            *_where(),
            _when("before"),
        ),
    ),
    Kind("event-without-type", "an event without its type", (*_where(), _when("before"))),
    Kind(
        "failed-response",
        "the response fails: what is open is closed, and `response.done` says failed",
        (
            Parameter("type", "`status_details.error.type`", values.text, "server_error"),
            Parameter("code", "`status_details.error.code`; null without it", values.text),
            Parameter(
                "message",
                "`status_details.error.message`",
                values.text,
                "The server had an error while processing your request.",
            ),
            *_where(),
        ),
    ),
    Kind(
        "incomplete-response",
        "the response breaks off: what is open is closed, and `response.done` says incomplete",
        (
            Parameter(
                "reason",
                "`status_details.reason`",
                values.one_of("max_output_tokens", "content_filter"),
                "max_output_tokens",
            ),
            *_where(),
        ),
    ),
    Kind("malformed-json", "a frame that is no JSON", (*_where(), _when("before"))),
    Kind(
        "missing-field",
        "an event lacks a field",
        (
            Parameter(
                "field", "dotted path as on the wire; numbers are places in lists", values.path, "delta"
            ),
            *_where(),
        ),
    ),
    Kind("null-usage", "`usage` is null in `response.done`", _where("response.done", ALWAYS)),
    Kind(
        "pause",
        "the server says nothing for a time",
        (Parameter("seconds", "of real time", values.seconds, 1.0), *_where(), _when("before")),
    ),
    Kind(
        "refuse-handshake",
        "an attempt to connect is refused",
        (
            Parameter("status", "HTTP status, 400 to 599", values.status, 503),
            Parameter(
                "body",
                "without it: the dialect's for this status, or else a guess, logged as `assumed`",
                values.text,
            ),
            Parameter("retry-after", "a `Retry-After` header, in seconds", values.whole),
            *_attempt(),
        ),
    ),
    Kind(
        "reorder",
        "an event that may come anywhere is held back",
        (
            Parameter(
                "until", "the type of the event after which it is sent", values.pattern, "response.done"
            ),
            Parameter("events", "instead of `until`: how many events it is held back for", values.count),
            *_where(FLOATING, ALWAYS),
        ),
        _check_reorder,
    ),
    Kind(
        "slow-handshake",
        "an attempt to connect is answered late",
        (Parameter("seconds", "of real time", values.seconds, 1.0), *_attempt()),
    ),
    Kind(
        "stall",
        "nothing more is ever sent, and the connection stays open",
        (*_where(), _when("after")),
    ),
    Kind(
        "unknown-event",
        "an event type nobody has heard of",
        (
            Parameter("type", "its type", values.name, "harness.unknown_event"),
            *_where(),
            _when("before"),
        ),
    ),
    Kind(
        "wrong-type",
        "a field of an event has a value of another kind",
        (
            Parameter(
                "field", "dotted path as on the wire; numbers are places in lists", values.path, "delta"
            ),
            Parameter(
                "value",
                "JSON, or else text; without it a number for text and text for anything else",
                values.text,
            ),
            *_where(),
        ),
    ),
)


def kind_named(name: str) -> Kind | None:
    """The kind of that name, if there is one."""
    return next((kind for kind in FAULTS if kind.name == name), None)
