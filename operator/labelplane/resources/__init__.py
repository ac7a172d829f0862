"""Builders of the objects we own, and readers of what became of them: pure functions between values and manifests."""
