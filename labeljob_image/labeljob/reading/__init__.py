"""Reading what a run left: why a row has its label, and a report of the whole. Nothing here writes a table or a model."""
