"""`python -m benchmarks [passes | labeling-functions | end-to-end | shards | sizes | incremental | label-models | seeds | fresh-rows]`: the pass of the
labeling functions and label-model fits beside a limit; applying labeling functions beside a peer and by hand; a whole run beside a script by hand; runs
in shards beside one pod; memory of each step; runs that take kept votes again beside full ones; label models beside their peers; `auto` beside majority
vote, and log loss on fresh rows, draw by draw. Without a word it runs all.
"""

import argparse
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks import incremental, shards, sizes
from benchmarks.label_models import command, fresh, seeds
from benchmarks.labeling_functions import command as labeling_functions
from benchmarks.labeling_functions import runs
from benchmarks.page import PAGE, write_section
from benchmarks.timing import Timing, in_turns
from labeljob.contract.function_set import FunctionSet
from labeljob.label_model import LabelModel
from labeljob.labeling_functions.engine import compile_functions
from labeljob.labeling_functions.identity import LookupData
from labeljob.votes import Votes
from labelplane.api.parse import parse_function_set
from labelplane.plan.function_set import functions_of

ROOT = Path(__file__).parents[1]
MAILS = ROOT / "examples/mail-triage"
COPIES = 20


def functions_pass() -> tuple[str, dict[str, Timing]]:
    """The mail rules over copies of the mails, beside DuckDB reading the same columns and only measuring their length."""
    functions = _mail_functions()
    mails = pa.concat_tables([pq.read_table(MAILS / "data/mails.parquet")] * COPIES).combine_chunks()
    domains = {"known_domain": LookupData(pa.array(["example.com"]), ("spam",))}
    with compile_functions(functions, domains, threads=1, memory_limit="2GB") as compiled:
        table = mails.select(list(compiled.input_columns))
        texts = [name for name in table.column_names if pa.types.is_string(table.schema.field(name).type)]
        sums = ", ".join(f'sum(length("{name}"))' for name in texts)
        connection = duckdb.connect(config={"threads": 1})
        connection.register("mails", table)
        rivals: dict[str, Callable[[], object]] = {
            "DuckDB reads the columns, votes nothing": lambda: connection.execute(f"SELECT {sums} FROM mails").fetchall(),  # noqa: S608 column names of our own example
            "Labelplane, 15 functions": lambda: compiled.apply(table),
        }
        title = f"Labeling functions: mail-triage, {len(table):,} rows, one thread"
        return title, in_turns(rivals)


def _mail_functions() -> FunctionSet:
    (manifest,) = [one for one in yaml.safe_load_all((MAILS / "functionset.yaml").read_text()) if one]
    return functions_of(parse_function_set(manifest))


def fits() -> Iterator[tuple[str, dict[str, Timing]]]:
    """Each algorithm on generated votes: 30 % coverage, accuracies of .6 to .9."""
    for rows, functions, classes in ((10_000, 10, 2), (100_000, 10, 2), (100_000, 20, 4)):
        votes = generated(rows, functions, classes)
        rivals: dict[str, Callable[[], object]] = {
            "majority vote in one line of NumPy, predicting only": lambda v=votes, k=classes: np.stack([(v == c).sum(axis=1) for c in range(k)]).argmax(axis=0),
            **{
                name: lambda v=votes, k=classes, a=name: LabelModel(cardinality=k, algorithm=a).fit(v)
                for name in ("majority-vote", "weighted-vote", "dawid-skene")
            },
        }
        yield f"Label-model fit: {rows:,} rows, {functions} functions, {classes} classes", in_turns(rivals, rounds=5)


def generated(rows: int, functions: int, classes: int) -> Votes:
    """Votes independent given the class, int8 [rows, functions], -1 abstains."""
    random = np.random.default_rng(0)
    truth = random.integers(0, classes, rows)
    accuracy = np.linspace(0.6, 0.9, functions)
    wrong = (truth[:, None] + random.integers(1, classes, (rows, functions))) % classes
    votes = np.where(random.random((rows, functions)) < accuracy, truth[:, None], wrong)
    return np.where(random.random((rows, functions)) < 0.3, votes, -1).astype(np.int8)


def table_of(title: str, timings: dict[str, Timing]) -> str:
    """One table; the first line is what the others are compared with."""
    base = next(iter(timings.values())).median
    lines = [f"| {name} | {one.median:.4f} | {one.least:.4f}–{one.most:.4f} | {one.median / base:.2f} |" for name, one in timings.items()]
    return "\n".join([f"## {title}", "", "| | median, s | range, s | ratio |", "|---|---:|---:|---:|", *lines, "", ""])


def passes() -> None:
    """Measure the passes and fits beside a limit and write their section."""
    text = f"`python -m benchmarks passes`. Python {platform.python_version()}, NumPy {np.__version__}, DuckDB {duckdb.__version__}.\n\n"
    for title, timings in (functions_pass(), *fits()):
        part = table_of(title, timings)
        print(part, flush=True)
        text += part
    write_section("passes", text)
    print(f"wrote passes to {PAGE.relative_to(ROOT)}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parts = parser.add_subparsers(dest="part")
    parts.add_parser("passes", help="the pass of the labeling functions, label-model fits beside a limit")
    labeling_functions.add_options(parts.add_parser("labeling-functions", help="applying functions beside peers, by hand, and the limit"))
    runs.add_options(parts.add_parser("end-to-end", help="a whole run beside a script by hand"))
    parts.add_parser("shards", help="a run in shards beside the same run in one pod, and its memory")
    parts.add_parser("incremental", help="a run that takes kept votes again beside one that finds them all")
    parts.add_parser("sizes", help="memory and CPU of each step, by rows and limit")
    parts.add_parser("seeds", help="auto beside majority vote on fifty draws of each generated set")
    parts.add_parser("fresh-rows", help="log loss on rows that a model was not fitted on, on twenty draws of each generated set")
    command.add_options(parts.add_parser("label-models", help="label models beside their peers"))
    options = parser.parse_args()
    if options.part in (None, "passes"):
        passes()
    if options.part in (None, "labeling-functions"):
        labeling_functions.run(options if options.part else parser.parse_args(["labeling-functions"]))
    if options.part in (None, "end-to-end"):
        runs.run(options if options.part else parser.parse_args(["end-to-end"]))
    if options.part in (None, "shards"):
        shards.measure()
    if options.part in (None, "incremental"):
        incremental.measure()
    if options.part in (None, "sizes"):
        sizes.measure()
    if options.part in (None, "seeds"):
        write_section("seeds", seeds.section())
    if options.part in (None, "fresh-rows"):
        write_section("fresh-rows", fresh.section())
    if options.part in (None, "label-models"):
        command.run(options if options.part else parser.parse_args(["label-models"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
