"""One service at one end of one socket: it hears, speaks at its pace, and hangs up.

Nothing here waits: what has to come later is a timer of the event loop, so a
session is a few objects and no task. What one waits for, or breaks on, is
nothing to another. What is due leaves together; after so many bytes the others
get their turn, and a client that does not read gets no more until it does.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from harness.faults.values import NO_CODE
from harness.server.connection import Connection
from harness.server.limits import OF_THIS_SERVER, Limits
from harness.server.socket import LEAST_REST, Socket
from harness.service import Ending, Outgoing, Service
from harness.service.pace import Pace

PARTING_SECONDS = 0.05
"""The pause before the end at once: no service says its last word and hangs up in one packet, and
clients on websockets 13 lose what they had not yet read when the connection ends."""

FLUSH_SECONDS = 1.0
"""How long a client that reads slowly may hold up the loss of its connection."""

TURN_BYTES = 262_144
"""What one session sends before the others get their turn. With less than this a client that reads fast
is waited for, and woken, so often that it costs more than the sending (benchmarks/push.py)."""

_MOST_COMING = 4096
_MOST_COMING_BYTES = 64 * 1024 * 1024
"""Messages under way at once, and their size; who sends faster than that waits, as on a full line."""

_MOST_UNSAID = 4096
"""Events that wait for a client which does not read; then it is not heard either until it does."""


class Session:
    """What a service says and hears on one open socket."""

    def __init__(
        self, socket: Socket, connection: Connection, service: Service, pace: Pace, limits: Limits
    ) -> None:
        self._socket = socket
        self._connection = connection
        self._service = service
        self._pace = pace
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._began = time.monotonic()
        self._started = False
        self._parting = False
        self._limited = False
        """It has had all the audio that one session takes."""
        self._starting: asyncio.TimerHandle | None = None
        self._pausing: asyncio.TimerHandle | asyncio.Handle | None = None
        """While it runs nothing is sent."""
        self._resting: asyncio.TimerHandle | None = None
        """When something is due next, unless the client says something before."""
        self._held: Outgoing | None = None
        """What is sent after the pause."""
        self._coming: deque[tuple[float, str | bytes]] = deque()
        """Messages on their way through the latency, with the times at which they get there."""
        self._coming_bytes = 0
        self._carrying: asyncio.TimerHandle | None = None
        self._deaf = False
        """The client is not read for the time being."""

    def begin(self) -> None:
        """The connection is open."""
        if self._pace.latency:
            self._connection.touch(self._pace.latency)
            self._starting = self._loop.call_later(self._pace.latency, self._guarded, self._start)
        else:
            self._guarded(self._start)

    # Hearing.

    def heard(self, message: str | bytes) -> None:
        """A message came from the client. Who was told that it is over is heard no more."""
        protocol = self._socket.protocol
        if protocol.close_sent is not None and protocol.close_rcvd_then_sent is not True:
            return
        latency = self._pace.latency
        self._connection.touch(latency)
        if not latency:
            self._guarded(self._take, message)
            return
        self._coming.append((time.monotonic() + latency, message))
        self._coming_bytes += len(message)
        if self._carrying is None:
            self._carrying = self._loop.call_later(latency, self._guarded, self._carry)
        self._listen()

    def _carry(self) -> None:
        """Takes up what has come through the latency."""
        self._carrying = None
        while self._coming and self._started:
            left = self._coming[0][0] - time.monotonic()
            if left > 0:
                self._carrying = self._loop.call_later(left, self._guarded, self._carry)
                break
            self._take(self._next_coming())
        self._listen()
        self.speak()

    def _next_coming(self) -> str | bytes:
        message = self._coming.popleft()[1]
        self._coming_bytes -= len(message)
        return message

    def _take(self, message: str | bytes) -> None:
        service = self._service
        if service.ending is not None or self._limited or self._connection.failure is not None:
            return  # who has hung up hears no more
        service.advance(self._pace.clock(self._wall()))
        service.receive(message)
        most = self._limits.audio_seconds
        if most is not None and service.input.clock_ms > most * 1000:
            self._limited = True
            service.end(1008, f"more than {most:g} s of audio in one session, {OF_THIS_SERVER}", overdue=True)

    def _listen(self) -> None:
        """Reads on, or lets a client wait that has sent too much for now."""
        full = len(self._coming) > _MOST_COMING or self._coming_bytes > _MOST_COMING_BYTES
        full = full or (self._socket.full and self._service.unsaid > _MOST_UNSAID)
        if full != self._deaf and not self._socket.gone:
            self._deaf = full
            (self._socket.transport.pause_reading if full else self._socket.transport.resume_reading)()

    # Speaking.

    def _start(self) -> None:
        self._service.advance(self._pace.clock(self._wall()))
        self._service.start()
        self._started = True
        if self._coming and self._carrying is None:
            self._carry()
        self.speak()

    def speak(self) -> None:
        """Says what is due, unless a pause is kept."""
        if self._started and self._pausing is None and not self._parting:
            self._guarded(self._speak)
        if self._deaf or self._socket.full:
            self._listen()

    def _speak(self) -> None:
        socket, room = self._socket, TURN_BYTES
        while self._pausing is None and socket.open and not socket.full:
            wall = self._wall()
            self._service.advance(self._pace.clock(wall))
            said = self._say_together(wall, room) or self._say_next(wall)
            if not said:
                break
            room -= said
            if room <= 0 and self._pausing is None:
                self._pause(0.0)
        if socket.flush():
            self._connection.touch()
        if socket.full and self._pausing is None and not self._parting:
            self._outlast()

    def _outlast(self) -> None:
        """Keeps the time of a client that does not read: its session ends when others would."""
        wall, service = self._wall(), self._service
        service.advance(self._pace.clock(wall))
        ending = service.end_overdue()
        if ending is not None:
            self._end(ending)
        elif service.next_timer is not None:
            self._wake_at(self._pace.seconds_to(service.next_timer, wall))

    def _say_together(self, wall: float, room: int) -> int:
        """Says all that may leave together; returns how many bytes that was."""
        pace = self._pace
        if self._held is not None or pace.delays:
            return 0
        pauses = pace.speed is None and pace.thinking > 0
        burst = self._service.burst(pace.until(wall), room, pauses=pauses)
        if burst is None:
            return 0
        size = self._socket.put_all(burst.parts)
        self._service.sent(burst.number, len(burst.parts))
        if burst.thinking:
            self._pause(pace.thinking)
        return size

    def _say_next(self, wall: float) -> int:
        """Says one thing, and returns how many bytes it was; none where it is not time to, or all is said."""
        service = self._service
        outgoing = self._held or service.pop(self._pace.until(wall))
        if outgoing is None:
            if service.ending is not None:
                self._end(service.ending)
            else:
                self._rest(wall)
            return 0
        wait = 0.0 if self._held is not None else self._wait_before(outgoing)
        if wait:
            self._held = outgoing
            self._pause(wait)
            return 0
        self._held = None
        frame = outgoing.frame.encode()
        self._socket.put(frame)
        service.sent(outgoing.number, 1)
        if outgoing.thinking and self._pace.speed is None and self._pace.thinking:
            self._pause(self._pace.thinking)
        return len(frame)

    def _wait_before(self, outgoing: Outgoing) -> float:
        """Real seconds to let pass before it is sent."""
        if not self._pace.delays:
            return outgoing.pause
        types = [event["type"] for event in outgoing.canonical]
        types += [outgoing.event["type"]] if outgoing.event else []
        return outgoing.pause + self._pace.delay(types)

    def _pause(self, seconds: float) -> None:
        """Sends nothing for so long; nought is until the others had their turn."""
        if seconds:
            self._connection.touch(seconds)
            self._pausing = self._loop.call_later(seconds, self._go_on)
        else:
            self._pausing = self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._pausing = None
        self.speak()

    def _rest(self, wall: float) -> None:
        """Until the client says something, an event is due, or the service's patience ends."""
        waits = []
        if self._service.next_at is not None and self._pace.speed is not None:
            waits.append(self._pace.seconds_to(self._service.next_at, wall))
            self._connection.touch(waits[0])
        if self._service.next_timer is not None:
            waits.append(self._pace.seconds_to(self._service.next_timer, wall))
        if waits:
            self._wake_at(min(waits))

    def _wake_at(self, seconds: float) -> None:
        due = self._loop.time() + max(seconds, LEAST_REST)
        if self._resting is not None:
            if self._resting.when() <= due:
                return  # whoever wakes too early looks again
            self._resting.cancel()
        self._resting = self._loop.call_at(due, self._wake)

    def _wake(self) -> None:
        self._resting = None
        self.speak()

    # The end.

    def _end(self, ending: Ending) -> None:
        self._parting = True
        pause = max(ending.pause, PARTING_SECONDS if self._pace.speed is None else 0.0)
        self._connection.touch(pause)
        self._loop.call_later(pause, self._guarded, self._part, ending)

    def _part(self, ending: Ending) -> None:
        if ending.code is None:
            self._socket.lose(FLUSH_SECONDS)
        else:
            self._socket.close(None if ending.code == NO_CODE else ending.code, ending.reason)

    def lost(self) -> None:
        """The connection is gone; what was still on its way from the client is in the log all the same."""
        for timer in (self._pausing, self._resting, self._carrying, self._starting):
            if timer is not None:
                timer.cancel()
        self._guarded(self._hear_out)
        self._note_close()

    def _hear_out(self) -> None:
        if self._coming and not self._started:
            self._service.advance(self._pace.clock(self._wall()))
            self._service.start()
        self._parting = self._started = True
        while self._coming:
            self._take(self._next_coming())

    def _note_close(self) -> None:
        """Whoever closes first says why: an answer to a close may have a code of its own, or never come."""
        protocol, exchange = self._socket.protocol, self._service.exchange
        exchange.close_code = protocol.close_code
        by_client = bool(protocol.close_rcvd_then_sent) or protocol.close_sent is None
        first = protocol.close_rcvd if by_client else protocol.close_sent
        if first is not None:
            exchange.close_by = "client" if by_client else "server"
            exchange.close_code, exchange.close_reason = first.code, first.reason
            if self._socket.too_big is not None:
                exchange.close_reason = self._too_big(self._socket.too_big)
        else:
            dropped = self._service.ending is not None and self._service.ending.code is None
            exchange.close_by = "server" if dropped else "nobody"
        self._connection.end()

    def _too_big(self, broken: Exception) -> str:
        """What becomes of a message that is too large; websockets 13 says its size in a sentence only."""
        size, most = getattr(broken, "size", None), self._limits.message_bytes
        if size is None:
            return f"a message larger than the {most} bytes that are taken, {OF_THIS_SERVER}: {broken}"
        whole = size + (getattr(broken, "current_size", None) or 0)
        return f"a message of {whole} bytes, more than the {most} that are taken, {OF_THIS_SERVER}"

    def _wall(self) -> float:
        return time.monotonic() - self._began

    def _guarded(self, work: Callable[..., None], *given: object) -> None:
        """Ends the session, and this one alone, where our own code breaks."""
        try:
            work(*given)
        except Exception as error:  # noqa: BLE001 - whatever it is, the runner shows it as ours
            self._connection.failure = self._connection.failure or error
            self._parting = True
            self._socket.close(1011, "the harness failed")
