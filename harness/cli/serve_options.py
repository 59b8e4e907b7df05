"""What `serve` can be asked for."""

from __future__ import annotations

import argparse
import re
from pathlib import Path


def add_serve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "serve",
        help="serve any client on this machine: scripted answers of a model, or a cassette",
        description="Serves on one port of this machine and shows each message, and each refusal in full. "
        "Ctrl-C ends it and shows what was found about whatever connected.",
        epilog="Exit codes: 0 ended by Ctrl-C or SIGTERM, whatever was found, or its output is read no more; "
        "2 usage, a file that cannot be "
        "read, or a port in use.",
    )
    parser.add_argument(
        "cassettes", nargs="*", type=Path, metavar="CASSETTE", help="one a connection, then the first again"
    )
    parser.add_argument(
        "--model",
        nargs="?",
        const="",
        metavar="SCRIPT",
        help="answers by a YAML file (default: a stock model)",
    )
    parser.add_argument(
        "-d", "--dialect", metavar="NAME", help="a name or a file (default: the cassette's, or the newest)"
    )
    parser.add_argument("--port", type=_port, default=0, metavar="N", help="default: a free one")
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="where to listen (default: this machine alone)"
    )
    parser.add_argument("--tls", action="store_true", help="serve over TLS, by a certificate made at start")
    parser.add_argument(
        "--ca-file", type=Path, metavar="FILE", help="where clients find whom to trust for it"
    )
    parser.add_argument(
        "--key", metavar="KEY", help="default: the variable REALTIME_HARNESS_KEY, or a new one that is shown"
    )
    parser.add_argument(
        "--speed", metavar="N", help="1 as recorded (the default), 2 twice as fast, max at once"
    )
    parser.add_argument("--latency", metavar="TIME", help="from a client event to its effect: 200ms, 1.5s")
    parser.add_argument(
        "--delay", action="append", metavar="EVENT=TIME", help="wait before it; may be repeated"
    )
    parser.add_argument(
        "--fault",
        action="append",
        metavar="NAME",
        help="misbehave on purpose, beside what the script asks for itself; may be repeated; "
        "none: not even that",
    )
    parser.add_argument(
        "-o", "--output", dest="log", type=Path, metavar="LOG.jsonl", help="a cassette of each connection"
    )
    parser.add_argument(
        "--findings", type=Path, metavar="FILE.json", help="what was found, also as JSON, when it ends"
    )
    parser.add_argument(
        "--quiet", action="store_true", help="show connections and findings, and not what crosses: for many"
    )
    parser.add_argument(
        "--limit",
        action="append",
        metavar="NAME=VALUE",
        help="such as message=1MiB (default: 32MiB), nesting=32 (64), sessions=50, audio=60s (as many and as "
        "much as comes); may be repeated",
    )
    parser.add_argument("--force", action="store_true", help="replace existing files")
    parser.set_defaults(module="serve", read_no_more=0)


def _port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to 65535")
    return int(text)
