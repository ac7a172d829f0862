"""The class balance of a manifest: known, from gold, or learned."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from labeljob.class_balance import class_balance_of, require_gold
from labeljob.contract.function_set import FunctionSet
from labeljob.errors import JobError
from labeljob.gold import Matched
from labeljob.gold_in_fit import GoldVotes, fit_on_balance, fit_with_gold
from labeljob.label_model import FittedLabelModel, VoteStatistics, fit_statistics, from_votes
from labelplane.api.parse import parse_label_model
from labelplane.errors import Stalled
from tests.manifests import REMOVE, changed, label_model
from tests.unit.cli.test_fit_notes import crowd
from tests.unit.cli.test_run import command
from tests.unit.cli.test_warm_run import changed as with_spec
from tests.unit.cli.test_warm_run import fitted
from tests.unit.label_model.generators import independent

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
    assert len(list(tmp_path.glob("**/taught.json"))) == (given == "gold")  # no job is scored on gold that the balance is of
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
        require_gold("gold", gold.part(~gold.known))
    require_gold("auto", gold.part(~gold.known))
    assert class_balance_of("gold", CLASSES, gold.part(~gold.known)) == [0.5, 0.5]
    with pytest.raises(JobError, match="look at c"):
        class_balance_of({"a": 0.5, "b": 0.3, "c": 0.2}, CLASSES, gold)


@pytest.mark.parametrize("teaches", [False, True])
def test_no_gold_row_is_scored_by_a_balance_that_it_is_in(teaches: bool) -> None:
    """X11: the model that scores a fold has the balance of the others, where gold gives the balance alone and where it is evidence, too."""
    data = independent(1500, 6, (0.7, 0.3), seed=2)
    rows, classes = data.L[:60], data.Y[:60]
    known = GoldVotes(pa.array([f"r{i}" for i in range(60)]), rows, None, Matched(classes, np.ones(60)))

    def fit(statistics: VoteStatistics, seen: Matched) -> FittedLabelModel:
        return fit_statistics(statistics, 2, algorithm="one-coin", class_balance=class_balance_of("gold", CLASSES, seen))

    made = fit_with_gold(from_votes(data.L[60:]), rows, known, 0, fit) if teaches else fit_on_balance(from_votes(data.L), known, 0, fit)
    assert made.taught
    assert sorted(made.scorers) == [0, 1, 2, 3, 4]
    for number, model in made.scorers.items():
        shares = np.bincount(classes[made.fold != number], minlength=2) + 0.5
        np.testing.assert_allclose(model.class_balance, shares / shares.sum())
    np.testing.assert_allclose(made.model.class_balance, (np.bincount(classes) + 0.5) / 61)
    votes = fit_on_balance(from_votes(data.L), known, 0, lambda statistics, seen: fit_statistics(statistics, 2, algorithm="majority-vote"))
    assert not votes.taught  # its labels are of votes alone


def test_a_balance_from_gold_needs_gold() -> None:
    with pytest.raises(Stalled, match=r"parameters\.classBalance: gold needs goldData"):
        parse_label_model(changed(changed(label_model(), "spec.parameters.classBalance", "gold"), "spec.goldData", REMOVE))
