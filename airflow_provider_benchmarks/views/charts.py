"""Charts as SVG that stands in an HTML page and takes its colours from there. They hold numbers alone."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: What a chart is drawn in, and the variables of the page's style that it becomes.
_INK, _GOOD, _BAD, _MUTED, _ACCENT = "#010203", "#010204", "#010205", "#010206", "#010207"
_VARIABLES = {_INK: "--ink", _GOOD: "--pass", _BAD: "--fail", _MUTED: "--muted", _ACCENT: "--accent"}
#: The settings of matplotlib are one object for the whole process.
_ONE_AT_A_TIME = threading.Lock()
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "chart",
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "savefig.facecolor": "none",
    "font.size": 9,
    "text.color": _INK,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
}


def histogram(counts: Sequence[int], *, largest: float, higher_is_better: bool) -> str:
    """The number of rows that changed by how much.

    :param counts: of bins of equal width from the largest change downward to the same upward
    """
    from matplotlib.ticker import MaxNLocator

    def draw(axes: Axes) -> None:
        width = 2 * largest / len(counts)
        filled = [place for place, count in enumerate(counts) if count]
        middles = [-largest + width * (place + 0.5) for place in filled]
        colours = [_colour(place - len(counts) // 2, higher_is_better=higher_is_better) for place in filled]
        axes.bar(middles, [counts[place] for place in filled], width=width * 0.9, color=colours)
        axes.axvline(0, color=_INK, linewidth=0.8)
        axes.set_xlim(-largest * 1.05, largest * 1.05)
        axes.set_xlabel("score of this job − score of the baseline")
        axes.set_ylabel("rows")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))

    return _svg((4.2, 1.9), draw)


def history(values: Sequence[float], outcomes: Sequence[str], bars: Sequence[float]) -> str:
    """A score over jobs, oldest first; the last one is the job that was judged.

    :param outcomes: of each job
    :param bars: that the score has to keep
    """

    def draw(axes: Axes) -> None:
        places = range(len(values))
        axes.plot(places, values, color=_ACCENT, linewidth=1.2)
        for colour, named in ((_GOOD, ("pass",)), (_BAD, ("fail",)), (_MUTED, ("", "inconclusive"))):
            chosen = [place for place in places if outcomes[place] in named]
            axes.plot(chosen, [values[place] for place in chosen], "o", color=colour, markersize=4)
        axes.plot(places[-1], values[-1], "o", color=_INK, markersize=8, fillstyle="none")
        for bar in bars:
            axes.axhline(bar, color=_INK, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.margins(x=0.03, y=0.2)
        axes.set_xticks([0, len(values) - 1], ["oldest", "this job"])

    return _svg((4.2, 1.7), draw)


def _colour(side: int, *, higher_is_better: bool) -> str:
    """The colour of a change: those of the bin around 0 may be of either sign."""
    return _MUTED if not side else _GOOD if (side > 0) == higher_is_better else _BAD


def _svg(inches: tuple[float, float], draw: Any) -> str:
    import matplotlib
    from matplotlib.figure import Figure

    with _ONE_AT_A_TIME, matplotlib.rc_context():
        matplotlib.rcdefaults()
        # With the same salt, the same chart has the same identifiers, which a chart like it may share.
        settings: Any = matplotlib.rcParams
        settings.update(_SETTINGS)
        figure: Figure = Figure(figsize=inches, layout="constrained", facecolor="none")
        axes = figure.add_subplot(facecolor="none")
        draw(axes)
        file = io.StringIO()
        metadata: dict[str, Any] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", metadata=metadata)
    # Its style would be of the whole page.
    text = re.sub(r"<style.*?</style>", "", file.getvalue(), flags=re.DOTALL)
    for colour, name in _VARIABLES.items():
        text = text.replace(colour, f"var({name})")
    return text[text.index("<svg") :]
