"""`python -m devcluster build` on a machine that lacks what the programs link against."""

import sys
from pathlib import Path

import pytest

from devcluster import __main__ as command
from devcluster import system_packages


def test_a_missing_package_is_asked_for_before_anything_is_built(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setattr(system_packages, "NODE_PACKAGES", {"libexample-dev": str(tmp_path / "example.h")})
    monkeypatch.setenv("PATH", str(tmp_path))  # neither apt-get nor go
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["devcluster", "build"])

    assert command.main() == 1
    assert "apt-get install libexample-dev" in capsys.readouterr().err
