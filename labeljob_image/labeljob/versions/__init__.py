"""Versions of an output table: what changed from one to another, and an earlier one restored as a new one (I1, O6)."""
