"""The command `realtime-harness`."""
