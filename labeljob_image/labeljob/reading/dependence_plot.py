"""The functions that repeat one another, as a graph: on a circle, a line for each pair, as thick as their votes are alike."""

from typing import Any

import numpy as np

from labeljob.reading.charts import COLOURS, FONT, INK, nominal, quantitative, svg

LABEL_AT = 1.14  # radius of the names, in radii of the circle
MIDDLE = 0.01  # as far from the axis a point counts as on it


def dependence_plot(names: list[str], pairs: list[tuple[int, int, float]]) -> str:
    """SVG of the pairs (i, j, residual correlation in (0, 1]); only functions of some pair are drawn, in function order."""
    drawn = sorted({place for i, j, _ in pairs for place in (i, j)})
    angles = {place: 2 * np.pi * turn / len(drawn) + np.pi / 2 for turn, place in enumerate(drawn)}
    x, y = ({place: float(turn(angles[place])) for place in drawn} for turn in (np.cos, np.sin))
    scale = {"domain": [-1.7, 1.7], "nice": False}
    across, up, beside, level = (quantitative(field, scale=scale, axis=None) for field in ("x", "y", "lx", "ly"))
    thick = quantitative("correlation", scale={"domain": [0, 1], "range": [0.5, 7]}, legend={"title": "correlation", "format": ".1f"})
    edges = {
        "data": {"values": [{"x": x[i], "y": y[i], "x2": x[j], "y2": y[j], "correlation": value} for i, j, value in pairs]},
        "mark": {"type": "rule", "color": COLOURS[1], "opacity": 0.7},
        "encoding": {"x": across, "y": up, "x2": {"field": "x2"}, "y2": {"field": "y2"}, "strokeWidth": thick},
    }
    points = [{"x": x[place], "y": y[place], "name": names[place], "lx": LABEL_AT * x[place], "ly": LABEL_AT * y[place]} for place in drawn]
    nodes = {"data": {"values": points}, "mark": {"type": "circle", "size": 110, "color": COLOURS[0], "opacity": 1}, "encoding": {"x": across, "y": up}}
    words = [
        {
            "data": {"values": part},
            "mark": {"type": "text", "align": align, "color": INK, "font": FONT, "fontSize": 11},
            "encoding": {"x": beside, "y": level, "text": nominal("name")},
        }
        for align, part in _sides(points)
        if part
    ]
    return svg({"layer": [edges, nodes, *words]}, width=430, height=300)


def _sides(points: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """How the names are aligned, and the points whose names are: right of the circle, left of it, above and below."""
    right, left = [one for one in points if one["x"] > MIDDLE], [one for one in points if one["x"] < -MIDDLE]
    return [("left", right), ("right", left), ("center", [one for one in points if abs(one["x"]) <= MIDDLE])]
