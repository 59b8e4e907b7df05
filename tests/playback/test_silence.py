"""What a cassette says when the user says nothing."""

from __future__ import annotations

from harness.dialects import bundled_dialect
from harness.messages import Side, render_event
from harness.playback import Playback
from harness.service import Origin
from tests.cases import cassette
from tests.talk import GA


def test_what_was_recorded_of_the_users_silence_comes_when_its_time_has_come() -> None:
    recorded = cassette(GA, "idle-timeout")
    playback = Playback(bundled_dialect(GA), recorded, seed=1, unix_time=1)
    playback.start()
    for interaction in recorded.interactions:
        while playback.pop() is not None:
            pass
        if interaction.side is Side.CLIENT and interaction.event:
            playback.receive(render_event(interaction.event))
    while playback.pop() is not None:
        pass
    assert [str(waiting.what) for waiting in playback.exchange.unplayed] == ["the user's silence"]
    assert playback.next_timer is not None
    playback.advance(playback.next_timer)
    while playback.pop() is not None:
        pass
    assert playback.exchange.unplayed == []
    assert [start.origin for start in playback.exchange.responses] == [Origin.RECORDED] * 2
    served = [entry.event["type"] for entry in playback.exchange.server_entries() if entry.event]
    assert "input_audio_buffer.timeout_triggered" in served
