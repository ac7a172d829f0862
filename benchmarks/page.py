"""docs/benchmarks.md: sections that are written one at a time, so that a part can be measured alone."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs/benchmarks.md"
HEAD = """# Benchmarks

Written by `make bench`. Each table was measured in one run, its lines in turns; only the ratios carry over to another machine.
"""
SECTIONS = ("passes", "labeling-functions", "end-to-end", "shards", "sizes", "incremental", "label-models", "label-models-real", "label-models-generated", "seeds", "fresh-rows")


def write_section(name: str, text: str, page: Path = PAGE) -> None:
    """Replace one section and keep the others, in the order of SECTIONS."""
    kept = _sections(page.read_text() if page.exists() else "")
    kept[name] = text.strip()
    parts = [f"<!-- begin {one} -->\n\n{kept[one]}\n\n<!-- end {one} -->\n" for one in SECTIONS if one in kept]
    page.write_text("\n".join([HEAD, *parts]))


def _sections(text: str) -> dict[str, str]:
    found = re.findall(r"<!-- begin ([a-z-]+) -->\n(.*?)<!-- end \1 -->", text, flags=re.DOTALL)
    return {name: body.strip() for name, body in found}


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; the first column is left-aligned, the others right-aligned."""
    rule = "|---|" + "---:|" * (len(header) - 1)
    return "\n".join([f"| {' | '.join(header)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"
