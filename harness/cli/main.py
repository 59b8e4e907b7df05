"""The command line: what can be asked for, and what each answer means to the shell.

Exit codes: 0 as expected; 1 a case failed or was not proven beyond the
baseline, or a baseline entry is stale, or two sessions differ; 2 wrong usage,
a broken file, or a fault of the harness; 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from harness import __version__
from harness.cli.plain import complain
from harness.cli.serve_options import add_serve
from harness.exceptions import HarnessError

ASPECTS = ("ids", "times", "obfuscation", "audio")
"""What `diff --with` puts back."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal or a pipe may not have every sign
    parser = build_parser()
    options = parser.parse_args(arguments)
    # Ended from outside, the harness ends what it started, as it does on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # so a script's shell starts `command &`
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        # Only the command that was asked for is loaded: the others cost more than some commands do.
        return int(import_module(f"harness.cli.{options.module}").run(options))
    except HarnessError as error:
        complain(str(error))
        return 2
    except KeyboardInterrupt:
        print("realtime-harness: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # what is still buffered must not be written as Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(vars(options).get("read_no_more", 2))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        complain(f"{where}{error.strerror or error}")
        return 2
    except Exception:  # noqa: BLE001 - exit code 1 would say that a case failed
        traceback.print_exc()
        complain("that is a fault of the harness itself, and not of what it was given")
        return 2


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="realtime-harness",
        description="Record-and-replay conformance tests for clients of the Azure OpenAI Realtime API.",
        epilog="Exit codes: 0 as expected, 1 not as expected, 2 usage, broken file or harness fault. "
        "Whether a client hung up in time (close: …) is shown and does not count.",
    )
    parser.add_argument("--version", action="version", version=f"realtime-harness {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _check(commands)
    _record(commands)
    _import(commands)
    _construct(commands)
    add_serve(commands)
    _translate(commands)
    _validate(commands)
    _dialects(commands)
    _lint(commands)
    _diff(commands)
    _driver_test(commands)
    return parser


def _check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "check",
        help="judge implementations against replayed sessions, and write the report",
        epilog="Exit codes: 0 as the baseline says, 1 a failure it does not name or one it names in vain, "
        "2 usage, a broken file, or a harness-error.",
    )
    parser.add_argument(
        "-i",
        "--implementation",
        action="append",
        metavar="NAME",
        help="NAME[@VERSION][:VARIANT][+SHIM.py:FUNCTION] or cmd:COMMAND; may be repeated "
        "(default: the bundled ones)",
    )
    parser.add_argument("-d", "--dialect", action="append", metavar="NAME", help="default: all")
    parser.add_argument(
        "-s",
        "--scenario",
        action="append",
        metavar="NAME",
        help="a bundled name or a file; default: all bundled",
    )
    parser.add_argument(
        "--fault",
        action="append",
        metavar="NAME",
        help="misbehave on purpose, beside what a scenario asks for itself; may be repeated; "
        "none: not even that",
    )
    parser.add_argument(
        "--speed", metavar="N", help="1 as recorded, 2 twice as fast, max at once (the default)"
    )
    parser.add_argument("--latency", metavar="TIME", help="from a client event to its effect: 200ms, 1.5s")
    parser.add_argument(
        "--delay", action="append", metavar="EVENT=TIME", help="wait before it; may be repeated"
    )
    parser.add_argument(
        "--cassettes",
        type=Path,
        metavar="DIR",
        help="DIR/DIALECT/SCENARIO.jsonl, in place of the bundled ones",
    )
    parser.add_argument("--tls", action="store_true", help="have them dial wss, by a certificate of this run")
    parser.add_argument(
        "--baseline", type=Path, metavar="FILE", help="the known failures (default: the bundled)"
    )
    parser.add_argument("--no-baseline", action="store_true", help="expect no failure at all")
    parser.add_argument(
        "--write-baseline", type=Path, metavar="FILE", help="write what was found as a baseline"
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("reports"), metavar="DIR", help="default: reports"
    )
    parser.add_argument("-n", "--parallel", type=_positive, default=3, metavar="N", help="cases side by side")
    parser.add_argument(
        "--patience",
        type=_seconds,
        metavar="SECONDS",
        help="silence after which a turn is given up",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="show every finding in full")
    parser.set_defaults(module="check")


def _record(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "record",
        help="play a scenario against a server and write the cassette",
        epilog="Exit codes: 0 recorded, 2 usage, a broken file, or a server that did something else.",
    )
    parser.add_argument("scenario", help="a bundled name or a file")
    parser.add_argument(
        "--url", required=True, help="the whole URL, with api-version and deployment or model"
    )
    parser.add_argument("--dialect", metavar="NAME", help="default: the one the URL leads to")
    parser.add_argument(
        "--key-variable",
        default="AZURE_OPENAI_API_KEY",
        metavar="NAME",
        help="the environment variable that holds the key (default: AZURE_OPENAI_API_KEY)",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="default: cassettes/DIALECT/SCENARIO.jsonl"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing cassette")
    parser.set_defaults(module="record")


def _import(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "import",
        help="make a cassette of traffic captured with another tool",
        description="Reads JSON Lines with a direction and an event a line, a HAR file with WebSocket "
        "messages, a YAML recording with `interactions`, or a cassette; writes a cassette, redacted.",
        epilog="Exit codes: 0 all of it was carried over, 1 some messages were not (each is named with its "
        "line), 2 usage, a file that cannot be read, or nothing in it to replay; then none is written.",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--dialect", metavar="NAME", help="default: the one the file itself says")
    parser.add_argument("--session", type=_positive, metavar="N", help="which, where the file holds several")
    parser.add_argument("--source", metavar="TEXT", help="where the file is from (default: its name)")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="default: cassettes/DIALECT/FILE.jsonl"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing cassette")
    parser.set_defaults(module="import_")


def _construct(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "construct",
        help="make the cassettes of the scenarios from the dialect tables, without a server",
        epilog="Exit codes: 0 made, 1 with --check: one differs, 2 usage, or a broken file.",
    )
    parser.add_argument("-s", "--scenario", action="append", metavar="NAME", help="default: all bundled")
    parser.add_argument("-d", "--dialect", action="append", metavar="NAME", help="default: all")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("cassettes"), metavar="DIR", help="default: cassettes"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file differs")
    parser.set_defaults(module="construct")


def _translate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "translate",
        help="write a cassette in another dialect, and say what that lost",
        epilog="Exit codes: 0 written, 1 with --strict: something was lost, 2 usage, or a broken file.",
    )
    parser.add_argument("cassette", type=Path, metavar="CASSETTE")
    parser.add_argument("--to", required=True, metavar="DIALECT", help="the dialect to write")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="default: cassettes/DIALECT/NAME of the cassette"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing file")
    parser.add_argument("--json", action="store_true", help="say what was lost as JSON")
    parser.add_argument("--strict", action="store_true", help="exit 1 where anything was lost")
    parser.set_defaults(module="translate")


def _validate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "validate",
        help="check scenarios, model scripts, cassettes, dialects and baselines",
        epilog="Exit codes: 0 all are right, 2 one is broken.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.set_defaults(module="validate")


def _lint(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "lint",
        help="judge captured logs against a dialect, without a server",
        description="Judges cassettes, JSON Lines with a direction, HAR files and YAML recordings.",
        epilog="Exit codes: 0 where nothing fails, 1 where something does (a line that cannot be read is a "
        "failure, and the rest is judged), 2 where a file as a whole is none or no dialect is named.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("-d", "--dialect", metavar="NAME", help="default: what the file says")
    parser.add_argument("--json", action="store_true", help="the findings as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="show notes too")
    parser.set_defaults(module="lint")


def _dialects(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "dialects",
        help="show what each api-version accepts and emits, and how that is known",
        epilog="Exit codes: 0 shown, 2 usage, or a broken file.",
    )
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="one dialect in full: a bundled name or a file (default: a table)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="the same for programs")
    form.add_argument(
        "--schemas",
        type=Path,
        metavar="DIR",
        help="write a JSON Schema for each event type: DIR/DIALECT/client|server/EVENT.json",
    )
    parser.set_defaults(module="dialects")


def _diff(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "diff",
        help="compare two cassettes or captured logs, lane by lane",
        epilog="Exit codes: 0 the same, 1 they differ, 2 usage, or a file that cannot be read.",
    )
    parser.add_argument("a", type=Path, metavar="A", help="a cassette, or a log in any format we read")
    parser.add_argument("b", type=Path, metavar="B", help="the other one")
    parser.add_argument("--format", choices=("text", "json", "html"), default="text", help="default: text")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="default: standard output")
    parser.add_argument(
        "--with",
        dest="put_back",
        action="append",
        type=_aspects,
        metavar="NAMES",
        help=f"compare these too, which are new in every session: {','.join(ASPECTS)}",
    )
    parser.add_argument("--dialect-a", metavar="NAME", help="the dialect of A (default: what the file says)")
    parser.add_argument("--dialect-b", metavar="NAME", help="the dialect of B")
    parser.add_argument(
        "--as-wire", action="store_true", help="compare names as they stand, also between two dialects"
    )
    parser.set_defaults(module="diff")


def _driver_test(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "driver-test",
        help="test a driver alone: does it speak the driver protocol?",
        epilog="Exit codes: 0 it does, 1 it does not, 2 usage, or it cannot be run.",
    )
    parser.add_argument("implementation", help="as for check; your own: cmd:COMMAND")
    parser.add_argument("-d", "--dialect", metavar="NAME", help="default: each in turn")
    parser.add_argument("--tls", action="store_true", help="have it dial wss, by a certificate of this run")
    parser.set_defaults(module="driver_test")


def _aspects(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in ASPECTS:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(ASPECTS)}")
    return names


def _positive(text: str) -> int:
    if not re.fullmatch("[0-9]{1,6}", text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]*)?", text) or float(text) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds, such as 2.5")
    return float(text)
