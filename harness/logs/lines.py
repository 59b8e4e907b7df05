"""Lines of a text file of unknown origin: bounded in size, in any encoding that marks itself.

A line that cannot be read is a line with a problem, and the next one is read
all the same.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.exceptions import LogFault
from harness.messages import MAX_FRAME

MAX_LINE = MAX_FRAME
"""Characters. What is longer holds no event that could have crossed the wire."""

HEAD = 64 * 1024
"""Bytes at the start of a file that are looked at to tell its format."""

_UNREADABLE = "\udcff"
"""Stands for bytes that are no text: half a surrogate pair, which no decoder gives by itself."""
_ERRORS = "realtime-harness-mark"

_MARKS = (  # the longer ones first: the mark of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _UNREADABLE, error.end


codecs.register_error(_ERRORS, _mark)


@dataclass(frozen=True, slots=True)
class Line:
    """One line, without its end; `ended` is false for a last line that has none."""

    number: int
    text: str
    ended: bool
    problem: str | None = None


def read_head(path: Path) -> str:
    """The start of a regular file as text, without the mark of its encoding; raises LogFault."""
    raw = _start(path)
    decoder = codecs.getincrementaldecoder(encoding_of(raw))(_ERRORS)
    return decoder.decode(raw)


def encoding_of(raw: bytes) -> str:
    """The encoding that the first bytes of a file claim; UTF-8 where they claim none."""
    return next((name for mark, name in _MARKS if raw.startswith(mark)), "utf-8-sig")


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a file, but for the blank ones; raises LogFault where it cannot be read."""
    encoding = encoding_of(_start(path))
    try:
        with path.open(encoding=encoding, errors=_ERRORS, newline="\n") as file:
            number = 0
            while text := file.readline(MAX_LINE + 1):
                number += 1
                ended = text.endswith("\n")
                if not ended and len(text) > MAX_LINE:
                    while (rest := file.readline(MAX_LINE)) and not rest.endswith("\n"):
                        pass  # the rest of the line is read past, never held
                    yield Line(number, "", bool(rest), f"a line of more than {MAX_LINE} characters")
                elif text.strip():
                    yield _checked(Line(number, text.strip("\r\n"), ended), encoding)
    except OSError as error:
        raise unreadable(path, error) from None


def read_text(path: Path, most: int) -> str:
    """A whole file of at most `most` bytes; raises LogFault."""
    encoding = encoding_of(_start(path))
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    if len(raw) > most:
        raise LogFault(str(path), f"larger than {most} bytes", hint="keep only the session in question")
    return raw.decode(encoding, _ERRORS)


def unreadable(path: Path, error: OSError) -> LogFault:
    return LogFault(str(path), f"cannot be read: {error.strerror or error}")


def _checked(line: Line, encoding: str) -> Line:
    at = line.text.find(_UNREADABLE)
    if at < 0:
        return line
    name = encoding.removesuffix("-sig").upper()
    return Line(line.number, "", line.ended, f"not {name} at column {at + 1}")


def _start(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():  # a pipe would block, and could be read only once
            raise LogFault(str(path), "is no regular file", expected="a file that holds a captured log")
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise unreadable(path, error) from None
    except ValueError as error:  # a name that no file can have
        raise LogFault(str(path), f"cannot be read: {error}") from None
