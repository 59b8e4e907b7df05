"""`realtime-harness dialects`: what is known of each api-version, and how well."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from harness.cli.select import every_dialect
from harness.dialects import Dialect, bundled_dialect, event_schema, load_dialect
from harness.exceptions import UsageFault
from harness.messages import Json, Side


def run(options: argparse.Namespace) -> int:
    """Shows all dialects in a table, or one in full; writes JSON Schemas where that is asked."""
    dialects = _selected(options.name)
    if options.schemas is not None:
        for dialect in dialects:
            print(f"{_write_schemas(dialect, options.schemas)} schemas: {options.schemas / dialect.name}")
    elif options.json:
        _print_json(dialects, in_full=options.name is not None)
    else:
        _print_text(dialects, in_full=options.name is not None)
    return 0


def _selected(name: str | None) -> tuple[Dialect, ...]:
    """Bundled ones by name; a file is a dialect that somebody is writing."""
    if name is None:
        return every_dialect()
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return (load_dialect(Path(name)),)
    return (bundled_dialect(name),)


def _print_json(dialects: tuple[Dialect, ...], *, in_full: bool) -> None:
    from harness.cli.dialect_json import dialect_json, overview_json  # noqa: PLC0415

    shown = dialect_json(dialects[0]) if in_full else overview_json(dialects)
    print(json.dumps(shown, indent=2, ensure_ascii=False))


def _print_text(dialects: tuple[Dialect, ...], *, in_full: bool) -> None:
    from harness.cli.dialect_text import dialect_lines, overview_lines  # noqa: PLC0415
    from harness.cli.terminal import show_report  # noqa: PLC0415 - rich, where it is needed

    width = shutil.get_terminal_size((100, 24)).columns
    show_report(dialect_lines(dialects[0], width) if in_full else overview_lines(dialects, width))


def _write_schemas(dialect: Dialect, folder: Path) -> int:
    """DIR/DIALECT/SIDE/EVENT.json; returns how many."""
    count = 0
    for side, vocabulary in ((Side.CLIENT, dialect.client), (Side.SERVER, dialect.server)):
        for type_ in vocabulary.events:
            schema = event_schema(dialect, side, type_)
            assert schema is not None
            _write(folder / dialect.name / side / f"{type_}.json", schema)
            count += 1
    return count


def _write(path: Path, schema: Json) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageFault(f"{path} cannot be written: {error.strerror or error}") from None
