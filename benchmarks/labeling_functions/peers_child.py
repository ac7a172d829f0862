"""Python rivals, in the environment of the peers: `python -m benchmarks.labeling_functions.peers_child TASK`, where TASK is JSON.

Reads the name of a rival a line, runs it once, and writes its CPU seconds as a line of JSON; the votes of its first run go to a file.
"""

import contextlib
import io
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.labeling_functions.rules import Rule

SNORKEL, LOOP = "Snorkel PandasLFApplier", "a plain Python loop"


def rivals_of(rules: list[Rule], texts: list[str]) -> dict[str, Callable[[], Any]]:
    """Name -> a run that gives int8 [n_rows, n_rules]."""
    import pandas as pd
    from snorkel.labeling import LabelingFunction, PandasLFApplier

    frame, functions = pd.DataFrame({"text": texts}), [rule.python() for rule in rules]
    snorkel = [LabelingFunction(rule.name, f=lambda row, f=function: f(row.text)) for rule, function in zip(rules, functions, strict=True)]
    return {
        SNORKEL: lambda: PandasLFApplier(snorkel).apply(frame, progress_bar=False),
        LOOP: lambda: np.array([[function(text) for function in functions] for text in texts], dtype=np.int8),
    }


def main() -> int:
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    out = os.fdopen(os.dup(1), "w")  # what a rival prints must not mix with the results
    os.dup2(2, 1)
    task = json.loads(Path(sys.argv[1]).read_text())
    texts = json.loads(Path(task["texts"]).read_text())
    rivals = rivals_of([Rule(**one) for one in task["rules"]], texts)
    print(json.dumps({"ready": list(rivals)}), file=out, flush=True)
    for line in sys.stdin:
        name = line.strip()
        with contextlib.redirect_stdout(io.StringIO()):
            started = time.process_time()
            votes = rivals[name]()
            seconds = time.process_time() - started
        path = Path(task["folder"]) / f"{list(rivals).index(name)}.npy"
        if not path.exists():
            np.save(path, np.asarray(votes, dtype=np.int8))
        print(json.dumps({"seconds": seconds, "votes": str(path)}), file=out, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
