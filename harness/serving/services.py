"""What whoever connects finds behind the server: a model, or a cassette."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.cassette import Cassette
from harness.dialects import Dialect
from harness.dialects.model import DEPLOYMENT
from harness.faults import Fault, FaultLine
from harness.model_script import ModelScript
from harness.playback import Stage
from harness.server import LOOPBACK, Limits, Opening
from harness.service import Service
from harness.service.pace import Pace
from harness.serving.tap import Tap, TappedModel, TappedPlayback, Watched


@dataclass(frozen=True)
class Serving:
    """What is served, and how. Either a script or cassettes, one a connection and then the first again."""

    dialect: Dialect
    key: str
    script: ModelScript | None = None
    cassettes: tuple[Cassette, ...] = ()
    pace: Pace = field(default_factory=Pace)
    faults: tuple[Fault, ...] = ()
    host: str = LOOPBACK
    port: int = 0
    limits: Limits = field(default_factory=Limits)
    quiet: bool = False
    """What crosses is not told as it does, only what was found in it once a connection is over."""
    log: Path | None = None
    """The cassette of the first connection; `NAME.2.jsonl` and so on are those after it."""
    ca_file: Path | None = None
    """The certificate of whoever signed the server's, where clients have to be told whom to trust."""

    @property
    def query(self) -> dict[str, str]:
        """The query of a right handshake; a cassette of transcription is dialled for transcription."""
        return dict(self.dialect.handshake.right_query(DEPLOYMENT, transcription=bool(self.hears)))

    @property
    def hears(self) -> tuple[tuple[str, str], ...]:
        """What the query adds for transcription, where that is what the first cassette is of."""
        rules = self.dialect.handshake
        intent = {rule.name for rule in rules.query if rule.means == "transcription"}
        if not any(intent & dict(cassette.header.query).keys() for cassette in self.cassettes[:1]):
            return ()
        query = rules.right_query(DEPLOYMENT, transcription=True)
        return tuple((name, value) for name, value in query if name in intent)


class Services:
    """Makes a service for each connection."""

    def __init__(self, serving: Serving, faults: FaultLine) -> None:
        self._serving = serving
        self._faults = faults
        watched = serving.quiet and serving.log is None and serving.pace.speed is None and not serving.faults
        self._stages = tuple(
            Stage(serving.dialect, cassette, Watched) for cassette in serving.cassettes if watched
        )

    def new(self, opening: Opening) -> Service:
        """The service for one more connection."""
        serving = self._serving
        how: dict[str, Any] = {
            "seed": opening.number,
            "unix_time": int(time.time()),
            "model": opening.model,
            "transcription": opening.transcription,
            "settings": opening.settings,
        }
        tap = Tap(opening.number, serving.dialect, keep=serving.log is not None)
        service: TappedModel | TappedPlayback | Watched
        turn = (opening.number - 1) % max(len(serving.cassettes), 1)
        if self._stages:
            entered = self._stages[turn].enter(**how)
            assert isinstance(entered, Watched)
            service = entered
        elif serving.script is not None:
            service = TappedModel(serving.dialect, serving.script, faults=self._faults.connected(), **how)
        else:
            cassette = serving.cassettes[turn]
            service = TappedPlayback(serving.dialect, cassette, faults=self._faults.connected(), **how)
        service.tap = tap
        return service
