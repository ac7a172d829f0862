"""The label models, a module each, with the source of the method."""
