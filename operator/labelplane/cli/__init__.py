"""The command line: `labelplane …` and `kubectl labelplane …`. The same planner and the same job code as in a cluster."""
