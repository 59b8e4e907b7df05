"""A cassette's server part: lanes, answers with their barriers, and frames ready to be filled."""

from harness.recording.frames import Places, Template, rebased, replaced
from harness.recording.model import (
    AUDIO_SHARE,
    Barrier,
    Line,
    RecordedAnswer,
    RecordedRefusal,
    Recording,
    Session,
    Transcription,
    Turn,
    Waiting,
    never_played,
    without_event_ids,
    without_ids,
)
from harness.recording.passages import RecordedPassage
from harness.recording.read import read_recording, recording_of
from harness.recording.retold import scenario_of
from harness.recording.sound import FRAME_MS, Loudness, Onset

__all__ = [
    "AUDIO_SHARE",
    "FRAME_MS",
    "Barrier",
    "Line",
    "Loudness",
    "Onset",
    "Places",
    "RecordedAnswer",
    "RecordedPassage",
    "RecordedRefusal",
    "Recording",
    "Session",
    "Template",
    "Transcription",
    "Turn",
    "Waiting",
    "never_played",
    "read_recording",
    "rebased",
    "recording_of",
    "replaced",
    "scenario_of",
    "without_event_ids",
    "without_ids",
]
