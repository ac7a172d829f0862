"""Thin I/O around the decisions: one small protocol, one implementation for Kubernetes, one for a laptop."""
