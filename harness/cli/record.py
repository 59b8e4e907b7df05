"""`realtime-harness record`: plays a scenario against a server and writes the cassette."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from harness.cli.crossing_text import shown
from harness.cli.select import every_dialect, select_dialects, select_scenarios
from harness.exceptions import UsageFault
from harness.logs import dialects_at
from harness.messages import Side
from harness.recorder import Target, cassette_paths, record, websocket_url


def run(options: argparse.Namespace) -> int:
    """Records one cassette; raises HarnessError where it does not come about."""
    (scenario,) = select_scenarios([options.scenario])
    target = _target(options)
    if not scenario.applies_to(target.dialect.name):
        raise UsageFault(f"{scenario.name!r} does not apply to {target.dialect.name!r}")
    path = options.output or Path("cassettes") / target.dialect.name / f"{scenario.name}.jsonl"
    paths = cassette_paths(scenario, path)
    there = [one for one in paths if one.exists()]
    if there and not options.force:
        raise UsageFault(f"{there[0]} exists", hint="--force replaces it, --output writes another")

    def show(side: Side, type_: str) -> None:
        print(f"{'>>' if side is Side.CLIENT else '<<'} {shown(type_, 80)}", file=sys.stderr)

    cassettes = asyncio.run(record(scenario, target, path, show))
    for written, cassette in zip(paths, cassettes, strict=True):
        print(f"recorded {len(cassette.interactions)} interactions in {target.dialect.name}: {written}")
    return 0


def _target(options: argparse.Namespace) -> Target:
    key = os.environ.get(options.key_variable)
    if not key:
        raise UsageFault(
            f"the environment variable {options.key_variable} is empty",
            hint=f"export {options.key_variable}=… ; the key is never taken from the command line, "
            "where others can read it",
        )
    dialects = select_dialects([options.dialect]) if options.dialect else every_dialect()
    found = dialects if options.dialect else dialects_at(options.url, dialects)
    if len(found) != 1:
        raise UsageFault(
            f"the URL leads to {'several dialects' if found else 'no dialect we know'}",
            known=tuple(f"{d.name} ({d.handshake.path})" for d in found or dialects),
            hint="check path and api-version, or name it with --dialect",
        )
    target = Target(options.url, key, found[0])
    if urlsplit(websocket_url(options.url)).scheme != "wss" and target.host_class != "loopback":
        raise UsageFault(
            "the key would travel in clear text", hint="dial wss://, or a server on this machine"
        )
    return target
