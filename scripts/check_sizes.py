"""The size rules of the code: modules <= 300 lines, functions <= 60 lines, 90 % of them <= 30, the median <= 10."""

import ast
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("operator/labelplane", "labeljob_image/labeljob", "devcluster", "scripts")
MODULE_LINES, FUNCTION_LINES, MOST_LINES, MEDIAN_LINES = 300, 60, 30, 10
BANNED_NAMES = {"utils", "helpers", "common", "manager", "core", "misc"}


def function_lengths(tree: ast.AST) -> list[tuple[str, int]]:
    """Name and number of lines of every function."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [(node.name, (node.end_lineno or node.lineno) - node.lineno + 1) for node in ast.walk(tree) if isinstance(node, kinds)]


def main() -> int:
    problems: list[str] = []
    lengths: list[int] = []
    for path in sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")):
        text, name = path.read_text(), path.relative_to(ROOT)
        if path.stem in BANNED_NAMES:
            problems.append(f"{name}: the name says nothing")
        if (lines := text.count("\n")) > MODULE_LINES:
            problems.append(f"{name}: {lines} lines, at most {MODULE_LINES}")
        for function, length in function_lengths(ast.parse(text)):
            lengths.append(length)
            if length > FUNCTION_LINES:
                problems.append(f"{name}:{function}: {length} lines, at most {FUNCTION_LINES}")
    median, share = statistics.median(lengths), sum(length <= MOST_LINES for length in lengths) / len(lengths)
    if median > MEDIAN_LINES or share < 0.9:
        problems.append(f"functions: median {median} (at most {MEDIAN_LINES}), {share:.0%} of them <= {MOST_LINES} lines (at least 90 %)")
    print("\n".join(problems) or f"{len(lengths)} functions, median {median} lines, {share:.1%} of them <= {MOST_LINES} lines")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
