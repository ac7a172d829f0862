"""Timings as ratios: ours and a limit or a plain way, in one process, in turns. `make bench` prints them and writes docs/benchmarks.md."""
