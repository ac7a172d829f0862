"""Applying labeling functions: beside a row-by-row applier, a plain loop, the same predicates by hand in DuckDB, and DuckDB reading alone."""
