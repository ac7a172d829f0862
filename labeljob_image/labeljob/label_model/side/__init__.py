"""Soft and partial votes, beside a label model of the ordinary votes."""
