"""What the command line says when no answer of the job's code comes."""

import re
from pathlib import Path

import pytest

from labeljob.contract.config import Mount
from labelplane.cli.manifests import ManifestError
from labelplane.cli.reading import ask


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ("os.kill(os.getpid(), 9)", "dies gave no answer: it was ended by SIGKILL, as the kernel does where memory runs out"),
        ("raise ValueError('planted')", "dies gave no answer: exit code 1, ValueError: see"),
        ("sys.exit('planted: no type of an error')", "dies gave no answer: exit code 1, and it said nothing of why: see"),
    ],
)
def test_a_process_that_dies_is_told_without_its_words(ends: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """F5: the last words of an engine may quote a row."""
    (tmp_path / "dies.py").write_text(f"import os, sys\nprint('planted', file=sys.stderr, flush=True)\n{ends}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ManifestError, match=re.escape(said)) as caught:
        ask("dies", Mount(prefix="pvc://lake", path="lake"))
    assert "planted" not in str(caught.value)
