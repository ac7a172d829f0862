"""What a fit says of its votes, read as a user reads it: in the status that `labelplane run` leaves and on the terminal."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.unit.cli.test_run import command


def crowd(folder: Path, accuracies: list[float], rows: int = 2000) -> None:
    """A set of vote columns of these accuracies, and a LabelModel, with their data."""
    random = np.random.default_rng(0)
    truth = random.integers(0, 2, rows)
    right = random.random((rows, len(accuracies))) < np.array(accuracies)
    votes = np.where(right, truth[:, None], 1 - truth[:, None])
    names = [f"v{j}" for j in range(len(accuracies))]
    pd.DataFrame(np.array(["no", "yes"])[votes], columns=names).assign(id=range(rows)).to_csv(folder / "rows.csv", index=False)
    columns = [{"name": "id", "type": "int64", "nullable": False}, *({"name": name, "type": "string"} for name in names)]
    functions = [{"name": name, "votes": {"column": name, "map": {"no": "no", "yes": "yes"}}} for name in names]
    function_set = {"classes": ["no", "yes"], "idColumn": "id", "schema": {"columns": columns}, "functions": functions}
    model: dict[str, Any] = {
        "functionSetRef": {"name": "crowd"},
        "trainingData": {"uri": "file:rows.csv", "format": "csv"},
        "artifacts": {"uri": "pvc://models/crowd"},
    }
    for kind, spec in (("LabelingFunctionSet", function_set), ("LabelModel", model)):
        manifest = {"apiVersion": "labelplane.dev/v1alpha1", "kind": kind, "metadata": {"name": "crowd"}, "spec": spec}
        (folder / f"{kind.lower()}.yaml").write_text(yaml.safe_dump(manifest))


@pytest.mark.parametrize(
    ("accuracies", "said"),
    [
        ([0.85] * 6 + [0.15] * 5, ("VotesAdversarial", "look worse than chance", "add goldData")),
        ([1.0] * 5, ("serves; 100.0% of the covered rows get the label of majority vote",)),
    ],
    ids=["adversarial", "nothing beyond majority vote"],
)
def test_what_the_votes_cannot_support_is_on_the_terminal(tmp_path: Path, accuracies: list[float], said: tuple[str, ...]) -> None:
    """F8, C3: `run` and `status` say it without being asked."""
    crowd(tmp_path, accuracies)
    ran = command("run", str(tmp_path))
    assert ran.returncode == 0, ran.stderr
    for shown in (ran.stdout, command("status", str(tmp_path)).stdout):
        for words in said:
            assert words in " ".join(shown.replace("│", " ").split()), shown
