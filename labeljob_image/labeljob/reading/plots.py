"""The plots of a report as SVG text: drawn here, so that the page needs no script and no network."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from labeljob.contract.function_set import FunctionSet
from labeljob.reading.charts import COLOURS, nominal, quantitative, svg
from labeljob.reading.labels import BINS, Labels
from labeljob.scores import Reliability, wilson_interval
from labeljob.votes import FloatArray, IntArray

MOST_FUNCTIONS = 40  # a plot with more is not read
CONFLICT = ["#ffffff", "#f4a261", "#9c3311"]  # no conflict is white, as nothing
PLOT_HEIGHT = 230


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
    encoding = {
        "x": quantitative("share", title="share of rows it votes on", axis={"format": "%", "tickCount": 6}),
        "y": nominal("function", title=None, sort=[names[i] for i in shown]),
        "color": _by_class("class", classes),
    }
    return svg({"data": {"values": rows}, "mark": {"type": "bar", "size": 13}, "encoding": encoding}, width=430, height={"step": 20})


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
    encoding = {
        "x": quantitative("from", title=title, scale={"domain": [edges[0], 1], "nice": False}),
        "x2": {"field": "to"},
        "y": quantitative("base", title="rows"),
        "y2": {"field": "top"},
        "color": _by_class("label", classes),
    }
    return svg({"data": {"values": rows}, "mark": {"type": "bar"}, "encoding": encoding}, width=430, height=PLOT_HEIGHT)


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
    scale = {"range": CONFLICT, "domainMin": 0, "interpolate": "rgb"}
    encoding = {
        "x": nominal("a", title=None, sort=order, axis={"labelAngle": -60}),
        "y": nominal("b", title=None, sort=order),
        "color": quantitative("share", title="rows in conflict", scale=scale, legend={"format": ".1%"}),
    }
    mark = {"type": "rect", "stroke": "white", "strokeWidth": 0.5}
    return svg({"data": {"values": cells}, "mark": mark, "encoding": encoding}, width={"step": 21}, height={"step": 21})


def reliability_plot(curve: Reliability, classes: int, rows: str = "gold rows") -> str:
    """Confidence against accuracy on gold; a point's size is its rows (`rows` names them), its bar the 95 % Wilson interval."""
    low, high = wilson_interval(curve.accuracy, curve.rows)
    columns = {"confidence": curve.confidence, "accuracy": curve.accuracy, "low": low, "high": high, "rows": curve.rows}
    bins = {"values": [dict(zip(columns, line, strict=True)) for line in zip(*columns.values(), strict=True)]}
    start = 1 / classes
    scale = {"domain": [min(start, float(low.min(initial=1.0))), 1.0], "nice": False}
    x = quantitative("confidence", scale={"domain": [start, 1.0], "nice": False})
    y, span = (quantitative(field, scale=scale, title="accuracy on gold") for field in ("accuracy", "low"))
    size = quantitative("rows", title=rows, scale={"range": [30, 300]}, legend={"values": _legend_values(curve.rows)})
    ideal = {
        "data": {"values": [{"confidence": at, "accuracy": at} for at in (start, 1.0)]},
        "mark": {"type": "line", "color": "#9aa5b1", "strokeDash": [4, 4]},
        "encoding": {"x": x, "y": y},
    }
    rule = {"type": "rule", "color": COLOURS[0], "opacity": 0.5, "strokeWidth": 2}
    bars = {"data": bins, "mark": rule, "encoding": {"x": x, "y": span, "y2": {"field": "high"}}}
    points = {"data": bins, "mark": {"type": "circle", "color": COLOURS[0], "opacity": 1}, "encoding": {"x": x, "y": y, "size": size}}
    return svg({"layer": [ideal, bars, points]}, width=430, height=260)


def distribution_plot(labels: Labels, function_set: FunctionSet) -> str:
    """Rows by label; rows that no function votes on, and ties, have none."""
    classes = list(function_set.classes)
    return distribution_bars(classes, [*labels.figures.labels.tolist(), labels.figures.rows - int(labels.figures.labels.sum())], ["no label"])


def distribution_bars(classes: list[str], counts: list[int], others: list[str]) -> str:
    """Rows with each class, and of the kinds of rows in `others`, which are grey."""
    names = [*classes, *others]
    step = max(26, min(66, PLOT_HEIGHT // len(names)))  # a few classes fill the height of the plot beside it
    rows = [{"label": name, "rows": count} for name, count in zip(names, counts, strict=True)]
    encoding = {
        "x": quantitative("rows", title="rows", axis={"tickMinStep": 1, "tickCount": 5}),
        "y": nominal("label", title=None, sort=names),
        "color": nominal("label", legend=None, scale={"domain": names, "range": [*_colours(classes), *["#c4cbd3"] * len(others)]}),
    }
    return svg({"data": {"values": rows}, "mark": {"type": "bar", "size": round(0.7 * step)}, "encoding": encoding}, width=430, height={"step": step})


def _by_class(field: str, classes: list[str]) -> dict[str, Any]:
    return nominal(field, title=None, scale={"domain": classes, "range": _colours(classes)}, legend={"orient": "top", "columns": 4})


def _colours(classes: list[str]) -> list[str]:
    return [COLOURS[k % len(COLOURS)] for k in range(len(classes))]


def _legend_values(rows: IntArray | FloatArray) -> list[int]:
    """The smallest and the largest number of rows that a point stands for."""
    return sorted({int(rows.min(initial=1)), int(rows.max(initial=1))})
