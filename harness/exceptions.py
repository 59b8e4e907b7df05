"""Every error the harness raises on purpose, and who is at fault.

HarnessError
├── FileFault              a file people wrote is wrong: exit 2
│   ├── ScenarioFault
│   ├── CassetteFault
│   ├── DialectFault
│   ├── BaselineFault
│   ├── LogFault
│   └── ModelScriptFault
├── UsageFault             the command line asks for what does not exist: exit 2
├── EnvironmentFault       an implementation's environment cannot be made: harness-error
├── MessageFault           a peer sent a frame that is no event
└── RecordingFault         a recording could not be finished as the scenario says

Exceptions carry fields; the sentence is made in `__str__`.
"""

from __future__ import annotations


class HarnessError(Exception):
    """Base of all; never raised itself."""


class FileFault(HarnessError):
    """A file does not hold what it must.

    `where` is a line number or a JSON pointer (RFC 6901), `expected` what
    should stand there and `hint` what to do about it.
    """

    kind = "file"

    def __init__(
        self,
        path: str,
        problem: str,
        *,
        line: int | None = None,
        pointer: str | None = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.path = path
        self.problem = problem
        self.line = line
        self.pointer = pointer
        self.expected = expected
        self.hint = hint
        super().__init__(path, problem)

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        at = f" at {self.pointer}" if self.pointer else ""
        lines = [f"{place}: {self.kind}{at}: {self.problem}"]
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        if self.hint:
            lines.append(f"  to mend it: {self.hint}")
        return "\n".join(lines)


class ScenarioFault(FileFault):
    kind = "scenario"


class CassetteFault(FileFault):
    kind = "cassette"


class DialectFault(FileFault):
    kind = "dialect"


class BaselineFault(FileFault):
    kind = "baseline"


class LogFault(FileFault):
    kind = "log"


class ModelScriptFault(FileFault):
    kind = "model script"


class UsageFault(HarnessError):
    """Something was named that is not there; `known` are the names that are."""

    def __init__(self, problem: str, *, known: tuple[str, ...] = (), hint: str | None = None) -> None:
        self.problem = problem
        self.known = known
        self.hint = hint
        super().__init__(problem)

    def __str__(self) -> str:
        text = self.problem
        if self.known:
            text += f"\n  known: {', '.join(self.known)}"
        if self.hint:
            text += f"\n  to mend it: {self.hint}"
        return text


class EnvironmentFault(HarnessError):
    """An implementation's isolated environment could not be made."""

    def __init__(self, implementation: str, last_lines: str) -> None:
        self.implementation = implementation
        self.last_lines = last_lines
        super().__init__(implementation)

    def __str__(self) -> str:
        return f"the environment of {self.implementation!r} could not be made:\n{self.last_lines}"


class MessageFault(HarnessError):
    """A frame is not an event: not JSON, not an object, no type, too large or too deep."""

    def __init__(self, problem: str, event_id: object = None) -> None:
        self.problem = problem
        self.event_id = event_id
        """The id that an object without a type has all the same."""
        super().__init__(problem)

    def __str__(self) -> str:
        return self.problem


class RecordingFault(HarnessError):
    """The server did not do what the scenario expects of it; `script` tells how far it went."""

    def __init__(self, problem: str, script: str) -> None:
        self.problem = problem
        self.script = script
        super().__init__(problem)

    def __str__(self) -> str:
        return f"{self.problem}\n{self.script}"
