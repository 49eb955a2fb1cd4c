"""A described photograph as a picture: boundaries over the wall, symbols with their confidence.

Belongs here: drawing. Never here: the model, numbers that the description does not hold.

A title is `depths: symbol confidence (main symbol confidence)`; a bar across a boundary, at the
right edge of the wall, is the interval in which a true one lies.
"""

import io
import textwrap
from typing import TYPE_CHECKING

from fusion.profiles.store import DEPTH_CM
from training.profile_description import Description, Horizon, Seen

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _HEIGHT = 11.0, 7.5
"""Inches."""
_WALL, _WORDS = (0.06, 0.14, 0.38, 0.81), (0.46, 0.14, 0.52, 0.81)
"""Left, bottom, width, height as shares of the figure."""
_LINE = 170
"""Letters of a line of the footing."""
_DPI = 110
_LEAST_APART = 0.108
"""Of the height: what the words of a horizon need."""
_SHOWN = 3
"""Symbols beside the likeliest one."""


def draw(description: Description, seen: Seen) -> bytes:
    """Draw a description over its photograph.

    Args:
        description: Of the photograph.
        seen: The photograph as it was described.

    Returns:
        PNG.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT))
    wall, words = figure.add_axes(_WALL), figure.add_axes(_WORDS)
    depth, across = seen.shown_cm, seen.shown_cm * seen.pixels.shape[1] / seen.pixels.shape[0]
    wall.imshow(seen.pixels, extent=(0, across, depth, 0), interpolation="antialiased")
    wall.set(ylabel="depth in cm", xlim=(0, across), ylim=(depth, 0), xticks=[], anchor="NE")
    described = min(depth, DEPTH_CM)
    for place, horizon in enumerate(description.horizons):
        if place:
            _boundary(wall, horizon.top_cm, description.boundary_within_cm, across, place)
        wall.text(
            0.04 * across,
            (horizon.top_cm + horizon.bottom_cm) / 2,
            horizon.symbols[0].code if horizon.symbols else str(place + 1),
            color="white",
            weight="bold",
            va="center",
            bbox={"facecolor": "black", "alpha": 0.55, "edgecolor": "none", "pad": 2},
        )
    if described < depth:
        wall.axhspan(described, depth, color="white", alpha=0.6)
    words.set(xlim=(0, 1), ylim=(1, 0))
    words.axis("off")
    for horizon, at in zip(description.horizons, _spread(description.horizons, depth), strict=True):
        words.text(0, at, _title(horizon), weight="bold", va="bottom", fontsize=10)
        words.text(0, at + 0.004, _told(horizon), va="top", fontsize=8)
    figure.text(_WALL[0], 0.965, _heading(description), fontsize=11)
    figure.text(_WALL[0], 0.01, _footing(description), fontsize=8, va="bottom")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


def _boundary(wall: "Axes", depth: float, within: float | None, across: float, number: int) -> None:
    lines = [([0, across], [depth, depth], 1.0)]
    if within is not None:
        # Intervals overlap: each stands beside the one above.
        at = across * (0.985 - 0.02 * (number % 4))
        lines.append(([at, at], [max(depth - within, 0), depth + within], 1.6))
    for x, y, width in lines:
        wall.plot(x, y, color="black", linewidth=width + 1.6, solid_capstyle="butt")
        wall.plot(x, y, color="white", linewidth=width, solid_capstyle="butt")


def _spread(horizons: tuple[Horizon, ...], depth: float) -> list[float]:
    """Where the words of each horizon stand: at its middle, but not over each other."""
    places: list[float] = []
    for horizon in horizons:
        middle = (horizon.top_cm + horizon.bottom_cm) / 2 / depth
        places.append(max(middle, places[-1] + _LEAST_APART if places else 0.04))
    # What was pushed out below goes up again.
    lowest = 1.0 - 0.06
    for place in range(len(places) - 1, -1, -1):
        places[place] = min(places[place], lowest)
        lowest = places[place] - _LEAST_APART
    return places


def _title(horizon: Horizon) -> str:
    depths = f"{horizon.top_cm:.0f} to {horizon.bottom_cm:.0f} cm"
    if not horizon.symbols:
        return depths
    best, main = horizon.symbols[0], horizon.main[0]
    return f"{depths}:  {best.code} {best.confidence:.0%}  ({main.code} {main.confidence:.0%})"


def _told(horizon: Horizon) -> str:
    lines = []
    if others := horizon.symbols[1 : 1 + _SHOWN]:
        lines.append("or " + ", ".join(f"{one.code} {one.confidence:.0%}" for one in others))
    facts = [f"{name} {one.code} {one.confidence:.0%}" for name, one in horizon.properties.items()]
    if horizon.stones_percent is not None:
        facts.insert(0, f"stones {horizon.stones_percent:.0f} % of volume")
    lines += [", ".join(facts[i : i + 3]) for i in range(0, len(facts), 3)]
    return "\n".join(lines)


def _heading(description: Description) -> str:
    parts = [description.photograph]
    if description.longitude is not None:
        parts.append(f"{description.longitude:.4f} E, {description.latitude:.4f} N")
    if description.date is not None:
        parts.append(description.date.isoformat())
    return "   ".join(parts)


def _footing(description: Description) -> str:
    lines = []
    for warning in description.warnings:
        lines += textwrap.wrap(f"! {warning}", _LINE)
    if description.boundary_within_cm is not None:
        lines.append(
            f"{description.level:.0%} of such boundaries have a true one within "
            f"{description.boundary_within_cm:g} cm (bars)."
        )
    lines.append(
        f"Predicted by a model that learnt from {description.origin} photographs"
        + ("; it says nothing of real soils." if description.origin == "synthetic" else ".")
    )
    return "\n".join(lines)
