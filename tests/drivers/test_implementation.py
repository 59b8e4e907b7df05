from __future__ import annotations

from pathlib import Path

import pytest

from harness.drivers import BUNDLED, implementation_names, parse_implementation
from harness.exceptions import UsageFault


def test_every_bundled_name_stands_for_a_program_that_is_there() -> None:
    assert set(BUNDLED) <= set(implementation_names())
    for name in implementation_names():
        found = parse_implementation(name)
        assert found.program is not None
        assert found.program.is_file()
        assert found.start_seconds > 0


def test_the_reference_needs_no_environment_of_its_own() -> None:
    found = parse_implementation("reference")
    assert found.name == "reference"
    assert found.requirements == ()
    assert found.factory is None


def test_a_framework_has_a_version_and_another_one_can_be_named() -> None:
    usual = parse_implementation("openai")
    assert usual.name == f"openai@{usual.requirements[0].partition('==')[2]}"
    other = parse_implementation("openai@2.0.0")
    assert other.name == "openai@2.0.0"
    assert other.requirements[0].endswith("==2.0.0")


def test_a_variant_is_passed_on_to_the_program() -> None:
    found = parse_implementation("miniature:voice-lost")
    assert found.name == "miniature:voice-lost"
    assert found.command == ("--fault", "voice-lost")
    assert found.environment_name == "miniature"


def test_a_shim_of_the_users_is_named_by_file_and_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shim.py").write_text("def build(): ...\n")
    monkeypatch.chdir(tmp_path)
    found = parse_implementation("pipecat@1.1.0+shim.py:build")
    assert found.name == "pipecat@1.1.0+shim.py:build"
    assert found.factory == f"{tmp_path / 'shim.py'}:build"
    assert found.environment_name == "pipecat@1.1.0"


def test_any_command_can_be_a_driver() -> None:
    found = parse_implementation("cmd:node 'my driver.mjs' --x")
    assert found.program is None
    assert found.command == ("node", "my driver.mjs", "--x")
    assert found.name == "cmd:node 'my driver.mjs' --x"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nobody", "no implementation 'nobody'"),
        ("", "no implementation"),
        ("Reference", "no implementation"),
        ("../reference", "no implementation"),
        ("reference@1.0", "no versions"),
        ("openai:fast", "no variants"),
        ("cmd:", "no command"),
        ("cmd:   ", "no command"),
        ("pipecat+shim.py", "does not name a shim"),
        ("pipecat+shim.py:1build", "does not name a shim"),
        ("pipecat+no/such/file.py:build", "no file"),
        ("openai@1.0; rm -rf", "no implementation"),
    ],
)
def test_what_stands_for_nothing_is_refused_with_a_reason(text: str, says: str) -> None:
    with pytest.raises(UsageFault) as fault:
        parse_implementation(text)
    assert says in str(fault.value)


def test_a_command_with_an_open_quote_is_refused_with_a_reason() -> None:
    with pytest.raises(UsageFault):
        parse_implementation("cmd:node 'driver")


def test_a_refusal_names_what_there_is() -> None:
    with pytest.raises(UsageFault) as fault:
        parse_implementation("nobody")
    assert {"reference", "openai", "pipecat", "cmd:COMMAND"} <= set(fault.value.known)
