"""Labeling functions: one module per kind, compiled together into one vectorised DuckDB pass.

The road: `validation.problems` says what cannot work, `engine.compile_functions` turns a valid set into one SELECT,
`CompiledFunctions.apply` votes. Row values enter DuckDB as Arrow and leave as class indices; none is ever logged.
"""
