"""`realtime-harness import`: makes a cassette of traffic that somebody captured with another tool."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.cassette import Cassette, Provenance, read_cassette
from harness.cli.select import every_dialect, select_dialects
from harness.cli.validate import check_events
from harness.dialects import Dialect
from harness.documents import write_whole
from harness.exceptions import CassetteFault, LogFault, UsageFault
from harness.logs import Carried, Log, carry, dialects_at, read_log, session_of
from harness.logs.url import split_url
from harness.redaction import Redactor

_MADE = str(Provenance.CONSTRUCTED)


def run(options: argparse.Namespace) -> int:
    """Imports one file; exits 1 where something of it could not be carried over."""
    log = _session(read_log(options.file), options.session)
    if ("kind", _MADE) in log.provenance:
        raise UsageFault(
            f"{options.file} was constructed: it is nobody's recording, and imported it would pass for one",
            hint="realtime-harness construct makes it in every dialect",
        )
    dialect = _dialect(log, options.dialect)
    path = options.output or Path("cassettes") / dialect.name / f"{options.file.stem}.jsonl"
    _check_free(path, options)
    source = options.source or dict(log.provenance).get("source") or options.file.name
    carried = carry(log, dialect, source)
    _say_left_out(options.file, carried)
    if not carried.cassette.interactions:
        raise LogFault(
            str(options.file),
            "nothing of it can be replayed",
            expected="at least one whole message",
            hint="ask its publisher for the bodies that were left out",
        )
    _write(carried.cassette, path)
    count = len(carried.cassette.interactions)
    print(f"imported {count} interaction(s) in {dialect.name} from {log.format}: {path}")
    if log.dialect not in (None, dialect.name):
        print(f"  dialect: as named on the command line; the log says {log.dialect!r:.60}")
    for name, note in carried.notes:
        print(f"  {name.replace('_', ' ')}: {note}")
    try:
        check_events(carried.cassette, dialect)
    except CassetteFault as fault:
        print(f"realtime-harness: not {dialect.name} throughout: {fault}", file=sys.stderr)
        hint = f"realtime-harness lint -d {dialect.name} {options.file} names all that does not fit"
        print(f"  hint: {hint}", file=sys.stderr)
        return 1
    return 1 if carried.left_out else 0


def _session(log: Log, number: int | None) -> Log:
    sessions = log.sessions
    if number is None and len(sessions) < 2:
        return log
    if number not in sessions:
        urls = dict(log.urls)
        known = tuple(f"{n} ({split_url(urls[n]).path})" if n in urls else str(n) for n in sessions)
        problem = f"{len(sessions)} sessions" if number is None else f"no session {number}"
        raise UsageFault(f"{log.path} holds {problem}", known=known, hint="choose one with --session N")
    return session_of(log, number)


def _dialect(log: Log, name: str | None) -> Dialect:
    """The dialect named, else the one the file says; raises UsageFault rather than to guess."""
    name = name or log.dialect
    if name is not None:
        return select_dialects([name])[0]
    dialects = every_dialect()
    fitting = dialects_at(log.url, dialects) if log.url else ()
    problem = "leaves several dialects open" if fitting else "does not say which dialect it is in"
    raise UsageFault(
        f"{log.path} {problem}",
        known=tuple(dialect.name for dialect in fitting or dialects),
        hint="name it with --dialect",
    )


def _say_left_out(file: Path, carried: Carried) -> None:
    redactor = Redactor()
    for missing in carried.left_out:
        why = redactor.text(missing.why)
        print(f"realtime-harness: {file}:{missing.line}: not carried over: {why}", file=sys.stderr)


def _check_free(path: Path, options: argparse.Namespace) -> None:
    if not path.exists():
        return
    if path.samefile(options.file):
        raise UsageFault(f"{path} is the file to import", hint="--output writes another")
    if not options.force:
        raise UsageFault(f"{path} exists", hint="--force replaces it, --output writes another")


def _write(cassette: Cassette, path: Path) -> None:
    """Writes a cassette that can be read again, or none."""
    read_cassette((f"{line}\n".encode() for line in cassette.lines()), str(path))
    write_whole(path, cassette.lines())
