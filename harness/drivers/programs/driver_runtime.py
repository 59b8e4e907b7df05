"""The driver's side of the driver protocol, for drivers written in Python.

A driver runs in the environment of the framework it drives, so this file needs
nothing but the standard library (Python 3.10 or newer). A driver imports it as
a neighbour: the folder of a program is the first entry of its module path.

A driver subclasses `Driver` and calls `run(driver)`. Standard output belongs
to the protocol: whatever the framework prints goes to standard error instead,
which the harness keeps as the implementation's log.
"""

from __future__ import annotations

import asyncio
import base64
import dis
import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

PROTOCOL = 1

Json = dict[str, Any]

Said = tuple[str, str] | None
"""Who said what, where it is known."""


@dataclass(frozen=True)
class Endpoint:
    """Where to connect. `url` is complete; the parts are there for libraries that build their own."""

    url: str
    origin: str
    path: str
    query: dict[str, str]
    key: str
    ca_file: str | None = None


@dataclass(frozen=True)
class Tool:
    """A tool of the scenario and the result it is scripted to return (any JSON value)."""

    name: str
    description: str
    parameters: Json
    result: Any

    @property
    def definition(self) -> Json:
        """The tool as it stands in a session."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }


@dataclass(frozen=True)
class Start:
    """The plan of a case: `session` is the wanted session in canonical (GA, nested) form."""

    endpoint: Endpoint
    dialect: str
    session: Json
    tools: tuple[Tool, ...]
    factory: str | None


@dataclass
class Notices:
    """Writes notices, one JSON line each; safe from any thread."""

    _out: TextIO
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, notice: Json) -> None:
        line = json.dumps(notice, default=str)
        with self._lock:
            self._out.write(line + "\n")
            self._out.flush()

    def observe(self, kind: str, **fields: Any) -> None:
        self.write({"type": "observation", "kind": kind, **fields})

    def audio(self, pcm: bytes, rate: int) -> None:
        self.observe("audio", audio=base64.b64encode(pcm).decode("ascii"), rate=rate)

    def log(self, level: str, logger: str, message: str) -> None:
        self.write({"type": "log", "level": level, "logger": logger, "message": message[:4000]})


class Driver:
    """One implementation, driven through its own API. Subclasses override what they can do."""

    name = "?"
    version = "?"
    intents: tuple[str, ...] = ("say", "close")
    observes: tuple[str, ...] = ()
    cannot: tuple[tuple[str, str], ...] = ()
    parts = "wire"
    """The naming of content parts the framework promises its users: `canonical`, or `wire`."""
    notices: Notices

    async def start(self, start: Start) -> None:
        """Connects and configures. Returning means: ready for the first intent."""

    async def say(self, text: str) -> None:
        """The user types `text` and an answer is wanted."""
        raise NotImplementedError

    async def speak(self, pcm: bytes, rate: int, end: str) -> None:
        """The user speaks; `end` is `commit` or `silence`."""
        raise NotImplementedError

    async def interrupt(self, pcm: bytes, rate: int) -> None:
        """The user speaks over the answer being given; called while `say` or `speak` is still going on."""
        raise NotImplementedError

    async def seed(self, messages: list[Json]) -> None:
        """History is put in before the conversation goes on: each message has `role` and `text`."""
        raise NotImplementedError

    async def edit(self, action: str, item: int, audio_end_ms: int | None = None, words: Said = None) -> None:
        """An item is retrieved, deleted or truncated; `item` counts those of the asked-for turns from 0.

        `words` are its role and text, where they are known: a conversation that holds more is found by them.
        """
        raise NotImplementedError

    async def respond(self, response: Json) -> None:
        """An answer outside the turn is wanted; `response` is the body of `response.create`, canonical."""
        raise NotImplementedError

    async def reconnect(self) -> None:
        """The connection is gone and the user goes on: a new one, with session, tools and history."""
        raise NotImplementedError

    async def update(self, session: Json) -> None:
        """The session is changed in midway; `session` is partial and canonical."""
        raise NotImplementedError

    async def read_history(self) -> None:
        """The conversation so far is read back, as a `history` observation."""
        raise NotImplementedError

    async def close(self) -> None:
        """Hangs up in the framework's own clean way."""


def decode_start(message: Json) -> Start:
    endpoint = message["endpoint"]
    return Start(
        endpoint=Endpoint(
            url=endpoint["url"],
            origin=endpoint["origin"],
            path=endpoint["path"],
            query=dict(endpoint["query"]),
            key=endpoint["key"],
            ca_file=endpoint.get("ca_file"),
        ),
        dialect=message["dialect"]["name"],
        session=message["session"],
        tools=tuple(
            Tool(tool["name"], tool.get("description", ""), tool["parameters"], tool["result"])
            for tool in message["tools"]
        ),
        factory=message["factory"],
    )


def load_factory(factory: str) -> Any:
    """Loads `file.py:function` as a module of its own and returns the function."""
    import importlib.util

    path, _, function = factory.rpartition(":")
    spec = importlib.util.spec_from_file_location("shim_under_test", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"cannot load the shim from {path!r}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["shim_under_test"] = module
    spec.loader.exec_module(module)
    return getattr(module, function)


class _LogHandler(logging.Handler):
    def __init__(self, notices: Notices) -> None:
        super().__init__(logging.WARNING)
        self.notices = notices

    def emit(self, record: logging.LogRecord) -> None:
        self.notices.log(record.levelname, record.name, self.format(record))


# Here an exception is on its way to its handler, but not yet what `sys.exc_info` tells of.
_ENTERING_A_HANDLER = ("PUSH_EXC_INFO", "CLEANUP_THROW")


@dataclass
class _Raised:
    """Exceptions seen in a frame whose end is open: caught there, or on their way out of it."""

    errors: list[Exception]
    just_now: bool = True


def watch_handled_exceptions(path: str, notices: Notices) -> None:
    """Reports every exception that code in the file `path` catches and keeps to itself.

    A shim's `except Exception: pass` leaves no other trace. An exception that
    leaves the frame it was seen in, be it through a `finally`, a `raise` in the
    handler or as the cause of another one, is somebody else's to report. Loop
    control (`StopIteration` and the like) is not an error.

    Only the frames of that one file are followed, so the framework's own code
    pays for one look-up per call.
    """
    watched = os.path.realpath(path)
    ours: dict[str, bool] = {}
    open_ends: dict[FrameType, _Raised] = {}

    def follow(frame: FrameType, event: str, arg: Any) -> Any:
        if event == "exception":
            _remember(open_ends, frame, arg[1])
        elif frame in open_ends:
            last = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            if event == "return" and not last.startswith("RETURN_"):
                _forget_if_left(open_ends, frame, last)
            elif last not in _ENTERING_A_HANDLER:
                for error in _settled(open_ends, frame):
                    notices.observe(
                        "exception",
                        message=f"{type(error).__name__}: {error}"[:500],
                        where=_where(error, frame.f_code.co_filename),
                        handled=True,
                    )
        return follow

    def trace(frame: FrameType, _event: str, _arg: Any) -> Any:
        name = frame.f_code.co_filename
        if name not in ours:
            ours[name] = os.path.realpath(name) == watched
        return follow if ours[name] else None

    sys.settrace(trace)
    threading.settrace(trace)


def _remember(open_ends: dict[FrameType, _Raised], frame: FrameType, error: BaseException) -> None:
    if not isinstance(error, Exception) or isinstance(error, (StopIteration, StopAsyncIteration)):
        return
    raised = open_ends.setdefault(frame, _Raised([]))
    raised.just_now = True
    if not any(known is error for known in raised.errors):
        raised.errors.append(error)


def _forget_if_left(open_ends: dict[FrameType, _Raised], frame: FrameType, last: str) -> None:
    """Tells a frame that an exception has left from one that only waits at a `yield` or an `await`.

    Python calls both "return". A doubtful one is kept: a frame that is over never shows up again.
    """
    if open_ends[frame].just_now or last in ("RERAISE", "RAISE_VARARGS"):
        del open_ends[frame]


def _settled(open_ends: dict[FrameType, _Raised], frame: FrameType) -> list[Exception]:
    """The exceptions of a running frame that nobody is handling any more: their handler is over."""
    handling: list[BaseException] = []
    current = sys.exc_info()[1]
    while current is not None and not any(seen is current for seen in handling):
        handling.append(current)
        current = current.__context__
    raised = open_ends[frame]
    raised.just_now = False
    settled = [error for error in raised.errors if not any(error is other for other in handling)]
    raised.errors = [error for error in raised.errors if any(error is other for other in handling)]
    if not raised.errors:
        del open_ends[frame]
    return settled


def _where(error: Exception, filename: str) -> str:
    """The innermost line of the watched file that the exception came through."""
    line = 0
    for frame, lineno in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == filename:
            line = lineno
    return f"{Path(filename).name}:{line}"


async def _perform(driver: Driver, message: Json) -> None:
    kind = message["type"]
    if kind == "start":
        await driver.start(decode_start(message))
        driver.notices.write({"type": "ready"})
        return
    words = (message["role"], message["text"]) if "role" in message else None
    calls: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
        "say": lambda: driver.say(message["text"]),
        "speak": lambda: driver.speak(base64.b64decode(message["audio"]), message["rate"], message["end"]),
        "interrupt": lambda: driver.interrupt(base64.b64decode(message["audio"]), message["rate"]),
        "seed": lambda: driver.seed(message["messages"]),
        "edit": lambda: driver.edit(message["action"], message["item"], message.get("audio_end_ms"), words),
        "respond": lambda: driver.respond(message["response"]),
        "reconnect": driver.reconnect,
        "update": lambda: driver.update(message["session"]),
        "read_history": driver.read_history,
        "close": driver.close,
    }
    if kind in calls:
        await calls[kind]()
    driver.notices.write({"type": "done", "intent": message["intent"]})


async def _serve(driver: Driver, lines: asyncio.Queue[str | None]) -> None:
    """Takes lines until `close` is done or they end: one after another, but for who interrupts."""
    driver.notices.write(
        {
            "type": "hello",
            "protocol": PROTOCOL,
            "implementation": {"name": driver.name, "version": driver.version},
            "intents": list(driver.intents),
            "observes": list(driver.observes),
            "parts": driver.parts,
            "cannot": [{"field": name, "reason": reason} for name, reason in driver.cannot],
        }
    )
    going: set[asyncio.Task[None]] = set()
    while (line := await _next(lines, going)) is not None:
        message = json.loads(line)
        if message["type"] != "interrupt":
            await asyncio.gather(*going)
            going.clear()
        work = asyncio.create_task(_perform(driver, message))
        going.add(work)
        if message["type"] in ("start", "close"):
            await work
        if message["type"] == "close":
            break
    await asyncio.gather(*going)
    driver.notices.write({"type": "closed"})


async def _next(lines: asyncio.Queue[str | None], going: set[asyncio.Task[None]]) -> str | None:
    """The next line; what fails until then ends the driver."""
    reading = asyncio.create_task(lines.get())
    while not reading.done():
        done, _ = await asyncio.wait({reading, *going}, return_when=asyncio.FIRST_COMPLETED)
        for task in going & done:
            going.remove(task)
            await task
    return await reading


def run(driver: Driver) -> None:
    """Runs the driver until the harness says `close` or ends its standard input."""
    protocol_out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    driver.notices = Notices(protocol_out)
    logging.getLogger().addHandler(_LogHandler(driver.notices))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        lines: asyncio.Queue[str | None] = asyncio.Queue()

        def read() -> None:
            for line in sys.stdin:
                if line.strip():
                    loop.call_soon_threadsafe(lines.put_nowait, line)
            loop.call_soon_threadsafe(lines.put_nowait, None)

        threading.Thread(target=read, name="driver-stdin", daemon=True).start()
        status = 1
        try:
            await _serve(driver, lines)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            # Leaving the loop would wait for the framework's tasks and threads; whatever of them is
            # still there after "closed" must not keep the process alive.
            os._exit(status)

    asyncio.run(main())
