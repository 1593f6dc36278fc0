"""A figure as SVG inside an HTML page, in the colours of the page, whether it is light or dark."""

from __future__ import annotations

import io
import re

import matplotlib
from markupsafe import escape
from matplotlib.figure import Figure

from c2b.plots.figure_style import INK, PALETTE, PAPER, QUIET, RULE

#: Colours of figures, and the variables of a style sheet that take their place.
VARIABLES = {
    **{colour: f"var(--line-{k})" for k, colour in enumerate(PALETTE)},
    **{INK: "var(--ink)", QUIET: "var(--quiet)", RULE: "var(--rule)", PAPER: "var(--paper)"},
}

#: What matplotlib puts into SVG for every element of its document, which a page would take for all of itself.
_GLOBAL_STYLE = re.compile(r"<defs>\s*<style[^>]*>[^<]*</style>\s*</defs>")


#: The typeface is that of the page.
_FONT = re.compile(r"font-family: [^;\"]*;? ?")


def inline_svg(figure: Figure, description: str) -> str:
    """The element ``svg``, as wide as the page lets it be; text stays text.

    Parameters
    ----------
    figure : Figure
    description : str
        For those who cannot see it.
    """
    text = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": description}):
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    svg = _GLOBAL_STYLE.sub("", text.getvalue()[text.getvalue().index("<svg") :])
    head, _, body = svg.partition(">")
    view = re.search(r'viewBox="[^"]*"', head)
    assert view is not None
    body = _FONT.sub("", body)
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, variable)
    return f'<svg {view[0]} role="img" aria-label="{escape(description)}">{body}'
