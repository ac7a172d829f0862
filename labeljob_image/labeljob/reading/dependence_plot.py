"""The functions that repeat one another, as a graph: on a circle, a line for each pair, as thick as their votes are alike."""

import altair as alt
import numpy as np
import pandas as pd

from labeljob.reading.plots import COLOURS, FONT, INK, svg

LABEL_AT = 1.14  # radius of the names, in radii of the circle


def dependence_plot(names: list[str], pairs: list[tuple[int, int, float]]) -> str:
    """SVG of the pairs (i, j, residual correlation in (0, 1]); only functions of some pair are drawn, in function order."""
    drawn = sorted({place for i, j, _ in pairs for place in (i, j)})
    angles = {place: 2 * np.pi * turn / len(drawn) + np.pi / 2 for turn, place in enumerate(drawn)}
    x, y = ({place: float(turn(angles[place])) for place in drawn} for turn in (np.cos, np.sin))
    lines = pd.DataFrame([{"x": x[i], "y": y[i], "x2": x[j], "y2": y[j], "correlation": value} for i, j, value in pairs])
    points = pd.DataFrame([{"x": x[place], "y": y[place], "name": names[place], "lx": LABEL_AT * x[place], "ly": LABEL_AT * y[place]} for place in drawn])
    scale = alt.Scale(domain=[-1.7, 1.7], nice=False)
    across, up = alt.X("x:Q", scale=scale, axis=None), alt.Y("y:Q", scale=scale, axis=None)
    thick = alt.StrokeWidth("correlation:Q", scale=alt.Scale(domain=[0, 1], range=[0.5, 7]), legend=alt.Legend(title="correlation", format=".1f"))
    edges = alt.Chart(lines).mark_rule(color=COLOURS[1], opacity=0.7).encode(x=across, y=up, x2="x2:Q", y2="y2:Q", strokeWidth=thick)
    nodes = alt.Chart(points).mark_circle(size=110, color=COLOURS[0], opacity=1).encode(x=across, y=up)
    beside = {"x": alt.X("lx:Q", scale=scale, axis=None), "y": alt.Y("ly:Q", scale=scale, axis=None), "text": "name:N"}
    words = [
        alt.Chart(part).mark_text(align=align, color=INK, font=FONT, fontSize=11).encode(**beside)
        for align, part in (("left", points[points["x"] > 0.01]), ("right", points[points["x"] < -0.01]), ("center", points[points["x"].abs() <= 0.01]))
        if len(part)
    ]
    return svg(alt.layer(edges, nodes, *words), width=430, height=300)
