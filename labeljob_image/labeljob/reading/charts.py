"""Charts in Vega-Lite, as plain data, to SVG text in the style of the page."""

import json
from typing import Any

import numpy as np
import vl_convert

COLOURS = ["#3b6fb6", "#d1603d", "#4b9a73", "#a05fa8", "#c9a227", "#5a6b7b", "#8c564b", "#e07ba0"]
INK = "#3e4c59"
FONT = "Helvetica, Arial, sans-serif"
_WORDS = {"labelFont": FONT, "titleFont": FONT, "titleFontWeight": "normal"}
_AXIS = {"labelFontSize": 11, "titleFontSize": 11, "labelColor": INK, "titleColor": INK, "gridColor": "#e8ecf0", "labelLimit": 240}
STYLE = {"background": "transparent", "axis": _WORDS | _AXIS, "legend": _WORDS | {"labelLimit": 200}, "view": {"stroke": None}}


def quantitative(field: str, **settings: Any) -> dict[str, Any]:
    """A channel that shows numbers."""
    return {"field": field, "type": "quantitative", **settings}


def nominal(field: str, **settings: Any) -> dict[str, Any]:
    """A channel that shows names."""
    return {"field": field, "type": "nominal", **settings}


def svg(chart: dict[str, Any], *, width: int | dict[str, int], height: int | dict[str, int]) -> str:
    """The chart, Vega-Lite with its data in it, drawn. Numbers may be NumPy's; none may be NaN."""
    whole = chart | {"config": STYLE, "width": width, "height": height}
    return str(vl_convert.vegalite_to_svg(json.dumps(whole, default=_plain, allow_nan=False), vl_version="v6.1"))


def _plain(value: Any) -> Any:
    """What NumPy's number is."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} in a chart")
