"""The plots of a report as SVG text: drawn here, so that the page needs no script and no network."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

from labeljob.contract.function_set import FunctionSet
from labeljob.reading.labels import BINS, Labels
from labeljob.scores import Reliability, wilson_interval
from labeljob.votes import FloatArray, IntArray

COLOURS = ["#3b6fb6", "#d1603d", "#4b9a73", "#a05fa8", "#c9a227", "#5a6b7b", "#8c564b", "#e07ba0"]
MOST_FUNCTIONS = 40  # a plot with more is not read
INK = "#3e4c59"
CONFLICT = ["#ffffff", "#f4a261", "#9c3311"]  # no conflict is white, as nothing
PLOT_HEIGHT = 230
FONT = "Helvetica, Arial, sans-serif"


def coverage_plot(labels: Labels, function_set: FunctionSet) -> str:
    """Share of rows that each function votes on, by class; a vote for several classes in equal parts."""
    classes, names = list(function_set.classes), labels.functions.voters.names
    sets = labels.functions.voters.sets
    partial = labels.functions.partial[:, None] * sets / np.maximum(sets.sum(axis=1, keepdims=True), 1)
    shares = (labels.functions.votes + partial) / max(labels.functions.rows, 1)
    return coverage_bars(names, shares, classes)


def coverage_bars(names: Sequence[str], shares: FloatArray, classes: list[str]) -> str:
    """Shares of rows, float64 [n_functions, n_classes], as stacked bars; `classes` name the parts."""
    shown = np.argsort(-shares.sum(axis=1), kind="stable")[:MOST_FUNCTIONS]
    rows = [{"function": names[i], "class": classes[k], "share": shares[i, k]} for i in shown for k in range(len(classes)) if shares[i, k]]
    chart = alt.Chart(_frame(rows, ["function", "class", "share"])).mark_bar(size=13).encode(
        x=alt.X("share:Q", title="share of rows it votes on", axis=alt.Axis(format="%", tickCount=6)),
        y=alt.Y("function:N", title=None, sort=[names[i] for i in shown]),
        color=_by_class("class", classes),
    )  # fmt: skip
    return svg(chart, width=430, height={"step": 20})


def confidence_plot(labels: Labels, function_set: FunctionSet) -> str:
    """Covered rows by confidence and label."""
    classes = list(function_set.classes)
    return confidence_bars(labels.confidence, classes, 1 / len(classes), "confidence (probability of the label)")


def confidence_bars(counts: IntArray, classes: list[str], least: float, title: str) -> str:
    """Rows by confidence from `least` to 1, int64 [n_parts, BINS], as stacked bars; `classes` name the parts."""
    edges = np.linspace(least, 1, BINS + 1)
    rows = [
        {"from": edges[b], "to": edges[b + 1], "label": classes[k], "rows": int(counts[k, b]), "base": int(counts[:k, b].sum())}
        for k in range(len(classes)) for b in range(BINS) if counts[k, b]
    ]  # fmt: skip
    for row in rows:
        row["top"] = int(row["base"]) + int(row["rows"])
    chart = alt.Chart(_frame(rows, ["from", "to", "label", "base", "top"])).mark_bar().encode(
        x=alt.X("from:Q", title=title, scale=alt.Scale(domain=[edges[0], 1], nice=False)),
        x2="to:Q",
        y=alt.Y("base:Q", title="rows"),
        y2="top:Q",
        color=_by_class("label", classes),
    )  # fmt: skip
    return svg(chart, width=430, height=PLOT_HEIGHT)


def conflict_plot(labels: Labels) -> str:
    """Share of rows on which two functions vote for different classes; the functions of most conflict when there are many."""
    return conflict_cells(labels.functions.voters.names, labels.conflicts, labels.functions.rows)


def conflict_cells(names: Sequence[str], conflicts: IntArray, total: int) -> str:
    """Counts of rows of pairs of functions, int64 [n_functions, n_functions], as a matrix of their shares of `total` rows."""
    rows = max(total, 1)
    most = np.argsort(-conflicts.sum(axis=1), kind="stable")[:MOST_FUNCTIONS]
    shown = sorted(int(i) for i in most)
    cells = [{"a": names[i], "b": names[j], "share": conflicts[i, j] / rows} for i in shown for j in shown if i != j]
    order = [names[i] for i in shown]
    chart = alt.Chart(_frame(cells, ["a", "b", "share"])).mark_rect(stroke="white", strokeWidth=0.5).encode(
        x=alt.X("a:N", title=None, sort=order, axis=alt.Axis(labelAngle=-60)),
        y=alt.Y("b:N", title=None, sort=order),
        color=alt.Color("share:Q", title="rows in conflict", scale=alt.Scale(range=CONFLICT, domainMin=0, interpolate="rgb"), legend=alt.Legend(format=".1%")),
    )  # fmt: skip
    return svg(chart, width={"step": 21}, height={"step": 21})


def reliability_plot(curve: Reliability, classes: int, rows: str = "gold rows") -> str:
    """Confidence against accuracy on gold; a point's size is its rows (`rows` names them), its bar the 95 % Wilson interval."""
    low, high = wilson_interval(curve.accuracy, curve.rows)
    frame = pd.DataFrame({"confidence": curve.confidence, "accuracy": curve.accuracy, "low": low, "high": high, "rows": curve.rows})
    start = 1 / classes
    scale = alt.Scale(domain=[min(start, float(low.min(initial=1.0))), 1.0], nice=False)
    honest = pd.DataFrame({"confidence": [start, 1.0], "accuracy": [start, 1.0]})
    x, y = alt.X("confidence:Q", scale=alt.Scale(domain=[start, 1.0], nice=False)), alt.Y("accuracy:Q", scale=scale, title="accuracy on gold")
    ideal = alt.Chart(honest).mark_line(strokeDash=[4, 4], color="#9aa5b1").encode(x=x, y=y)
    bars = alt.Chart(frame).mark_rule(color=COLOURS[0], opacity=0.5, strokeWidth=2).encode(x=x, y=alt.Y("low:Q", scale=scale, title="accuracy on gold"), y2="high:Q")
    size = alt.Size("rows:Q", title=rows, scale=alt.Scale(range=[30, 300]), legend=alt.Legend(values=_legend_values(curve.rows)))
    points = alt.Chart(frame).mark_circle(color=COLOURS[0], opacity=1).encode(x=x, y=y, size=size)
    return svg(ideal + bars + points, width=430, height=260)


def distribution_plot(labels: Labels, function_set: FunctionSet) -> str:
    """Rows by label; rows that no function votes on, and ties, have none."""
    classes = list(function_set.classes)
    return distribution_bars(classes, [*labels.figures.labels.tolist(), labels.figures.rows - int(labels.figures.labels.sum())], ["no label"])


def distribution_bars(classes: list[str], counts: list[int], others: list[str]) -> str:
    """Rows with each class, and of the kinds of rows in `others`, which are grey."""
    names = [*classes, *others]
    step = max(26, min(66, PLOT_HEIGHT // len(names)))  # a few classes fill the height of the plot beside it
    chart = alt.Chart(pd.DataFrame({"label": names, "rows": counts})).mark_bar(size=round(0.7 * step)).encode(
        x=alt.X("rows:Q", title="rows", axis=alt.Axis(tickMinStep=1, tickCount=5)),
        y=alt.Y("label:N", title=None, sort=names),
        color=alt.Color("label:N", legend=None, scale=alt.Scale(domain=names, range=[*_colours(classes), *["#c4cbd3"] * len(others)])),
    )  # fmt: skip
    return svg(chart, width=430, height={"step": step})


def _by_class(field: str, classes: list[str]) -> alt.Color:
    return alt.Color(f"{field}:N", title=None, scale=alt.Scale(domain=classes, range=_colours(classes)), legend=alt.Legend(orient="top", columns=4))


def _colours(classes: list[str]) -> list[str]:
    return [COLOURS[k % len(COLOURS)] for k in range(len(classes))]


def _frame(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns)


def _legend_values(rows: IntArray | FloatArray) -> list[int]:
    """The smallest and the largest number of rows that a point stands for."""
    return sorted({int(rows.min(initial=1)), int(rows.max(initial=1))})


def svg(chart: Any, **size: Any) -> str:
    """The chart in the style of the page."""
    words = {"labelFont": FONT, "titleFont": FONT, "titleFontWeight": "normal"}
    axis = words | {"labelFontSize": 11, "titleFontSize": 11, "labelColor": INK, "titleColor": INK, "gridColor": "#e8ecf0", "labelLimit": 240}
    view = {"stroke": None}
    styled = chart.properties(**size).configure(background="transparent", axis=axis, legend=words | {"labelLimit": 200}, view=view)
    return str(vl_convert.vegalite_to_svg(styled.to_json(), vl_version="v6.1"))
