"""The operator and the command line of Labelplane: the control plane for weak supervision."""

__version__ = "0.1.0"
