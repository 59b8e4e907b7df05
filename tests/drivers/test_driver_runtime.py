"""The runtime of the Python drivers: what it reports of exceptions that a shim keeps to itself."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.drivers.programs.driver_runtime import Notices, load_factory, watch_handled_exceptions

Watch = Callable[[str], tuple[Callable[[], Any], Callable[[], list[dict[str, Any]]]]]


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    """Writes a shim, watches it, and gives its `build` and what was reported so far."""
    previous = sys.gettrace()

    def start(source: str) -> tuple[Callable[[], Any], Callable[[], list[dict[str, Any]]]]:
        shim = tmp_path / "shim.py"
        shim.write_text(textwrap.dedent(source))
        out = io.StringIO()
        watch_handled_exceptions(str(shim), Notices(out))
        return load_factory(f"{shim}:build"), lambda: [json.loads(x) for x in out.getvalue().splitlines()]

    yield start
    sys.settrace(previous)
    threading.settrace(previous)


def reported(watch: Watch, source: str) -> list[str]:
    """The messages reported while `build` ran to its end, whether it raised or not."""
    build, reports = watch(source)
    with contextlib.suppress(Exception):
        result = build()
        if asyncio.iscoroutine(result):
            asyncio.run(result)
    return [report["message"] for report in reports()]


SWALLOWED = {
    "a pass": """
        def build():
            try:
                {}["type"]
            except Exception:
                pass
        """,
    "a return in the handler": """
        def build():
            try:
                return {}["type"]
            except Exception:
                return None
        """,
    "a continue": """
        def build():
            for message in ({}, {"type": "x"}):
                try:
                    message["type"]
                except KeyError:
                    continue
        """,
    "contextlib.suppress": """
        import contextlib
        def build():
            with contextlib.suppress(KeyError):
                {}["type"]
            return 1
        """,
    "a return in a finally": """
        def build():
            try:
                {}["type"]
            finally:
                return 1
        """,
    "a caller in the same file": """
        def inner():
            try:
                return {}["type"]
            finally:
                done = True
        def build():
            try:
                inner()
            except Exception:
                pass
        """,
    "an async generator that goes on with the raw message": """
        async def messages():
            for message in ({}, {"type": "x"}):
                yield message
        async def translated():
            async for message in messages():
                try:
                    message["type"]
                except Exception:
                    pass
                yield message
        async def build():
            return [message async for message in translated()]
        """,
    "a handler that awaits": """
        import asyncio
        async def build():
            try:
                {}["type"]
            except Exception:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
        """,
    "an awaited task": """
        import asyncio
        async def fails():
            await asyncio.sleep(0)
            {}["type"]
        async def build():
            try:
                await asyncio.create_task(fails())
            except Exception:
                pass
        """,
}

PASSED_ON = {
    "no handler at all": """
        def build():
            {}["type"]
        """,
    "a finally": """
        def build():
            try:
                {}["type"]
            finally:
                done = True
                done = False
        """,
    "a handler for something else": """
        def build():
            try:
                {}["type"]
            except ValueError:
                return 1
        """,
    "a handler that raises it again": """
        def build():
            try:
                {}["type"]
            except Exception:
                seen = True
                raise
        """,
    "a handler that raises another one from it": """
        def build():
            try:
                {}["type"]
            except KeyError as error:
                raise ValueError("no type") from error
        """,
    "a with block": """
        import contextlib
        @contextlib.contextmanager
        def section():
            yield
        def build():
            with section():
                {}["type"]
        """,
    "an await of a failed future": """
        import asyncio
        async def build():
            future = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(future.set_exception, KeyError("type"))
            await future
        """,
    "an await in a handler that raises it again": """
        import asyncio
        async def build():
            try:
                {}["type"]
            except Exception:
                await asyncio.sleep(0)
                raise
        """,
    "an exception thrown into a generator": """
        def numbers():
            yield 1
            yield 2
        def build():
            running = numbers()
            next(running)
            running.throw(KeyError("type"))
        """,
}

LOOP_CONTROL = {
    "a for loop over a generator": """
        def build():
            return [n for n in (n for n in (1, 2))]
        """,
    "an exhausted next": """
        def build():
            try:
                next(iter([]))
            except StopIteration:
                pass
        """,
    "an async for": """
        class Two:
            left = 2
            def __aiter__(self):
                return self
            async def __anext__(self):
                if not self.left:
                    raise StopAsyncIteration
                self.left -= 1
                return self.left
        async def build():
            return [n async for n in Two()]
        """,
    "a closed generator": """
        def numbers():
            try:
                yield 1
            except GeneratorExit:
                pass
        def build():
            running = numbers()
            next(running)
            running.close()
        """,
    "a cancelled task": """
        import asyncio
        async def build():
            task = asyncio.create_task(asyncio.sleep(60))
            await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass
        """,
}


@pytest.mark.parametrize("source", SWALLOWED.values(), ids=SWALLOWED)
def test_an_exception_the_shim_keeps_to_itself_is_reported_once(watch: Watch, source: str) -> None:
    assert reported(watch, source) == ["KeyError: 'type'"]


@pytest.mark.parametrize("source", PASSED_ON.values(), ids=PASSED_ON)
def test_an_exception_that_leaves_the_shim_is_not_reported(watch: Watch, source: str) -> None:
    assert reported(watch, source) == []


@pytest.mark.parametrize("source", LOOP_CONTROL.values(), ids=LOOP_CONTROL)
def test_loop_control_is_not_reported(watch: Watch, source: str) -> None:
    assert reported(watch, source) == []


def test_a_swallowed_exception_inside_a_handler_is_told_from_the_one_being_handled(watch: Watch) -> None:
    source = """
        def build():
            try:
                {}["type"]
            except KeyError:
                try:
                    int("x")
                except ValueError:
                    pass
                raise
        """
    (message,) = reported(watch, source)
    assert message.startswith("ValueError")


def test_the_report_names_the_line_that_raised_in_the_shim(watch: Watch) -> None:
    build, reports = watch(
        """\
        import json
        def parse(raw):
            return json.loads(raw)
        def build():
            try:
                parse("{")
            except ValueError:
                pass
        """
    )
    build()
    assert [(report["where"], report["handled"]) for report in reports()] == [("shim.py:3", True)]


def test_exceptions_handled_in_other_files_are_not_reported(watch: Watch) -> None:
    source = """
        import importlib
        import json.decoder
        def build():
            return getattr(object(), "absent", None) or importlib.util.find_spec("no_such_module")
        """
    assert reported(watch, source) == []


def test_code_running_in_a_thread_is_watched_too(watch: Watch) -> None:
    source = """
        import threading
        def work():
            try:
                {}["type"]
            except Exception:
                pass
        def build():
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        """
    assert reported(watch, source) == ["KeyError: 'type'"]
