"""Where the head of a request ends, and how long it is, however it is cut."""

from __future__ import annotations

MAX_HEAD = 32_768
"""Bytes of a request line and its headers together."""

_END = b"\r\n\r\n"


class Head:
    """Counts the bytes of a request's head as they come."""

    def __init__(self) -> None:
        self.size = 0
        self.whole = False
        self._tail = b""
        """The last that came: the end may come in two parts."""

    @property
    def too_long(self) -> bool:
        return self.size > MAX_HEAD

    def take(self, data: bytes) -> bytes:
        """The part of the data that belongs to the head."""
        if self.whole:
            return b""
        seen = self._tail + data
        end = seen.find(_END)
        mine = data if end < 0 else data[: end + len(_END) - len(self._tail)]
        self.whole = end >= 0
        self._tail = seen[-3:]
        self.size += len(mine)
        return mine
