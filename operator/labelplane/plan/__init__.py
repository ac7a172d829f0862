"""Decisions: an observed snapshot and a clock reading in, a frozen plan out. No client, no I/O."""
