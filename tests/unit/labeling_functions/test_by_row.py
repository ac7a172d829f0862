"""by_row: functions of one row, as notebooks have them."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from labeljob.by_row import by_row
from labeljob.notebook import labeling_function

BATCH = pa.record_batch({"text": ["a", None, "c"], "n": [1, 2, 3]})


def test_names_and_indices_become_classes() -> None:
    """C2: null columns are None; -1 and None abstain."""

    @by_row(["ham", "spam"])
    def by_name(row: Any) -> object:
        return None if row.text is None else {"a": "spam", "c": 0}[row.text]

    @labeling_function()
    def by_index(row: Any) -> int:
        return int(row.n) - 2

    assert by_name(BATCH).to_pylist() == ["spam", None, "ham"]
    answers = by_row(["ham", "spam"])(by_index)(BATCH)
    assert (answers.type, answers.to_pylist()) == (pa.string(), [None, "ham", "spam"])
    assert by_row(["ham", "spam"])(lambda row: np.int64(1))(BATCH).to_pylist() == ["spam"] * 3


@pytest.mark.parametrize("vote", [True, 1.0, 2, -2])
def test_what_is_no_vote_is_an_error(vote: object) -> None:
    """X9: and never a class by chance."""
    with pytest.raises((TypeError, IndexError)):
        by_row(["ham", "spam"])(lambda row: vote)(BATCH)
