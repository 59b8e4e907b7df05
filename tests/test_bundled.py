from __future__ import annotations

import re

import pytest

from harness import bundled
from harness.cassette import Cassette, Provenance, load_cassette
from harness.dialects import bundled_dialect, default_dialect_names
from harness.scenario import Scenario, load_scenario

SCENARIOS: dict[str, Scenario] = {path.stem: load_scenario(path) for path in bundled.scenario_files()}
CASSETTES: dict[str, Cassette] = {
    f"{path.parent.name}/{path.stem}": load_cassette(path)
    for path in sorted(bundled.cassettes_folder().glob("*/*.jsonl"))
}


def test_the_bundled_files_are_found() -> None:
    assert bundled.baseline_file().is_file()
    assert len(SCENARIOS) >= 5
    assert len(CASSETTES) >= 10
    assert bundled.scenario_files() == sorted(bundled.scenario_files())


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_carries_the_name_of_its_file(name: str) -> None:
    assert SCENARIOS[name].name == name


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_has_a_cassette_in_every_dialect_it_applies_to(name: str) -> None:
    missing = [
        dialect
        for dialect in default_dialect_names()
        if SCENARIOS[name].applies_to(dialect)
        for file in SCENARIOS[name].cassette_names
        if f"{dialect}/{file}".removesuffix(".jsonl") not in CASSETTES
    ]

    assert missing == []


@pytest.mark.parametrize("name", CASSETTES)
def test_a_cassette_says_what_its_place_says(name: str) -> None:
    header = CASSETTES[name].header
    dialect = bundled_dialect(header.dialect)

    # Those of further connections are numbered.
    assert re.sub(r"\.\d+$", "", name) == f"{header.dialect}/{header.scenario}"
    assert header.scenario in SCENARIOS
    assert header.api_version == dialect.api_version
    assert header.path == dialect.handshake.path


@pytest.mark.parametrize("name", CASSETTES)
def test_a_cassette_that_nobody_recorded_says_so(name: str) -> None:
    header = CASSETTES[name].header

    assert header.provenance is Provenance.CONSTRUCTED
    assert dict(header.origin)["evidence"]


@pytest.mark.parametrize("name", CASSETTES)
def test_the_times_of_a_cassette_never_go_back(name: str) -> None:
    times = [interaction.t for interaction in CASSETTES[name].interactions]

    assert times == sorted(times)
