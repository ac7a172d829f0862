"""The class balance of a manifest: known, from gold, or learned."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from labeljob.class_balance import class_balance_of
from labeljob.contract.function_set import FunctionSet
from labeljob.errors import JobError
from labeljob.gold import Matched
from labelplane.api.parse import parse_label_model
from labelplane.errors import Stalled
from tests.manifests import REMOVE, changed, label_model
from tests.unit.cli.test_fit_notes import crowd
from tests.unit.cli.test_run import command
from tests.unit.cli.test_warm_run import changed as with_spec
from tests.unit.cli.test_warm_run import fitted

COLUMNS = [{"name": "id", "type": "string", "nullable": False}]
FUNCTIONS = [{"name": "all", "label": "a", "sql": "true"}]
CLASSES = FunctionSet.model_validate({"classes": ["a", "b"], "idColumn": "id", "schema": {"columns": COLUMNS}, "functions": FUNCTIONS})


@pytest.mark.parametrize("given", [{"no": 0.9, "yes": 0.1}, "gold", "auto"])
def test_the_balance_of_a_fit_is_what_was_asked_for(tmp_path: Path, given: Any) -> None:
    """C3: of 2,000 rows with as many of each class, gold holds 60 and 20."""
    crowd(tmp_path, [0.8] * 6)
    rows = pd.read_csv(tmp_path / "rows.csv")
    gold = pd.concat([rows[rows["v0"] == "no"].head(60), rows[rows["v0"] == "yes"].head(20)])
    gold[["id", "v0"]].to_csv(tmp_path / "gold.csv", index=False)
    source = {"uri": "file:gold.csv", "format": "csv", "labelColumn": "v0"}
    with_spec(tmp_path, "LabelModel", algorithm="one-coin", goldData=source, parameters={"classBalance": given})
    done = command("run", str(tmp_path), "--no-report")
    assert done.returncode == 0, done.stdout
    expected = {"gold": [60.5 / 81, 20.5 / 81], "auto": [0.5, 0.5]}.get(given if isinstance(given, str) else "", [0.9, 0.1])
    np.testing.assert_allclose(fitted(tmp_path, 1)["classBalance"], expected, atol=0.03 if given == "auto" else 1e-9)


def test_gold_is_weighed_by_how_it_was_drawn() -> None:
    """A class that was drawn four times as often counts a quarter; the effective rows are fewer than the rows."""
    gold = Matched(np.array([0] * 40 + [1] * 40 + [-1]), np.array([1.0] * 40 + [4.0] * 40 + [1.0]))
    effective = 200**2 / (40 + 16 * 40)
    rows = np.array([effective / 5, 4 * effective / 5]) + 0.5
    np.testing.assert_allclose(class_balance_of("gold", CLASSES, gold), rows / rows.sum())
    assert class_balance_of("auto", CLASSES, gold) is None
    with pytest.raises(JobError, match="no row of the data has gold"):
        class_balance_of("gold", CLASSES, gold.part(~gold.known))
    with pytest.raises(JobError, match="look at c"):
        class_balance_of({"a": 0.5, "b": 0.3, "c": 0.2}, CLASSES, gold)


def test_a_balance_from_gold_needs_gold() -> None:
    with pytest.raises(Stalled, match=r"parameters\.classBalance: gold needs goldData"):
        parse_label_model(changed(changed(label_model(), "spec.parameters.classBalance", "gold"), "spec.goldData", REMOVE))
