"""`realtime-harness serve`: a service on this machine for any client, and what crosses, line by line."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import signal
import tempfile
from collections.abc import Coroutine, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.cassette import Cassette, load_cassette
from harness.cli.limits import read_limits
from harness.cli.select import is_scenario, named_dialect, select_pace
from harness.cli.serve_findings import end_lines
from harness.cli.serve_json import tally_json
from harness.cli.serve_start import KEY_VARIABLE, start_lines
from harness.cli.serve_text import Story
from harness.cli.terminal import Screen
from harness.dialects import Dialect, bundled_dialect, default_dialect_names
from harness.documents import read_document, write_whole
from harness.exceptions import FileFault, ModelScriptFault, UsageFault
from harness.faults import Fault, checked_fault
from harness.model_script import ModelScript, load_model_script, read_speed, stock_script
from harness.redaction import Redactor
from harness.runner import NO_FAULT
from harness.server import Certificate, RealtimeServer, certified_names, made_certificate
from harness.service.pace import Pace
from harness.serving import Happening, Serving, Tally, calm_collector, check_log, raise_file_limit, serve

_YAML = (".yaml", ".yml")

_LEAST_KEY = 8
"""Characters. A shorter one may be part of any word, and is taken out wherever it stands."""


def run(options: argparse.Namespace) -> int:
    """Serves until Ctrl-C or SIGTERM, which is how it is meant to end."""
    serving = serving_of(options)
    if options.findings is not None:
        check_findings(options.findings, replace=options.force)
    calm_collector()
    raise_file_limit()
    before = signal.getsignal(signal.SIGINT)
    try:
        with _certificate(options) as tls:
            serving = replace(serving, ca_file=tls.ca_file if tls else None)
            from_variable, findings = _from_variable(options), options.findings
            showing = show(serving, Screen(), from_variable=from_variable, findings=findings, tls=tls)
            asyncio.run(_interruptible(showing))
    except asyncio.CancelledError:
        # All is said: who presses Ctrl-C once more must not see how Python ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return 0
    except BaseException:
        signal.signal(signal.SIGINT, before)
        raise
    return 0


def check_findings(path: Path, *, replace: bool) -> None:
    """Raises UsageFault where findings could not be written, before anybody talks."""
    if path.is_dir():
        raise UsageFault(f"{path} is a folder", hint="--findings names a file, such as findings.json")
    if path.exists() and not replace:
        raise UsageFault(f"{path} exists", hint="--force replaces it, --findings names another")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".findings-"):
            pass
    except OSError as error:
        raise UsageFault(f"{path} cannot be written: {error.strerror or error}") from None


def _certificate(options: argparse.Namespace) -> AbstractContextManager[Certificate | None]:
    if options.tls:
        return made_certificate(hosts=certified_names(options.host), ca_file=options.ca_file)
    if options.ca_file is not None:
        raise UsageFault("--ca-file says where the certificate of --tls goes", hint="add --tls")
    return nullcontext()


async def _interruptible(work: Coroutine[Any, Any, None]) -> None:
    """Ctrl-C ends it where it waits, never in the midst of a line; a second one cuts short how it ends."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def end(*_: object) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)

    signal.signal(signal.SIGINT, end)
    if hasattr(signal, "SIGHUP"):  # the terminal is closed: what was found still goes into its file
        signal.signal(signal.SIGHUP, end)
    await work


async def show(
    serving: Serving,
    screen: Screen,
    *,
    from_variable: bool,
    findings: Path | None = None,
    tls: Certificate | None = None,
) -> None:
    """Serves until it is cancelled, shows what happens, and in the end what was found, also in a file."""
    screen.clean = Redactor((serving.key,)).text
    story, tally = Story(serving, screen.put), Tally()

    def ready(server: RealtimeServer) -> None:
        story.origin = f"ws{server.origin.removeprefix('http')}"
        for line in start_lines(serving, server.origin, _what(serving), from_variable=from_variable):
            screen.put(line, as_is=True)

    def tell(happening: Happening) -> None:
        tally.tell(happening)
        story.tell(happening)

    try:
        await serve(serving, tell, ready, story.rest, tls)
    except asyncio.CancelledError:
        for line in end_lines(tally, serving):
            screen.put(line)
        if findings is not None:
            write_whole(findings, [json.dumps(tally_json(tally, serving), indent=2)])
        raise


def serving_of(options: argparse.Namespace) -> Serving:
    """What the command line asks for; raises HarnessError where there is no such thing."""
    if (options.model is None) == (not options.cassettes):
        raise UsageFault(
            "serve wants --model or a cassette, and not both",
            hint="try `realtime-harness serve --model`, or name a file made by record, construct or import",
        )
    if options.log is not None:
        check_log(options.log, replace=options.force)
    given = _given_key(options)
    key = secrets.token_hex(16) if given is None else given
    if len(key) < _LEAST_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise UsageFault(
            f"{'--key' if options.key is not None else KEY_VARIABLE} is no key to serve with",
            hint=f"give at least {_LEAST_KEY} ASCII characters, no spaces",
        )
    cassettes = tuple(map(_cassette, options.cassettes))
    dialect = _dialect(options.dialect, cassettes)
    script = None if options.model is None else _script(options.model, dialect)
    return Serving(
        dialect=dialect,
        key=key,
        script=script,
        cassettes=cassettes,
        pace=_pace(options, script, dialect),
        faults=_faults(options.fault or (), script, dialect),
        host=options.host,
        port=options.port,
        limits=read_limits(options.limit or ()),
        quiet=options.quiet,
        log=options.log,
    )


def _given_key(options: argparse.Namespace) -> str | None:
    key: str | None = options.key if options.key is not None else os.environ.get(KEY_VARIABLE) or None
    return key


def _from_variable(options: argparse.Namespace) -> bool:
    return options.key is None and _given_key(options) is not None


def _cassette(path: Path) -> Cassette:
    if path.suffix in _YAML:
        raise UsageFault(f"{path} is no cassette", hint=f"for a model script: serve --model {path}")
    return load_cassette(path)


def _script(name: str, dialect: Dialect) -> ModelScript:
    if name.endswith(".jsonl"):
        raise UsageFault(f"{name} is a cassette and no script", hint=f"leave --model away: serve {name}")
    if not name:
        return stock_script()
    try:
        return load_model_script(Path(name), (dialect,))
    except ModelScriptFault:
        if not _holds_scenario(Path(name)):
            raise
    raise UsageFault(
        f"{name} is a scenario and no model script",
        hint=f"`realtime-harness construct -s {name}` makes cassettes of it, which serve plays; "
        "or write a script: docs/serve.md",
    )


def _holds_scenario(path: Path) -> bool:
    try:
        return is_scenario(read_document(path).value)
    except FileFault:
        return False


def _dialect(named: str | None, cassettes: tuple[Cassette, ...]) -> Dialect:
    recorded = tuple(dict.fromkeys(cassette.header.dialect for cassette in cassettes))
    if len(recorded) > 1:
        raise UsageFault(
            "the cassettes are of several dialects",
            known=recorded,
            hint="serve those of one, or translate them",
        )
    if not recorded:
        return named_dialect(named) if named else _newest()
    dialect = named_dialect(named or recorded[0])
    if dialect.name != recorded[0]:
        raise UsageFault(
            f"{cassettes[0].path} is of {recorded[0]!r}, not of {dialect.name!r}",
            hint=f"realtime-harness translate {cassettes[0].path} --to {dialect.name}",
        )
    return dialect


def _newest() -> Dialect:
    """Of the dialects that scenarios are played in, the newest."""
    return max(map(bundled_dialect, default_dialect_names()), key=lambda dialect: dialect.since)


def _pace(options: argparse.Namespace, script: ModelScript | None, dialect: Dialect) -> Pace:
    """What the command line says goes before what the script says; unasked, it is the service's own."""
    script = script or ModelScript("")
    own = Pace(read_speed(script.speed or "1"), script.latency or 0.0, script.delays)
    return select_pace(options.speed, options.latency, options.delay, own, (dialect,))


def _faults(asked: Sequence[str], script: ModelScript | None, dialect: Dialect) -> tuple[Fault, ...]:
    """Those of the command line go before the script's, which `none` leaves out; the same one only once."""
    own = tuple(checked_fault(text, (dialect,)) for text in asked if text != NO_FAULT)
    of_script = script.faults if script and NO_FAULT not in asked else ()
    return own + tuple(fault for fault in of_script if fault not in own)


def _what(serving: Serving) -> str:
    if serving.script is None:
        names = ", ".join(cassette.path for cassette in serving.cassettes)
        header = serving.cassettes[0].header
        faults = dict(header.origin).get("faults")
        return f"{names} ({header.provenance}{f', with the faults {faults}' if faults else ''})"
    stock = serving.script.path == stock_script().path
    return "a stock model that says what it heard" if stock else f"a model, by {serving.script.path}"
