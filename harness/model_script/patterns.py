"""What the user said, as a condition: words, or regular expressions that cannot keep a service busy.

Python's engine tries one way after the other, and nothing can stop it. So the
ways are counted when a script is read, with the text that is searched as long
as it may be: two repetitions of any length side by side are well, one within
another is not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from re import _constants as codes  # type: ignore[attr-defined]  # the parser has no public name
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

MOST_SAID = 10_000
"""Characters that words are looked for in."""

MOST_SEARCHED = 300
"""Characters that a regular expression looks at."""

_MOST_WAYS = 4 * (MOST_SEARCHED + 1) ** 2
"""With the places to begin at: about a second."""

_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)


@dataclass(frozen=True)
class Said:
    """What the user's words must hold."""

    pattern: re.Pattern[str]
    most: int

    def within(self, text: str) -> bool:
        return self.pattern.search(text, 0, self.most) is not None


def words(text: str) -> Said:
    """These words, whole and in any case of letters."""
    return Said(re.compile(rf"(?<!\w){re.escape(text)}(?!\w)", re.IGNORECASE), MOST_SAID)


def regular(text: str) -> Said:
    """A regular expression, in any case of letters; raises ValueError where it is none, or may blow up."""
    try:
        pattern = re.compile(text, re.IGNORECASE)
        ways = _ways(parser.parse(text, re.IGNORECASE))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is no regular expression: {error}") from None
    if ways > _MOST_WAYS:
        raise ValueError(
            "may take for ever: it repeats what itself can be matched in several ways, "
            "or has more than two repetitions of any length"
        )
    return Said(pattern, MOST_SEARCHED)


def _ways(value: Any) -> int:
    """In how many ways, at most, a part of a pattern can be tried at one place."""
    ways = 1
    for code, argument in value:
        if code in _REPEATS:
            least, most, body = argument
            ways *= _repeated(_ways(body), int(least), min(int(most), MOST_SEARCHED))
        elif code is codes.BRANCH:
            ways *= _any_of(argument[1])
        elif code is codes.GROUPREF_EXISTS:
            ways *= sum(_ways(part) for part in argument[1:] if part is not None)
        elif isinstance(argument, tuple):
            for part in argument:
                if isinstance(part, parser.SubPattern):
                    ways *= _ways(part)
        elif isinstance(argument, parser.SubPattern):
            ways *= _ways(argument)
        if ways > _MOST_WAYS:
            return ways
    return ways


def _any_of(alternatives: list[Any]) -> int:
    """Of alternatives; where each begins with another letter, only one of them can be tried."""
    first = [one[0] for one in alternatives if len(one)]
    letters = {chr(letter).lower() for code, letter in first if code is codes.LITERAL}
    count = max if len(letters) == len(alternatives) else sum
    return int(count(map(_ways, alternatives)))


def _repeated(ways: int, least: int, most: int) -> int:
    """Of a part that is repeated from `least` to `most` times."""
    if ways == 1:
        return max(most - least + 1, 1)
    return int(min(float(ways) ** min(most, 64) * max(most - least + 1, 1), 1e30))
