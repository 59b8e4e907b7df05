"""What each api-version accepts and emits: values, loading, acceptance, JSON Schemas."""

from harness.dialects.acceptance import Judgement, Refusal, Unproven, judge_client_event
from harness.dialects.facts import Shares, Statement, shares, statements
from harness.dialects.json_schema import compiled_schema, event_schema
from harness.dialects.load import bundled_dialect, default_dialect_names, dialect_names, load_dialect
from harness.dialects.model import Acceptance, Dialect, ErrorSpec, Evidence, Fact
from harness.dialects.names import check_event_pattern, client_event_names, near, server_event_names

__all__ = [
    "Acceptance",
    "Dialect",
    "ErrorSpec",
    "Evidence",
    "Fact",
    "Judgement",
    "Refusal",
    "Shares",
    "Statement",
    "Unproven",
    "bundled_dialect",
    "check_event_pattern",
    "client_event_names",
    "compiled_schema",
    "default_dialect_names",
    "dialect_names",
    "event_schema",
    "judge_client_event",
    "load_dialect",
    "near",
    "server_event_names",
    "shares",
    "statements",
]
