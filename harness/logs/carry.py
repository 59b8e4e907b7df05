"""Makes a cassette of a captured log, and says what of it could not be carried over.

Rules of this module: nothing is claimed that the log does not say, so what was
made up stands in the provenance; and nothing leaves it unredacted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from harness import __version__
from harness.cassette import Cassette, Close, Header, Interaction, Provenance
from harness.dialects import Dialect
from harness.dialects.model import DEPLOYMENT
from harness.logs.model import Extent, Log, LogEntry
from harness.logs.url import dialects_at, host_class, known_query, split_url
from harness.messages import Json
from harness.redaction import Redactor

STEP = 0.02
"""Seconds between messages whose times nobody wrote down."""

_TRIMMED = 44
"""Characters of base64 to which a public recorder of test suites cuts every piece of audio."""

_SECRET_LENGTH = 8
"""Characters. Shorter values of a query are words of the language, and no secrets."""


@dataclass(frozen=True)
class LeftOut:
    """A message that the cassette has not, and why."""

    line: int
    why: str


@dataclass(frozen=True)
class Carried:
    """The cassette, redacted, and what it lacks of the log."""

    cassette: Cassette
    left_out: tuple[LeftOut, ...]

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """What whoever judges by the cassette must know."""
        origin = self.cassette.header.origin
        return tuple(pair for pair in origin if pair[0] in ("handshake", "times", "audio", "left_out"))


def carry(log: Log, dialect: Dialect, source: str) -> Carried:
    """The cassette of a log of one session; `source` says where the log is from."""
    redactor = Redactor(_secrets(log.url, dialect))
    whole = [entry for entry in log.entries if _replayable(entry)]
    left_out = tuple(
        LeftOut(entry.line, redactor.text(_why(entry))) for entry in log.entries if not _replayable(entry)
    )
    path, query, handshake = _handshake(log.url, dialect)
    notes = {
        "handshake": handshake,
        "times": _times_note(whole),
        "audio": _audio_note(whole),
        "left_out": f"{len(left_out)} of {len(log.entries)} messages" if left_out else None,
    }
    origin = _origin(log, {"source": source, **notes})
    header = Header(
        dialect=dialect.name,
        api_version=dialect.api_version,
        path=path,
        query=tuple(redactor.value(dict(query)).items()),
        scenario=None,
        provenance=Provenance.IMPORTED,
        origin=tuple((key, redactor.text(text)) for key, text in origin.items()),
        tool=f"realtime-harness {__version__}",
    )
    close = log.close or Close("nobody", None)
    close = Close(close.by, close.code, redactor.text(close.reason))
    return Carried(Cassette(header, tuple(_interactions(whole, redactor)), close), left_out)


def _replayable(entry: LogEntry) -> bool:
    return entry.event is not None and entry.extent is Extent.WHOLE


def _origin(log: Log, notes: dict[str, str | None]) -> dict[str, str]:
    """The provenance: what a cassette said of itself stays true, whatever is found out now."""
    before = {key: text for key, text in log.provenance if key != "kind"}
    now = {"format": log.format, "date": _date(log), "host_class": _host(log), **notes}
    origin = {key: text for key, text in now.items() if text is not None} | before
    if notes["source"] is not None:
        origin["source"] = notes["source"]
    if notes["left_out"] and "left_out" in before:
        origin["left_out"] = f"{before['left_out']}, then {notes['left_out']}"
    return dict(sorted(origin.items()))


def _interactions(entries: Iterable[LogEntry], redactor: Redactor) -> Iterable[Interaction]:
    t = -STEP
    for entry in entries:
        # Time never runs backwards, whatever the clocks of the log did.
        t = t + STEP if entry.t is None else max(t, entry.t, 0.0)
        assert entry.side is not None
        yield Interaction(round(t, 6), entry.side, redactor.value(entry.event))


def _why(entry: LogEntry) -> str:
    if entry.problem is not None:
        return entry.problem
    type_ = (entry.event or {}).get("type")
    if entry.extent is Extent.CUT:
        return f"{type_!r:.60}: its publisher cut it"
    size = "" if entry.audio_bytes is None else f" ({entry.audio_bytes} bytes of audio)"
    return f"{type_!r:.60}: its publisher left the body out{size}"


def _handshake(url: str | None, dialect: Dialect) -> tuple[str, tuple[tuple[str, str], ...], str | None]:
    """Path and query, with a note where they are not those of the log."""
    if url is not None and dialects_at(url, (dialect,)):
        return split_url(url).path, known_query(url, dialect), None
    rules = dialect.handshake
    note = "made up: the log names none" if url is None else "made up: the log's is not one of this dialect"
    return rules.path, rules.right_query(DEPLOYMENT), note


def _secrets(url: str | None, dialect: Dialect) -> tuple[str, ...]:
    """What stands in a URL and may be a secret: it is taken out of the events as well."""
    if url is None:
        return ()
    split = split_url(url)
    known = {name for name, _ in known_query(url, dialect)}
    values = [value for name, value in parse_qsl(split.query) if name not in known]
    userinfo = split.netloc.rpartition("@")[0].partition(":")[2]
    return tuple(value for value in (*values, userinfo) if len(value) >= _SECRET_LENGTH)


def _times_note(entries: list[LogEntry]) -> str | None:
    missing = sum(entry.t is None for entry in entries)
    if not missing:
        return None
    share = "" if missing == len(entries) else f"{missing} of {len(entries)} "
    return f"{share}made up: the log has none; {STEP * 1000:.0f} ms from one to the next"


def _audio_note(entries: list[LogEntry]) -> str | None:
    pieces = [piece for entry in entries if (piece := _audio(entry.event or {}))]
    cut = sum(len(piece) == _TRIMMED for piece in pieces)
    if not cut or max(map(len, pieces)) > _TRIMMED:
        return None
    return f"{cut} of {len(pieces)} pieces end at {_TRIMMED} characters: cut before they were published"


def _audio(event: Json) -> str | None:
    """The audio that an event carries, in base64."""
    type_ = str(event.get("type"))
    key = (
        "audio" if type_ == "input_audio_buffer.append" else "delta" if type_.endswith("audio.delta") else ""
    )
    piece = event.get(key)
    return piece if isinstance(piece, str) else None


def _date(log: Log) -> str | None:
    if log.began is None:
        return None
    try:
        return datetime.fromtimestamp(log.began, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _host(log: Log) -> str | None:
    return host_class(log.url) if log.url else None
