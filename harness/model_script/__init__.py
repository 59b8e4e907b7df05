"""Model scripts: what a service without a cassette answers, read from YAML and played; sans-I/O."""

from harness.model_script.play import ScriptedModel
from harness.model_script.read import ModelScript, load_model_script, read_seconds, read_speed, stock_script

__all__ = [
    "ModelScript",
    "ScriptedModel",
    "load_model_script",
    "read_seconds",
    "read_speed",
    "stock_script",
]
