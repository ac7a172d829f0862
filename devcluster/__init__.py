"""A real Kubernetes on one Linux machine without Docker: built from Go modules, started and removed by `python -m devcluster`."""
