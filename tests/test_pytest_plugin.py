"""The plugin from outside: whole pytest runs in folders of their own."""

from __future__ import annotations

import shutil

import pytest

from harness.bundled import scenarios_folder

pytest_plugins = ["pytester"]


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with two of the bundled scenarios, run without our own pytest settings."""
    folder = pytester.path / "scenarios"
    folder.mkdir()
    for name in ("text-turn", "text-modality"):
        shutil.copy(scenarios_folder() / f"{name}.yaml", folder)
    shutil.copytree(scenarios_folder() / "audio", folder / "audio")
    return pytester


_OTHERS = [word for name in ("hypothesispytest", "anyio", "xdist") for word in ("-p", f"no:{name}")]
"""Plugins of this project's own tests, which take longer to load than most of these runs."""


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """pytest in a process of its own, with the plugin as it is installed."""
    return project.runpytest_subprocess(*_OTHERS, *arguments)


def test_nothing_is_collected_unless_an_implementation_is_named(project: pytest.Pytester) -> None:
    result = run(project, "scenarios")
    result.assert_outcomes()
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_right_client_passes_in_every_dialect(project: pytest.Pytester) -> None:
    result = run(project, "--realtime-implementation", "reference", "scenarios")
    result.assert_outcomes(passed=6)


def test_a_failure_reads_as_a_finding_and_not_as_a_traceback(project: pytest.Pytester) -> None:
    result = run(
        project,
        "--realtime-implementation=rename-shim",
        "--realtime-dialect=azure-2024-10-01-preview",
        "scenarios/text-modality.yaml",
    )
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "modality.field at session.output_modalities" in text
    assert "Unknown parameter: 'session.output_modalities'." in text
    assert "again: realtime-harness check --implementation rename-shim" in text
    assert "Traceback" not in text


def test_a_case_over_tls_goes_as_one_without_and_says_how_to_have_it_again(project: pytest.Pytester) -> None:
    result = run(
        project,
        "--realtime-implementation=reference",
        "--realtime-implementation=rename-shim",
        "--realtime-dialect=azure-2024-10-01-preview",
        "--realtime-tls",
        "scenarios/text-modality.yaml",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["again: realtime-harness check --implementation rename-shim * --tls*"])


def test_a_broken_scenario_is_a_collection_error_with_its_line(project: pytest.Pytester) -> None:
    (project.path / "scenarios" / "broken.yaml").write_text(
        "format: 1\nscenario: broken\ntitle: t\ndialects: all\nsteps: 3\n"
    )
    result = run(project, "--realtime-implementation", "reference", "scenarios/broken.yaml")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*broken.yaml:5: scenario at /steps*"])


def test_other_yaml_files_are_left_alone(project: pytest.Pytester) -> None:
    (project.path / "other.yaml").write_text("a: 1\n")
    result = run(project, "--realtime-implementation", "reference", "other.yaml")
    result.assert_outcomes()


def test_an_own_cassette_folder_comes_before_the_bundled_one(project: pytest.Pytester) -> None:
    own = project.path / "cassettes" / "azure-v1"
    own.mkdir(parents=True)
    (own / "text-turn.jsonl").write_text("this is no cassette\n")
    result = run(
        project,
        "--realtime-implementation=reference",
        "--realtime-dialect=azure-v1",
        "scenarios/text-turn.yaml",
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*text-turn.jsonl:1: cassette: not JSON*"])


def test_the_plugin_loads_nothing_of_the_harness_until_it_is_used(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_loaded():
            heavy = {"deepdiff", "jsonschema", "websockets", "jinja2", "rich", "trustme", "harness.dialects"}
            assert not heavy & set(sys.modules)
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:asyncio", "-p", "no:hypothesispytest", "-p", "no:anyio")
    result.assert_outcomes(passed=1)


def test_a_scenario_that_is_asked_for_without_an_implementation_is_told_what_is_missing(
    project: pytest.Pytester,
) -> None:
    result = run(project, "scenarios/text-turn.yaml")
    result.stdout.fnmatch_lines(["*scenario files are collected with --realtime-implementation NAME*"])


def test_a_cassette_that_is_missing_is_named_in_the_folder_that_was_asked_for(
    project: pytest.Pytester,
) -> None:
    path = project.path / "scenarios" / "text-turn.yaml"
    text = path.read_text("utf-8").replace("scenario: text-turn", "scenario: mine")
    path.with_name("mine.yaml").write_text(text, encoding="utf-8")
    result = run(
        project,
        "--realtime-implementation=reference",
        "-o",
        "realtime_cassettes=tapes",
        "scenarios/mine.yaml",
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{project.path / 'tapes'}*mine.jsonl*"])


def test_a_misspelt_event_of_a_fault_is_a_collection_error(project: pytest.Pytester) -> None:
    path = project.path / "scenarios" / "text-turn.yaml"
    path.write_text(path.read_text("utf-8") + "faults: [drop:at=respnse.done]\n", encoding="utf-8")
    result = run(project, "--realtime-implementation=reference", "scenarios/text-turn.yaml")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no dialect has a server event 'respnse.done'*"])
