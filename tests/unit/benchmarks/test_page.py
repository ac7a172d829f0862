"""A run of one part keeps the sections of the others."""

from pathlib import Path

from benchmarks.page import write_section


def test_a_section_is_replaced_and_the_others_stay(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    write_section("label-models", "new", page)
    write_section("passes", "first", page)
    write_section("label-models", "newer", page)
    text = page.read_text()
    assert text.startswith("# Benchmarks\n")
    assert text.index("first") < text.index("newer")
    assert "new\n" not in text
