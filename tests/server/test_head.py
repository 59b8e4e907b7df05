from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from harness.server.head import MAX_HEAD, Head

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\nX: \r\r\n\n\r\n\r\n"
AFTER = b"\x81\x85....\r\n\r\nmore"


@given(st.lists(st.integers(0, len(HEAD + AFTER)), max_size=12))
def test_a_head_ends_where_it_ends_however_it_is_cut(places: list[int]) -> None:
    data, cuts = HEAD + AFTER, sorted({0, *places, len(HEAD + AFTER)})
    head = Head()
    taken = [head.take(data[begin:end]) for begin, end in itertools.pairwise(cuts)]
    assert b"".join(taken) == HEAD
    assert (head.size, head.whole, head.too_long) == (len(HEAD), True, False)


def test_a_head_is_too_long_before_it_is_whole() -> None:
    head = Head()
    head.take(b"x" * MAX_HEAD)
    assert not head.too_long
    head.take(b"x")
    assert head.too_long
    assert not head.whole
