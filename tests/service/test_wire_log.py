from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.service.wire_log import WireLog


def test_what_is_unwritten_is_written_when_it_is_read_and_only_once() -> None:
    written: list[int] = []

    def write(place: int) -> str:
        written.append(place)
        return f"entry {place}"

    log: WireLog[str] = WireLog(["first"])
    assert log.note(3, write) == 1
    log.append("last")
    assert (len(log), written) == (5, [])
    assert log[2] == "entry 1"
    assert log[-2] == "entry 2"
    assert written == [1, 2]
    assert list(log) == ["first", "entry 0", "entry 1", "entry 2", "last"]
    assert sorted(written) == [0, 1, 2]


def test_it_holds_what_a_list_would_when_entries_are_put_among_others() -> None:
    log: WireLog[str] = WireLog()
    log.note(2, lambda place: f"entry {place}")
    log.insert(1, "between")
    log[0] = "other"
    del log[2]
    assert log == ["other", "between"]
    log[0:1] = ["a", "b"]
    assert log == WireLog(["a", "b", "between"])
    assert log != ("a", "b", "between")
    log.clear()
    assert log == []


@given(st.lists(st.integers(0, 3)), st.slices(12))
def test_slices_and_places_are_those_of_a_list(counts: list[int], wanted: slice) -> None:
    log: WireLog[tuple[int, int]] = WireLog()
    plain: list[tuple[int, int]] = []
    for number, count in enumerate(counts):
        log.note(count, lambda place, number=number: (number, place))
        log.append((number, -1))
        plain += [*((number, place) for place in range(count)), (number, -1)]
    assert log[wanted] == plain[wanted]
    assert [log[place] for place in range(-len(plain), len(plain))] == plain + plain
