"""`realtime-harness construct`: the bundled cassettes, from the scenarios and the dialect tables."""

from __future__ import annotations

import argparse

from harness.cli.select import check_played, select_dialects, select_scenarios
from harness.construct import construct_cassettes


def run(options: argparse.Namespace) -> int:
    """Writes the cassettes; with --check compares them and exits 1 where one differs."""
    different = 0
    dialects, scenarios = select_dialects(options.dialect), select_scenarios(options.scenario)
    if options.scenario:
        check_played(scenarios, dialects)
    for dialect in dialects:
        for scenario in scenarios:
            if not scenario.applies_to(dialect.name):
                continue
            made = construct_cassettes(scenario, dialect)
            for name, cassette in zip(scenario.cassette_names, made, strict=True):
                path = options.output / dialect.name / name
                text = "".join(f"{line}\n" for line in cassette.lines())
                same = path.exists() and path.read_text(encoding="utf-8") == text
                if options.check:
                    different += not same
                    print(f"{'same' if same else 'DIFFERS'}  {path}")
                else:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(text, encoding="utf-8")
                    print(f"{'unchanged' if same else 'written'}  {path}")
    return 1 if different else 0
