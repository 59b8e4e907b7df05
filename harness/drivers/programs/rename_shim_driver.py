"""A preview mode as people write them: a GA client, and a table of renames around its socket.

It is right on GA. On the preview it understands what the service says, but
what GA nests under `session.audio` is thrown away without a word: voice, turn
detection, transcription. `session.output_modalities`, sent only where text is
wanted, is left for the service to refuse. The harness must see both.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from driver_runtime import Json, run
from generations import GA, Generation
from realtime_client import RealtimeClient
from reference_driver import ReferenceDriver

RENAMES: Mapping[str, str] = MappingProxyType(
    {
        "conversation.item.created": "conversation.item.added",
        "response.audio.delta": "response.output_audio.delta",
        "response.audio.done": "response.output_audio.done",
        "response.audio_transcript.delta": "response.output_audio_transcript.delta",
        "response.audio_transcript.done": "response.output_audio_transcript.done",
        "response.text.delta": "response.output_text.delta",
        "response.text.done": "response.output_text.done",
    }
)


def for_preview(event: Json) -> Json:
    """What the shim does to an event of its GA client on the way out."""
    if event["type"] == "session.update":
        session = {name: value for name, value in event["session"].items() if name not in ("type", "audio")}
        return {**event, "session": session}
    if event["type"] == "response.create":
        modalities = event["response"]["output_modalities"]
        upgraded = ["audio", "text"] if modalities == ["audio"] else modalities
        return {**event, "response": {"modalities": upgraded}}
    return event


class RenameShimClient(RealtimeClient):
    """Knows GA only; `preview` is found out from the service's first event."""

    preview = False
    output_modalities: tuple[str, ...] = ("audio",)

    def generation_of(self, session: Json) -> Generation:
        self.preview = "type" not in session
        return GA

    def incoming(self, event: Json) -> Json:
        return {**event, "type": RENAMES.get(event["type"], event["type"])} if self.preview else event

    def session_on_wire(self, session: Json) -> Json:
        wanted = tuple(session.get("output_modalities", self.output_modalities))
        changed = wanted != self.output_modalities
        self.output_modalities = wanted
        nested = GA.session(session)
        # As clients do: what the service does by default is not asked for.
        return {name: value for name, value in nested.items() if changed or name != "output_modalities"}

    async def send(self, event: Json) -> None:
        await super().send(for_preview(event) if self.preview else event)

    async def create_response(self) -> None:
        response = {"output_modalities": list(self.output_modalities)}
        await self.send({"type": "response.create", "response": response})


class RenameShimDriver(ReferenceDriver):
    name = "rename-shim"
    parts = "canonical"
    client_class = RenameShimClient


if __name__ == "__main__":
    run(RenameShimDriver())
