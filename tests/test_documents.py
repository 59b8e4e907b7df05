from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.documents import MAX_BYTES, dump_document, read_document, write_whole
from harness.exceptions import FileFault, ScenarioFault

TEXT = """\
scenario: a
session:
  voice: echo
  tools:
    - {name: one}
    - name: two
      a/b: 1
      a~b: 2
"""


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "file.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


@pytest.mark.parametrize(
    ("pointer", "line"),
    [
        ("/scenario", 1),
        ("/session/voice", 3),
        ("/session/tools/0", 5),
        ("/session/tools/0/name", 5),
        ("/session/tools/1/name", 6),
        ("/session/tools/1/a~1b", 7),
        ("/session/tools/1/a~0b", 8),
    ],
)
def test_every_place_of_a_file_has_its_line(tmp_path: Path, pointer: str, line: int) -> None:
    assert read_document(write(tmp_path, TEXT)).line(pointer) == line


@pytest.mark.parametrize(
    ("pointer", "line"),
    [("", 1), ("/", 1), ("/nothing", 1), ("/session/tools/7", 5), ("/session/voice/deeper", 3)],
)
def test_a_place_that_is_not_there_has_the_line_of_its_parent(
    tmp_path: Path, pointer: str, line: int
) -> None:
    assert read_document(write(tmp_path, TEXT)).line(pointer) == line


def test_an_empty_file_is_null_and_has_no_lines(tmp_path: Path) -> None:
    document = read_document(write(tmp_path, ""))

    assert document.value is None
    assert document.line("/anything") is None


def test_json_is_read_too(tmp_path: Path) -> None:
    assert read_document(write(tmp_path, '{"a": [1, null, true]}')).value == {"a": [1, None, True]}


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    assert read_document(write(tmp_path, b"\xef\xbb\xbfa: 1\n")).value == {"a": 1}


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: &x [1]\nb: *x\n", 2, "alias '*x'"),
        ("a: 1\nb: !!python/name:os.system x\n", 2, "(python/name:os.system) is no JSON value"),
        ("a: 1\nb: !mine x\n", 2, "'x' (!mine) is no JSON value"),
        ("a: [1,\nb: 2\n", 3, "not YAML"),
        ("a: 1\n\tb: 2\n", 2, "not YAML"),
        ("a: 1\n---\nb: 2\n", 2, "found another document"),
        ("? [a]\n: b\n", 1, "the key is no text"),
    ],
)
def test_what_is_no_plain_value_is_refused_by_its_line(
    tmp_path: Path, text: str, line: int, problem: str
) -> None:
    path = write(tmp_path, text)

    with pytest.raises(FileFault) as caught:
        read_document(path)

    assert caught.value.line == line
    assert problem in caught.value.problem
    assert str(caught.value).startswith(f"{path}:{line}: file: ")


def test_an_alias_bomb_is_refused_at_its_first_alias(tmp_path: Path) -> None:
    levels = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 40)]

    with pytest.raises(FileFault, match="alias") as caught:
        read_document(write(tmp_path, "\n".join(levels)))

    assert caught.value.line == 2
    assert caught.value.expected == "the value, written out"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"a: \xff\n", "not UTF-8: invalid start byte at byte 3"),
        (b"a: \x00\n", "not YAML: unacceptable character"),
    ],
)
def test_bytes_that_are_no_text_are_refused(tmp_path: Path, text: bytes, problem: str) -> None:
    with pytest.raises(FileFault) as caught:
        read_document(write(tmp_path, text))

    assert caught.value.problem.startswith(problem)


def test_a_file_that_is_not_there_is_refused_as_what_it_should_have_been(tmp_path: Path) -> None:
    with pytest.raises(ScenarioFault) as caught:
        read_document(tmp_path / "none.yaml", ScenarioFault)

    assert (
        str(caught.value) == f"{tmp_path / 'none.yaml'}: scenario: cannot be read: No such file or directory"
    )


def test_a_folder_cannot_be_read_as_a_file(tmp_path: Path) -> None:
    with pytest.raises(FileFault, match="cannot be read: Is a directory"):
        read_document(tmp_path)


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(FileFault, match=f"larger than {MAX_BYTES} bytes"):
        read_document(write(tmp_path, b"#" * (MAX_BYTES + 1)))


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    with pytest.raises(FileFault, match=f"larger than {MAX_BYTES} bytes"):
        read_document(Path("/dev/zero"))


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "a: {b: 1, c: 3, b: 2}\n"])
def test_a_key_written_twice_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(FileFault, match="twice"):
        read_document(write(tmp_path, text))


@pytest.mark.parametrize(
    "text", ["a: 2024-10-01\n", "a: .nan\n", "a: .inf\n", "a: 1.0e+999\n", "1: a\n", "a: !!binary aGk=\n"]
)
def test_what_json_cannot_say_is_refused_or_read_as_text(tmp_path: Path, text: str) -> None:
    import json

    try:
        value = read_document(write(tmp_path, text)).value
    except FileFault:
        return
    assert json.loads(json.dumps(value, allow_nan=False)) == value


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(value=PLAIN)
def test_plain_values_survive_being_written_and_read(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.yaml"
    path.write_text(dump_document(value), encoding="utf-8")

    try:
        assert read_document(path).value == value
    except FileFault as fault:
        assert "alias" in fault.problem  # noqa: PT017 - the same object written twice


def test_keys_are_written_in_their_own_order() -> None:
    assert dump_document({"b": 1, "a": "ü"}) == 'b: 1\na: "\\xFC"\n'


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    def lines() -> Iterator[str]:
        yield "one"
        assert not (tmp_path / "new" / "file").exists()
        yield "two"

    write_whole(tmp_path / "new" / "file", lines())
    assert (tmp_path / "new" / "file").read_text() == "one\ntwo\n"

    with pytest.raises(FileFault, match="cannot be written"):
        write_whole(tmp_path / "new", ["one"])
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
