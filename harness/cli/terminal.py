"""What people see in a terminal. The one home of `rich`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from harness.cli.plain import plain
from harness.findings import Finding, Severity, Verdict
from harness.report import BAD, CaseResult, Run

_GLYPHS = {
    Verdict.PASS: ("✓", "green"),
    Verdict.DEVIATION: ("≈", "yellow"),
    Verdict.NOT_PROVEN: ("?", "bold magenta"),
    Verdict.FAIL: ("✗", "bold red"),
    Verdict.HARNESS_ERROR: ("!", "bold white on red"),
    Verdict.NOT_APPLICABLE: ("-", "dim"),
}

_SHOWN_CHANGES = 6


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leaves it to the command: rich would exit with 1, which says that a case failed."""
        raise BrokenPipeError


class Terminal:
    """Shows a run: progress while it goes, then the table and the findings."""

    def __init__(self, cases: int, console: Console | None = None) -> None:
        self.console = console or _Console(highlight=False, soft_wrap=False)
        self._cases = cases
        self._ended = 0
        self._progress: Progress | None = None
        self._task: Any = None

    def say(self, text: str) -> None:
        self.console.print(escape(text))

    @contextmanager
    def progress(self) -> Iterator[None]:
        """A bar on a terminal; elsewhere a line for each case."""
        if not self.console.is_terminal:
            yield
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.console, transient=True) as bar:
            self._progress = bar
            self._task = bar.add_task("judging", total=self._cases)
            yield
            self._progress = None

    def case_ended(self, result: CaseResult) -> None:
        self._ended += 1
        if self._progress is not None:
            self._progress.update(self._task, advance=1, description=escape(str(result.id)))
        else:
            count = f"[{self._ended:>3}/{self._cases}]"
            self.console.print(
                escape(f"{count} {result.verdict:<13} {result.id} ({result.seconds:.1f} s)"),
                soft_wrap=True,
            )

    def show(self, run: Run, *, verbose: bool) -> None:
        """The verdict table, then what was found."""
        for dialect in run.dialects:
            results = [result for result in run.results if result.id.dialect == dialect.name]
            if results:
                self.console.print()
                self.console.print(_table(run, dialect.title, results))
        self._show_findings(run, verbose=verbose)
        self._show_end(run)

    def show_pages(self, pages: list[Path], folder: Path) -> None:
        self.console.print()
        for page in sorted(pages, key=lambda page: page.name != "index.html"):
            self.console.print(f"report:  {escape(str(page))}", soft_wrap=True)
        self.console.print(f"results: {escape(str(folder / 'results.jsonl'))}", soft_wrap=True)

    def _show_findings(self, run: Run, *, verbose: bool) -> None:
        for result in run.results:
            if result.verdict in (Verdict.PASS, Verdict.NOT_APPLICABLE) and not verbose:
                continue
            glyph, style = _GLYPHS[result.verdict]
            known = " (known)" if run.baseline.expects(result) else ""
            self.console.print()
            self.console.print(
                f"[{style}]{glyph} {result.verdict}{known}[/] {escape(str(result.id))}", soft_wrap=True
            )
            if not result.findings:
                self._line("", result.reason)
            for fault in result.faults:
                whose = "the scenario's own" if fault.of_scenario else "asked for"
                self._line("fault", f"{fault.text} ({whose}{'' if fault.struck else '; it changed nothing'})")
            findings = [f for f in result.findings if verbose or f.severity is not Severity.NOTE]
            unexpected = result.verdict in BAD and not known
            for number, finding in enumerate(findings):
                if verbose or unexpected or (number == 0 and result.verdict in BAD):
                    self._show_finding(finding)
                else:
                    self._line(finding.code, f"{finding.path}: {finding.message}")
            if unexpected or verbose:
                self._line("again", result.reproduce)

    def _show_finding(self, finding: Finding) -> None:
        self._line(finding.code, finding.message)
        self._line("  expected", _shown(finding.expected))
        self._line("  actual", _shown(finding.actual))
        for change in finding.diff[:_SHOWN_CHANGES]:
            sign = {"added": "+", "removed": "-", "changed": "±"}[change.kind]
            values = {"added": [change.actual], "removed": [change.expected]}.get(
                change.kind, [change.expected, change.actual]
            )
            self._line("  diff", f"{sign} {change.path}: " + " → ".join(_shown(value) for value in values))
        if len(finding.diff) > _SHOWN_CHANGES:
            self._line("  diff", f"… and {len(finding.diff) - _SHOWN_CHANGES} more, in the report")
        for basis in finding.basis:
            self._line("  evidence", f"{basis.evidence}: {basis.source}")
        self._line("  mend", finding.mend)

    def _line(self, label: str, text: str) -> None:
        first, *rest = map(plain, text.splitlines() or [""])
        self.console.print(f"    [bold]{escape(label)}[/] {escape(first)}", soft_wrap=True)
        for line in rest:
            self.console.print(f"      {escape(line)}", soft_wrap=True)

    def _show_end(self, run: Run) -> None:
        end = run.end()
        self.console.print()
        counts = ", ".join(f"{end.verdicts[v]} {v}" for v in map(str, Verdict) if end.verdicts.get(v))
        known = sum(run.baseline.expects(result) for result in run.results)
        total = f"{len(run.results)} case{'' if len(run.results) == 1 else 's'}"
        self.console.print(f"{total}: {counts}; {known} known in the baseline")
        for case in end.unexpected:
            self.console.print(f"[bold red]not in the baseline:[/] {escape(case)}", soft_wrap=True)
        for entry in end.stale:
            self.console.print(f"[bold red]stale in the baseline:[/] {escape(entry)}", soft_wrap=True)
        verdict = {0: "[green]as expected[/]", 1: "[bold red]not as expected[/]"}
        self.console.print(verdict.get(end.exit, "[bold red]the harness itself failed[/]"))


def show_report(lines: Iterable[str], console: Console | None = None) -> None:
    """Lines of plain text; those that begin at the margin are headings."""
    console = console or _Console(highlight=False)
    for line in lines:
        heading = line and not line.startswith(" ")
        console.print(escape(line), style="bold" if heading else None, soft_wrap=True, emoji=False)


class Screen:
    """Lines in parts, each with a style, as they come.

    On a terminal a line that is too long is cut; one that begins with a space
    belongs to the line before, and is wrapped under its last part instead.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or _Console(highlight=False)
        self.clean: Callable[[str], str] = str
        """What takes secrets out of everything that is not put `as_is`."""

    def put(self, parts: Sequence[tuple[str, str]], *, as_is: bool = False) -> None:
        pieces = [Text(text if as_is else plain(self.clean(text)), style) for text, style in parts]
        line = Text.assemble(*pieces)
        if as_is or not self.console.is_terminal:
            self.console.print(line, soft_wrap=True)
        elif line.plain.startswith(" "):
            hang = len(line) - len(pieces[-1])
            wrapped = pieces[-1].wrap(self.console, max(self.console.width - hang, 20))
            for piece in wrapped:
                piece.rstrip()
            first, *rest = wrapped or [Text()]
            self.console.print(Text.assemble(*pieces[:-1], first), soft_wrap=True)
            for more in rest:
                self.console.print(Text.assemble(" " * hang, more), soft_wrap=True)
        else:
            self.console.print(line, no_wrap=True, overflow="ellipsis")


def _table(run: Run, title: str, results: list[CaseResult]) -> Table:
    """Scenarios by implementations: names of scenarios are short, and a terminal is narrow."""
    implementations = list(dict.fromkeys(result.id.implementation for result in results))
    table = Table(title=escape(title), title_justify="left", title_style="bold", caption_justify="left")
    table.add_column("scenario", no_wrap=True)
    for implementation in implementations:
        table.add_column(escape(implementation), overflow="fold", min_width=12)
    for scenario in dict.fromkeys(result.id.scenario for result in results):
        cells = {r.id.implementation: _cell(run, r) for r in results if r.id.scenario == scenario}
        table.add_row(scenario, *(cells.get(name, "") for name in implementations))
    kinds = {str(result.provenance.get("kind")) for result in results}
    table.caption = f"cassettes: {', '.join(sorted(kinds))}"
    return table


def _cell(run: Run, result: CaseResult) -> str:
    glyph, style = _GLYPHS[result.verdict]
    text = f"[{style}]{glyph} {result.verdict}[/]"
    if run.baseline.expects(result):
        text += " [dim]known[/]"
    if result.close_verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE):
        text += f"\n[dim]close: {result.close_verdict}[/]"
    return text


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 400 else text[:380] + " …"
