"""Labeling functions in Python: row order, and what is no vote."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from labeljob.notebook import LabelingFunction, LFAnalysis, LFApplier, PandasLFApplier, labeling_function
from labeljob.votes import VotesError


@labeling_function()
def big(x):
    return 1 if x.num > 42 else -1


@labeling_function(name="listed", resources={"words": {"free"}})
def by_word(x, words):
    return 1 if x["text"] in words else 0


def faulty(value):
    return LabelingFunction("faulty", lambda x: value if x.num > 42 else 0)


@pytest.mark.parametrize("index", [[3, 1, 2], ["b", "b", "a"], pd.to_datetime(["2024-01-02", "2024-01-01", "2024-01-03"])])
def test_rows_keep_their_order_for_any_index(index):
    df = pd.DataFrame({"num": [100, 1, 50], "text": ["x", "free", "y"]}, index=index)
    L = PandasLFApplier([big, by_word]).apply(df)
    assert L.dtype == np.int8
    assert L.tolist() == [[1, 0], [-1, 1], [1, 0]]
    assert list(LFAnalysis(L, [big, by_word]).lf_summary().index) == ["big", "listed"]


def test_a_row_keeps_the_types_of_its_columns():
    """A peer's row of numbers turns whole numbers beside a fraction into floats."""
    seen = []
    whole = LabelingFunction("whole", lambda x: seen.append((type(x.id), x.name)) or -1)
    PandasLFApplier([whole]).apply(pd.DataFrame({"id": [2**60 + 1], "share": [0.5]}, index=["r"]))
    assert seen == [(int, "r")]


@pytest.mark.parametrize("value", [None, -7, True, 0.5, "1", 1 << 20, np.float64(1)])
def test_what_is_no_vote_names_function_and_row(value):
    df = pd.DataFrame({"num": [1, 43]}, index=["a", "b"])
    with pytest.raises(VotesError, match=r"labeling function faulty at row 1 \(index 'b'\): returned .* not a vote"):
        PandasLFApplier([faulty(value)]).apply(df)
    L, meta = PandasLFApplier([big, faulty(value)]).apply(df, fault_tolerant=True, return_meta=True)
    assert L.tolist() == [[-1, 0], [1, -1]]
    assert meta.faults == {"faulty": 1}
    assert meta.errors.tolist() == [[False, False], [False, True]]


def test_what_a_function_raises_passes_with_its_place():
    broken = LabelingFunction("broken", lambda x: x["nowhere"])
    with pytest.raises(KeyError) as caught:
        PandasLFApplier([broken]).apply(pd.DataFrame({"num": [1]}, index=[9]))
    assert "raised by labeling function broken at row 0 (index 9)" in caught.value.__notes__[0]


def test_tolerated_failures_are_never_silent():
    """X9: without the metadata, a warning counts them."""
    with pytest.warns(UserWarning, match=r"failed, and abstain there: faulty on 2 rows; return_meta=True"):
        L = LFApplier([faulty(None)]).apply([SimpleNamespace(num=n) for n in (43, 1, 44)], fault_tolerant=True)
    assert L.tolist() == [[-1], [0], [-1]]


def test_lists_arrays_and_no_rows():
    first = LabelingFunction("first", lambda x: int(x[0]))
    assert LFApplier([first]).apply(np.array([[1, 9], [0, 9]])).tolist() == [[1], [0]]
    assert LFApplier([first]).apply(iter([[-1], [200]])).tolist() == [[-1], [200]]
    assert LFApplier([first, big]).apply([]).shape == (0, 2)
    assert PandasLFApplier([big]).apply(pd.DataFrame({"num": []})).shape == (0, 1)


def test_preprocessors_run_first():
    doubled = LabelingFunction("doubled", lambda x: x, pre=[lambda x: 2 * x, lambda x: x + 1])
    assert LFApplier([doubled]).apply([0, 3]).tolist() == [[1], [7]]
    with pytest.raises(ValueError, match=r"its preprocessor .* returned None"):
        LabelingFunction("empty", lambda x: 0, pre=[lambda x: None])(1)


def test_functions_that_cannot_be_applied():
    with pytest.raises(ValueError, match="two labeling functions have the name 'big'"):
        LFApplier([big, big])
    with pytest.raises(TypeError, match="no labeling functions"):
        LFApplier([])
    with pytest.raises(TypeError, match=r"decorate it with @labeling_function\(\)"):
        PandasLFApplier([len])
    with pytest.raises(ValueError, match=r"write @labeling_function\(\)"):

        @labeling_function
        def bare(x):
            return 0


def test_progress_is_asked_for(capsys):
    LFApplier([LabelingFunction("one", lambda x: 1)]).apply([1, 2])
    assert capsys.readouterr().err == ""
    LFApplier([LabelingFunction("one", lambda x: 1)]).apply([1, 2], progress_bar=True)
    assert capsys.readouterr().err.endswith("2 of 2 rows\n")
