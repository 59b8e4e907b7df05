"""The documents are true: what they name exists, and what exists is named."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.checks import all_checks
from harness.cli.main import build_parser
from harness.dialects import Acceptance, Evidence, load_dialect
from harness.dialects.notation import expected_flags
from harness.drivers import implementation_names
from harness.findings import Verdict
from harness.messages import Json
from harness.scenario import load_scenario
from harness.service import Origin
from harness.validation import bundled_schema, subschema

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/*.md")])


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def command_of(name: str) -> str:
    """A command of the README, by the comment above it."""
    match = re.search(rf"<!-- command: {name} -->\n```sh\n(.+?)\n```", read("README.md"), re.DOTALL)
    assert match is not None
    return match[1]


def test_every_check_has_a_section_and_every_section_a_check() -> None:
    sections = set(re.findall(r"^### (\S+)$", read("docs/checks.md"), re.MULTILINE))
    assert sections == {check.code for check in all_checks()}


def test_every_origin_is_explained() -> None:
    text = read("docs/cassettes.md")
    for name in map(str, Origin):
        assert f"| `{name}` |" in text, name


def test_every_evidence_level_and_every_verdict_is_explained() -> None:
    for level in Evidence:
        assert f"| `{level}` |" in read("docs/dialects.md")
    for verdict in Verdict:
        assert str(verdict) in read("README.md") + read("docs/checks.md")


def test_every_bundled_driver_is_in_the_table_of_names() -> None:
    for name in implementation_names():
        assert re.search(rf"^\| `{name}[`:]", read("docs/drivers.md"), re.MULTILINE), name


def test_every_command_is_in_the_documents() -> None:
    parser = build_parser()
    commands = next(
        action.choices for action in parser._actions if hasattr(action, "choices") and action.choices
    )
    text = "".join(path.read_text("utf-8") for path in DOCUMENTS)
    for name in commands:
        assert re.search(rf"realtime-harness {name}\b|`{name}`", text), name


@pytest.mark.parametrize("name", ["test", "main"])
def test_ci_runs_the_readmes_command(name: str) -> None:
    assert command_of(name) in read(".ci/run")


def test_links_between_documents_lead_somewhere() -> None:
    for path in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", path.read_text("utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_scenarios_in_the_documents_load(tmp_path: Path) -> None:
    whole, tools, part = re.findall(r"```yaml\n(.+?)```", read("docs/scenarios.md"), re.DOTALL)
    (tmp_path / "greeting.yaml").write_text(whole, encoding="utf-8")
    assert load_scenario(tmp_path / "greeting.yaml").name == "greeting"
    head = "format: 1\nscenario: part\ntitle: A part.\ndialects: all\n"
    (tmp_path / "part.yaml").write_text(head + part, encoding="utf-8")
    assert len(load_scenario(tmp_path / "part.yaml").answers) == 2
    (tmp_path / "tools.yaml").write_text(head + tools + "steps: [{expect: [a]}]\n", encoding="utf-8")
    (tool,) = load_scenario(tmp_path / "tools.yaml").tools
    assert tool.result == {"condition": "sunny", "temperature_c": 21}


def test_the_dialect_in_the_documents_loads_and_does_what_is_said_beside_it(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.+?)```", read("docs/dialects.md"), re.DOTALL)
    (tmp_path / "brook.yaml").write_text(block, encoding="utf-8")
    dialect = load_dialect(tmp_path / "brook.yaml")
    fields = dialect.client.shapes["session_request"].fields

    assert fields["width"].acceptance is Acceptance.UNKNOWN
    assert fields["output_modalities"].fact.evidence is Evidence.ANALOGOUS
    assert fields["depth"].default == 5
    assert fields["mood"].fact.source == "the brook's book, chapter one"
    assert dialect.service.session["mood"] == "calm"


def test_every_part_of_a_dialect_file_is_in_the_documents() -> None:
    text = read("docs/dialects.md")
    schema = bundled_schema("dialect").schema
    words = {*schema["properties"], *schema["$defs"]["row"]["properties"]}
    words |= {*schema["properties"]["translation"]["properties"]}
    words |= {*schema["$defs"]["field"]["anyOf"][1]["properties"]}
    for word in sorted(words):
        assert re.search(rf"`{word}\b|^ *{word}:|[{{ ]{word}: ", text, re.MULTILINE), word
    for flag in expected_flags().split(", "):
        assert f"`{flag.removesuffix(' …')}" in text, flag


def test_the_cassette_lines_in_the_documents_are_valid() -> None:
    (block,) = re.findall(r"```json\n(.+?)```", read("docs/cassettes.md"), re.DOTALL)
    lines = [json.loads(line) for line in block.splitlines()]
    for definition, line in zip(("header", "interaction", "footer"), lines, strict=True):
        assert subschema("cassette", definition).problems(line) == []


def test_the_driver_messages_in_the_documents_are_of_the_protocol() -> None:
    (block,) = re.findall(r"```\n(driver .+?)```", read("docs/drivers.md"), re.DOTALL)
    messages = re.findall(
        r"^(driver|harness)\s+→ (.+?)(?=^driver|^harness|\Z)", block, re.DOTALL | re.MULTILINE
    )
    assert len(messages) == 9
    for side, text in messages:
        definition = "from_driver" if side == "driver" else "to_driver"
        message: Json = json.loads(text.replace('"session": {…}', '"session": {}').replace("[{…}]", "[]"))
        assert subschema("driver", definition).problems(message) == [], message
