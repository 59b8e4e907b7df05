"""The cassettes that are kept of what crosses: where they stand, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import __version__
from harness.cassette import Cassette, Close, Header, Interaction, Provenance
from harness.dialects import Dialect
from harness.exceptions import UsageFault
from harness.faults import Fault
from harness.service import Exchange
from harness.serving.happenings import Crossed


def log_path(first: Path, number: int) -> Path:
    """Where the cassette of the connection of that number stands; `first` is the first one's."""
    return first if number == 1 else first.with_name(f"{first.stem}.{number}{first.suffix}")


def log_paths(first: Path) -> list[Path]:
    """The cassettes that stand where those of a run would be written."""
    name = re.compile(rf"{re.escape(first.stem)}\.[0-9]+{re.escape(first.suffix)}")
    later = first.parent.iterdir() if first.parent.is_dir() else ()
    numbered = sorted(path for path in later if name.fullmatch(path.name))
    return [path for path in (first, *numbered) if path.exists()]


def check_log(path: Path, *, replace: bool) -> None:
    """Raises UsageFault where a log could not be written, before anybody talks."""
    if path.suffix != ".jsonl":
        raise UsageFault(f"{path} is no name for a cassette", hint="give one that ends in .jsonl")
    found = log_paths(path)
    if found and not replace:
        raise UsageFault(f"{found[0]} exists", hint="--force replaces it, --output writes another")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageFault(f"{path.parent} cannot be made: {error.strerror or error}") from None


def cassette_of(
    dialect: Dialect,
    faults: Iterable[Fault],
    kept: Iterable[Crossed],
    exchange: Exchange,
    clean: Callable[[Any], Any],
) -> Cassette:
    """What crossed one connection, redacted by `clean`: the client is real, the service is ours.

    The `faults` in force stand in its header, lest they be taken for what the service does.
    """
    handshake = exchange.handshake
    assert handshake is not None
    in_force = clean("; ".join(map(str, faults)))
    header = Header(
        dialect=dialect.name,
        api_version=dialect.api_version,
        path=handshake.path,
        query=tuple((name, str(value)) for name, value in handshake.query),
        scenario=None,
        provenance=Provenance.CONSTRUCTED,
        origin=(
            ("date", datetime.now(UTC).date().isoformat()),
            ("evidence", "served by realtime-harness; the client's side is real"),
            *((("faults", in_force),) if in_force else ()),
        ),
        tool=f"realtime-harness {__version__}",
    )
    interactions = tuple(
        Interaction(
            crossed.t,
            crossed.entry.side,
            clean(crossed.entry.event),
            None if crossed.entry.event is not None else clean(crossed.entry.raw or ""),
        )
        for crossed in kept
    )
    return Cassette(
        header,
        interactions,
        Close(exchange.close_by or "nobody", exchange.close_code, clean(exchange.close_reason)),
    )
