"""Record-and-replay conformance tests for clients of the Azure OpenAI Realtime API."""

__version__ = "0.1.0"
