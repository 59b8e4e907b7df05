"""`realtime-harness translate`: one cassette in the words of another dialect, and what that lost."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from harness import __version__
from harness.cassette import (
    Cassette,
    Header,
    Interaction,
    Provenance,
    load_cassette,
    render_footer,
    render_line,
)
from harness.cli.select import named_dialect
from harness.dialects import Dialect, bundled_dialect
from harness.dialects.model import DEPLOYMENT
from harness.documents import write_whole
from harness.exceptions import CassetteFault, UsageFault
from harness.messages import Json
from harness.translation import Bridge, Loss

FIRST_LINE = 2
"""Of the interactions in a cassette; the header stands before them."""

MOST_NAMED = 40
"""Places of losses that the new cassette's header names."""


class Place(NamedTuple):
    """Where something was lost or made up, whichever element of an array it was in."""

    side: str
    event: str
    path: str
    reason: str


@dataclass
class Account:
    """What a translation lost and made up: how often each, and the first line of the source that has it."""

    lost: dict[Place, list[int]] = field(default_factory=dict)
    made_up: dict[Place, list[int]] = field(default_factory=dict)
    written: int = 0

    def add(self, found: dict[Place, list[int]], side: str, event: str, loss: Loss, line: int) -> None:
        place = Place(side, event, _anywhere(loss.path), _anywhere(loss.reason))
        found.setdefault(place, []).append(line)


def run(options: argparse.Namespace) -> int:
    """Writes the cassette; exits 1 with --strict where something was lost."""
    target = named_dialect(options.to)
    cassette = _read(options.cassette)
    source = bundled_dialect(cassette.header.dialect)
    if source is target:
        raise UsageFault(f"{options.cassette} is in {target.name} already")
    path = options.output or Path("cassettes") / target.name / options.cassette.name
    if path.exists() and not options.force:
        raise UsageFault(f"{path} exists", hint="--force replaces it, --output writes another")
    # Twice through: the header comes first, and says what the rest lost.
    account = Account()
    for _ in _translated(cassette, source, target, account):
        account.written += 1
    write_whole(path, _lines(cassette, source, target, account))
    if options.json:
        print(json.dumps(_as_json(cassette, source, target, path, account), ensure_ascii=False))
    else:
        _show(cassette, source, target, path, account)
    return 1 if options.strict and account.lost else 0


def _translated(
    cassette: Cassette, source: Dialect, target: Dialect, account: Account
) -> Iterator[Interaction]:
    """Each interaction in the other dialect. Frames that are no events are nobody's words and stay."""
    bridge = Bridge(source, target)
    last = FIRST_LINE
    for last, interaction in enumerate(cassette.interactions, FIRST_LINE):
        if interaction.event is None:
            yield interaction
            continue
        side, type_ = interaction.side, interaction.event["type"]
        translation = bridge.carry(side, interaction.event)
        for loss in translation.losses:
            account.add(account.lost, side, type_, loss, last)
        for path in translation.made_up:
            account.add(account.made_up, side, type_, Loss(path, f"{target.name} always has it"), last)
        for event in translation.events:
            yield Interaction(interaction.t, side, event)
    for event, loss in bridge.end():
        account.add(account.lost, "server", event["type"], loss, last)


def _read(path: Path) -> Cassette:
    try:
        return load_cassette(path)
    except CassetteFault as fault:
        fault.hint = "of a log in another format, `realtime-harness import` makes a cassette"
        raise


def _lines(cassette: Cassette, source: Dialect, target: Dialect, account: Account) -> Iterator[str]:
    yield render_line(_header(cassette.header, source, target, account).to_json())
    for interaction in _translated(cassette, source, target, Account()):
        yield render_line(interaction.to_json())
    yield render_footer(account.written, cassette.close)


def _header(header: Header, source: Dialect, target: Dialect, account: Account) -> Header:
    """The header of the translation: nobody's recording, whatever it was made from.

    What was known of the source keeps its words but not its keys, for a key as
    `host_class` would vouch for the translation.
    """
    names = {rule.name for rule in source.handshake.query if rule.means == "deployment"}
    deployment = next((value for name, value in header.query if name in names), DEPLOYMENT)
    known = [str(header.provenance), *(f"{key} {value}" for key, value in header.origin)]
    lost = sorted({f"{place.event} {place.path}" for place in account.lost})
    more = f"; and {len(lost) - MOST_NAMED} more" if len(lost) > MOST_NAMED else ""
    return Header(
        dialect=target.name,
        api_version=target.api_version,
        path=target.handshake.path,
        query=target.handshake.right_query(deployment),
        scenario=header.scenario,
        provenance=Provenance.CONSTRUCTED,
        origin=(
            ("evidence", "analogous"),
            ("translated_from", source.name),
            ("translated_source", ", ".join(known)),
            ("lost", "; ".join(lost[:MOST_NAMED]) + more),
        ),
        tool=f"realtime-harness {__version__}",
        transport=header.transport,
    )


def _show(cassette: Cassette, source: Dialect, target: Dialect, path: Path, account: Account) -> None:
    read = len(cassette.interactions)
    print(f"{source.name} -> {target.name}: {read} interactions, {account.written} written: {path}")
    for title, found in (("lost", account.lost), ("made up", account.made_up)):
        print(f"{title}: {'' if found else 'nothing'}".rstrip())
        for place, lines in found.items():
            where = "" if place.path == "type" else f" {place.path}"
            times = f"{len(lines)} times, first in" if len(lines) > 1 else "in"
            print(f"  {place.side} {place.event}{where}: {place.reason} ({times} line {lines[0]})")
    if account.lost:
        print("the cassette is no recording of this dialect; its header names what it lost", file=sys.stderr)


def _as_json(cassette: Cassette, source: Dialect, target: Dialect, path: Path, account: Account) -> Json:
    def entries(found: dict[Place, list[int]]) -> list[Json]:
        return [
            {**place._asdict(), "count": len(lines), "first_line": lines[0]} for place, lines in found.items()
        ]

    return {
        "from": source.name,
        "to": target.name,
        "output": str(path),
        "interactions": {"read": len(cassette.interactions), "written": account.written},
        "lost": entries(account.lost),
        "made_up": entries(account.made_up),
    }


def _anywhere(path: str) -> str:
    return re.sub(r"\[\d+\]", "[]", path)
