"""The audio formats of the wire: 24 kHz PCM and the two G.711 laws (ITU-T G.711), and back to PCM."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from driver_runtime import Json
from generations import FLAT_FORMATS, effective


def _mu_law(code: int) -> int:
    code = ~code & 0xFF
    size = ((((code & 0x0F) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return -size if code & 0x80 else size


def _a_law(code: int) -> int:
    code ^= 0x55
    step, size = (code >> 4) & 7, ((code & 0x0F) << 4) + 8
    size = (size + 0x100) << (step - 1) if step else size
    return size if code & 0x80 else -size


G711: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "audio/pcmu": tuple(_mu_law(code) for code in range(256)),
        "audio/pcma": tuple(_a_law(code) for code in range(256)),
    }
)


@dataclass(frozen=True)
class AudioFormat:
    """A format of the wire, in its GA name, and how it becomes PCM and back."""

    type: str = "audio/pcm"
    rate: int = 24000

    def from_pcm(self, pcm: bytes, rate: int) -> bytes:
        # An array has the machine's byte order: little-endian wherever these programs run.
        samples = _resampled(array("h", pcm), rate, self.rate)
        if self.type not in G711:
            return samples.tobytes()
        ladder = sorted((sample, code) for code, sample in enumerate(G711[self.type]))
        steps = [sample for sample, _ in ladder]
        return bytes(ladder[min(bisect_left(steps, sample), 255)][1] for sample in samples)

    def to_pcm(self, data: bytes) -> bytes:
        if self.type not in G711:
            return data
        return array("h", (G711[self.type][code] for code in data)).tobytes()

    def chunks(self, data: bytes) -> list[bytes]:
        """Pieces of 100 ms."""
        size = self.rate // 10 * (1 if self.type in G711 else 2)
        return [data[start : start + size] for start in range(0, len(data), size)]


def _resampled(samples: array[int], rate: int, wanted: int) -> array[int]:
    if rate == wanted:
        return samples
    count = len(samples) * wanted // rate
    return array("h", (samples[index * rate // wanted] for index in range(count)))


def audio_format(session: Json, direction: str) -> AudioFormat:
    value = effective(session, ("audio", direction, "format"))
    if isinstance(value, dict):
        kind = value.get("type", "audio/pcm")
    else:
        kind = next((ga for ga, flat in FLAT_FORMATS.items() if flat == value), "audio/pcm")
    return AudioFormat(kind, 8000 if kind in G711 else 24000)
