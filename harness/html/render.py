"""Results as HTML: one page a dialect and an index, or a comparison; each a single file that loads nothing.

Rules: every value is hostile, so all markup comes from the templates and the
engine escapes the rest; ids and file names are made of safe characters only; a
page's policy allows its own script and no other. Nothing is shown that the
results do not say.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.findings import Verdict
from harness.html.sections import (
    Record,
    apart,
    count_verdicts,
    counted,
    gather_section,
    not_whole,
    safe_name,
    unused_name,
)

GLYPHS = {
    "harness-error": "!",
    "fail": "✗",
    "not-proven": "?",
    "deviation": "≈",
    "pass": "✓",
    "finding": "◆",
    "not-applicable": "\N{EN DASH}",
    "note": "i",
}

ORIGINS = {"recorded": "from the cassette"}
"""What people read in place of an origin: a cassette may be constructed, and then nothing was recorded."""

FAILING = {Verdict.HARNESS_ERROR, Verdict.FAIL, Verdict.NOT_PROVEN}
"""The verdicts whose cases stand open on the page."""

SURFACED = (
    ("text", "Text"),
    ("transcript", "Transcript of the answer"),
    ("user_transcript", "Transcript of the user"),
    ("audio_bytes", "Audio, bytes"),
    ("audio_seconds", "Audio, seconds"),
    ("tool_calls", "Tool calls"),
    ("errors", "Errors"),
    ("exceptions", "Exceptions"),
    ("interruptions", "Interruptions"),
)

_CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n"} | {127: 0x2421}


def render_page(
    header: Record, dialect: Record, cases: list[Record], end: Record, *, index: str | None = None
) -> str:
    """The page of one dialect.

    `end` is the footer line, empty where the results have none; `index` is
    where the overview stands, if there is one.
    """
    section = gather_section(dialect, cases, None)
    lines = [header, *cases, *([end] if end else [])]
    return _render("page.html.j2", header, end, section=section, index=_href(index), results=_embedded(lines))


def render_index(header: Record, cases: list[Record], end: Record, pages: dict[str, str]) -> str:
    """The overview of all dialects; `pages` says where the page of a dialect stands."""
    listed = [dialect["name"] for dialect in header["dialects"]]
    strays = dict.fromkeys(c["case"]["dialect"] for c in cases if c["case"]["dialect"] not in listed)
    dialects = header["dialects"] + [
        {"name": name, "title": name, "api_version": "", "status": "not in the header of the results"}
        for name in strays
    ]
    sections = [
        gather_section(
            d, [c for c in cases if c["case"]["dialect"] == d["name"]], _href(pages.get(d["name"]))
        )
        for d in dialects
    ]
    return _render("index.html.j2", header, end, sections=sections, total=count_verdicts(cases))


def render_diff(diff: Record) -> str:
    """The page of one comparison, in the form of diff.schema.json."""
    return _render("diff.html.j2", diff, {}, diff=diff, results=_embedded(diff))


def write_pages(results_lines: list[Record], folder: Path) -> list[Path]:
    """Writes a page for each dialect of the header that has cases, and `index.html`; returns their paths."""
    header = next(line for line in results_lines if "report" in line)
    cases = [line for line in results_lines if "case" in line]
    end = next((line for line in results_lines if "end" in line), {})
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    pages: dict[str, str] = {}
    for dialect in header["dialects"]:
        mine = [case for case in cases if case["case"]["dialect"] == dialect["name"]]
        if mine:
            stem = safe_name(dialect["name"]).lstrip(".") or "dialect"
            stem = unused_name(stem, {"index", *(path.stem for path in written)})
            pages[dialect["name"]] = f"{stem}.html"
            page = render_page(header, dialect, mine, end, index="index.html")
            written.append(_write(folder / f"{stem}.html", page))
    return [*written, _write(folder / "index.html", render_index(header, cases, end, pages))]


def _write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode("utf-8", "backslashreplace"))  # a lone surrogate is shown, not fatal
    return path


def _render(template: str, header: Record, end: Record, **values: Any) -> str:
    script = _ENVIRONMENT.get_template("script.js.j2").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _ENVIRONMENT.get_template(template).render(
        header=header,
        end=end["end"] if end else None,
        script=Markup(script),  # noqa: S704 - a template of ours, without values
        digest=digest,
        **values,
    )


def _embedded(value: Any) -> Markup:
    """JSON for a script element: no character in it can end the element."""
    text = json.dumps(value, separators=(",", ":"))
    text = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup(text)  # noqa: S704 - escaped above


def _href(target: str | None) -> str | None:
    """A relative reference, whatever the text: no scheme and no host can come through."""
    return None if target is None else quote(target.lstrip("/"), safe="/", errors="replace")


def _pretty(value: Any) -> str:
    """JSON for people; a script or a log reads as the lines it has."""
    lines = value.splitlines() if isinstance(value, str) else value
    several = isinstance(value, list) or (isinstance(lines, list) and len(lines) > 1)
    if several and lines and all(map(_reads_as_line, lines)):
        return "\n".join(lines)
    return json.dumps(value, indent=2, ensure_ascii=False)


def _reads_as_line(value: Any) -> bool:
    """A line of a script or a log, rather than one of a list of names."""
    return isinstance(value, str) and (" " in value.strip() or value != value.strip())


def _seconds(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else str(value)


def _visible(value: Any) -> Any:
    """Control characters as pictures: they have no meaning here, and NUL is not allowed in HTML."""
    return value.translate(_CONTROLS) if isinstance(value, str) else value


_ENVIRONMENT = Environment(
    loader=PackageLoader("harness.html"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_visible,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(
    pretty=_pretty, seconds=_seconds, safe_name=safe_name, counted=counted, not_whole=not_whole, apart=apart
)
_ENVIRONMENT.globals.update(
    GLYPHS=GLYPHS, ORIGINS=ORIGINS, FAILING=[str(v) for v in FAILING], SURFACED=SURFACED
)
