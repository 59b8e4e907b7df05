"""Translates events between a dialect's wire form and canonical form, and between two dialects."""

from harness.translation.between import Bridge
from harness.translation.items import items_of
from harness.translation.objects import Loss, objects_to_canonical, objects_to_wire
from harness.translation.translator import Translation, Translator

__all__ = [
    "Bridge",
    "Loss",
    "Translation",
    "Translator",
    "items_of",
    "objects_to_canonical",
    "objects_to_wire",
]
