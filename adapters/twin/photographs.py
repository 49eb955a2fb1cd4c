"""Photographs of soil profiles, drawn from profiles that are known.

Belongs here: how a profile face looks (colours, boundaries, mottles, stones, roots, cracks) and how
a camera sees it (light, tilt, exposure, what was removed).
Never here: what a profile is made of (`pits.py`), files.

A picture reaches from the surface in its first row of soil to about 100 cm in its last one, as
published pictures do. The wave of a boundary has mean zero over the width of the picture, so that
the recorded depth is the mean depth of the boundary.
"""

from dataclasses import dataclass

import numpy as np

from adapters.twin import munsell
from adapters.twin.horizon_marks import marks
from adapters.twin.morphology import ORGANIC, PARENTS, Horizon
from adapters.twin.pits import Pit
from adapters.twin.surfaces import Pixels, Surfaces, cut, cuts

HEIGHTS = {"tiny": (210, 270), "demo": (250, 330), "full": (420, 640)}
"""Least and greatest height of a picture in px."""
BLACK_BELOW = 16
"""What was removed is black; the face itself is drawn no darker than this in every channel."""
_STEPS = 16  # Shades between two horizons.
_ENCODE = np.linspace(0.0, 1.0, 4096)
# Transfer function of sRGB, IEC 61966-2-1.
_ENCODED = (
    255.0
    * np.where(
        _ENCODE <= 0.0031308,
        12.92 * _ENCODE,
        1.055 * np.maximum(_ENCODE, 1e-9) ** (1 / 2.4) - 0.055,
    )
).astype(np.float32)


@dataclass(frozen=True)
class Shot:
    """How one photograph was taken, and what was done to it.

    Attributes:
        height: px, removed strips included.
        width: px.
        reach: Depth in cm at the middle of the lowest row.
        tilt: cm by which the depth differs between the left and the right edge.
        keystone: Relative change of scale between them.
        gain: Factors of red, green and blue: exposure and white balance.
        sky: Rows at the top that were removed.
        ruler: `none`, `removed` (black) or `left` at one side.
        ruler_width: px.
        ruler_side: 0 left, 1 right.
        shadow: How much darker the shadow is, 0 to 1.
        blur: Radius in px, 0 for sharp.
        noise: Standard deviation of the sensor's noise in 255ths.
        quality: Of the JPEG.
        litter: Does grass or litter hang over the edge?
    """

    height: int
    width: int
    reach: float
    tilt: float
    keystone: float
    gain: tuple[float, float, float]
    sky: int
    ruler: str
    ruler_width: int
    ruler_side: int
    shadow: float
    blur: float
    noise: float
    quality: int
    litter: bool


def shot(size: str, draw: np.random.Generator) -> Shot:
    """How a photograph is taken: two thirds upright, few with remnants of sky or ruler.

    Args:
        size: Of the twin.
        draw: Random numbers of this photograph.
    """
    low, high = HEIGHTS[size]
    height = int(draw.integers(low, high + 1))
    shape = draw.uniform(0.62, 0.9) if draw.uniform() < 0.65 else draw.uniform(1.05, 1.4)
    width = round(height * shape)
    bright = float(np.exp(0.22 * draw.normal()))
    warm = 0.05 * draw.normal()
    sky = round(height * draw.uniform(0.02, 0.08)) if draw.uniform() < 0.12 else 0
    ruler = str(draw.choice(["none", "removed", "left"], p=[0.83, 0.13, 0.04]))
    return Shot(
        height=height + sky, width=width,
        reach=float(100.0 + np.clip(draw.normal(0.0, 1.0), -2.5, 2.5)),
        tilt=float(draw.normal(0.0, 0.8)), keystone=float(draw.normal(0.0, 0.012)),
        # Soil is lit by a blue sky at worst; balance goes more often towards red.
        gain=(bright * np.exp(0.6 * warm + 0.01), bright, bright * np.exp(-0.6 * warm)),
        sky=sky, ruler=ruler, ruler_width=round(width * draw.uniform(0.06, 0.10)),
        ruler_side=int(draw.integers(2)),
        shadow=float(draw.uniform(0.15, 0.5)) if draw.uniform() < 0.4 else 0.0,
        blur=float(draw.uniform(0.4, 1.1)) if draw.uniform() < 0.3 else 0.0,
        noise=float(draw.uniform(1.0, 5.0)), quality=int(draw.integers(78, 94)),
        litter=bool(draw.uniform() < 0.5),
    )  # fmt: skip


def photograph(pit: Pit, taken: Shot, tiles: Surfaces, draw: np.random.Generator) -> np.ndarray:
    """Draw one photograph.

    Args:
        pit: Whose face it is.
        taken: How.
        tiles: Patterns.
        draw: Random numbers of this photograph.

    Returns:
        (height, width, 3) uint8, RGB.
    """
    face = _Face(pit, taken, tiles, draw)
    lit = face.painted()
    lit *= face.light()[..., None] * (4095.0 * np.array(taken.gain, np.float32))
    pixels = _ENCODED[np.clip(lit, 0.0, 4095.0, out=lit).astype(np.int16)]
    if taken.blur:
        pixels = _blurred(pixels, taken.blur)
    noise = taken.noise * cut(tiles.grain, draw, face.height, face.width)
    pixels = np.clip(pixels + noise[..., None], BLACK_BELOW + 8, 255).astype(np.uint8)
    whole = np.zeros((taken.height, taken.width, 3), np.uint8)
    whole[taken.sky :] = pixels
    return _removed(whole, taken, draw)


class _Face:
    """The face of one pit as one camera sees it; arrays (height, width) without removed sky."""

    def __init__(self, pit: Pit, taken: Shot, tiles: Surfaces, draw: np.random.Generator) -> None:
        self.pit, self.taken, self.tiles, self.draw = pit, taken, tiles, draw
        self.height, self.width = taken.height - taken.sky, taken.width
        self.horizons = [h for h in pit.horizons if h.top < 100]
        self.scale = self.height / taken.reach  # px a cm
        across = ((np.arange(self.width) + 0.5) / self.width - 0.5).astype(np.float32)
        down = ((np.arange(self.height) + 0.5) / self.height).astype(np.float32)
        depth = taken.reach * down[:, None] * (1.0 + taken.keystone * across)
        self.depth = depth + taken.tilt * (down[:, None] * across)
        self.soft = self._cut(tiles.soft)
        self.rough = self._cut(tiles.rough)
        self.shade = self._shades()
        self.marks = [marks(h.symbol) for h in self.horizons]

    def _cut(self, tile: Pixels, stretch: float = 1.0) -> Pixels:
        return cut(tile, self.draw, self.height, self.width, stretch)

    def _shades(self) -> np.ndarray:
        """Number of each pixel's shade: _STEPS of them from a horizon to the next."""
        total = np.zeros((self.height, self.width), np.float32)
        ragged = self.depth + 0.35 * self.rough
        streaks = None
        for upper, lower in zip(self.horizons, self.horizons[1:], strict=False):
            amplitude, blurred, tongue = _boundary(upper, lower)
            # One stretch of a wall is more even than another.
            amplitude *= float(np.exp(0.4 * self.draw.normal()))
            wave = amplitude * _wave(self.width, self.scale, self.draw)
            place = ragged - lower.top - wave
            if tongue:
                streaks = self._cut(self.tiles.down) if streaks is None else streaks
                place = place + tongue * streaks
            total += np.clip(place / (2.0 * blurred) + 0.5, 0.0, 1.0)
        return (total * _STEPS).astype(np.int16)

    def _of(self, values: list[float]) -> Pixels:
        """A number of each horizon at each pixel, even between horizons."""
        table = np.interp(
            np.arange(_STEPS * len(values)) / _STEPS, np.arange(len(values)), values
        ).astype(np.float32)
        return table[self.shade]

    def painted(self) -> Pixels:
        """Light that comes back from the face, linear (height, width, 3)."""
        colours = np.array([munsell.light(h.hue, h.value, h.chroma) for h in self.horizons])
        table = np.stack(
            [
                np.interp(
                    np.arange(_STEPS * len(colours)) / _STEPS,
                    np.arange(len(colours)),
                    colours[:, c],
                )
                for c in range(3)
            ],
            axis=-1,
        ).astype(np.float32)
        face = table[self.shade]
        self._mottle(face)
        face *= self._texture()[..., None]
        self._specks(face)
        self._break(face)
        self._stones(face)
        self._roots(face)
        self._surface(face)
        return face

    def _mottle(self, face: Pixels) -> None:
        """Bleached and rusty parts of horizons that are wet at times, and bands of clay."""
        grey = [m.grey for m in self.marks]
        if max(grey) > 0.03:
            pattern = 0.6 * self._cut(self.tiles.down) + 0.8 * self._cut(self.tiles.rough)
            pale = munsell.light(5.4, min(6.3, 0.8 + max(h.value for h in self.horizons)), 1.0)
            _blend(face, pale, 0.65 * self._share(grey, pattern))
        rust = [m.rust for m in self.marks]
        if max(rust) > 0.008:
            pattern = 0.5 * self.soft + 0.85 * self._cut(self.tiles.rough)
            deep = munsell.light(2.8 + 0.3 * self.draw.normal(), 4.6, 6.5)
            _blend(face, deep, 0.75 * self._share(rust, pattern))
        bands = [m.bands for m in self.marks]
        if max(bands) > 0:
            wave = np.sin(2 * np.pi * self.depth / 7.5 + 1.2 * self.soft)
            _blend(
                face, munsell.light(3.2, 4.2, 5.0),
                0.8 * self._of(bands) * np.clip(5.0 * (wave - 0.72), 0.0, 1.0),
            )  # fmt: skip

    def _share(self, shares: list[float], pattern: Pixels) -> Pixels:
        """Weight of pixels whose pattern is among the highest, as many as each horizon's share."""
        from scipy.special import ndtri

        limits = [float(ndtri(1.0 - min(max(s, 1e-4), 0.95))) for s in shares]
        return np.clip(2.2 * (pattern - self._of(limits)) + 0.5, 0.0, 1.0)

    def _texture(self) -> Pixels:
        """Light and dark of the face: blotches, grains of sand, crumbs, marks of the trowel."""
        sandy = [0.012 + 0.0009 * h.sand if h.organic < ORGANIC else 0.03 for h in self.horizons]
        crumbs = [0.22 * m.crumbs for m in self.marks]
        raw = [0.16 if h.organic >= ORGANIC and "r" in h.symbol else 0.035 for h in self.horizons]
        lit = 1.0 + 0.055 * self.soft + 0.05 * self.rough
        lit += self._of(sandy) * self._cut(self.tiles.grain) * 1.6
        lit += self._of(raw) * self._cut(self.tiles.across)
        bevel, edge = cuts(
            (self.tiles.crumbs.bevel, self.tiles.crumbs.edge), self.draw, self.height, self.width
        )
        lit += self._of(crumbs) * (0.7 * bevel - 0.5 * (edge < 0.9))
        return np.clip(lit, 0.25, 1.8)

    def _specks(self, face: Pixels) -> None:
        """Concretions: dark ones of iron and manganese, white ones of carbonate."""
        for shares, colour in (
            ([m.dark for m in self.marks], munsell.light(3.5, 2.3, 1.0)),
            ([m.white for m in self.marks], munsell.light(4.5, 8.6, 1.0)),
        ):
            if max(shares) < 0.006:
                continue
            cells = self.tiles.crumbs
            share, edge = cuts((cells.share, cells.edge), self.draw, self.height, self.width)
            here = (share < 2.2 * self._of(shares)) & (edge > 1.2)
            _blend(face, colour, 0.75 * here)

    def _break(self, face: Pixels) -> None:
        """Cracks between prisms, where a soil shrinks; pores and holes of animals everywhere."""
        cracks = [m.cracks for m in self.marks]
        if max(cracks) > 0.12:
            (edge,) = cuts(
                (self.tiles.blocks.edge,), self.draw, self.height, self.width, stretch=2.2
            )
            wide = np.clip(1.6 - edge - 0.5 * self.soft, 0.0, 1.0)
            face *= (1.0 - 0.62 * wide * self._of([c**0.7 if c > 0.12 else 0 for c in cracks]))[
                ..., None
            ]
        open_ = self._cut(self.tiles.across) + 0.9 * self.rough - 4.0
        holes = np.flatnonzero(open_ > 0)
        face.reshape(-1, 3)[holes] *= (
            1.0 - 0.55 * np.minimum(1.6 * open_.ravel()[holes], 1)[:, None]
        )

    def _stones(self, face: Pixels) -> None:
        """Stones of two sizes that cover as much as is recorded; rock is stones side by side."""
        covered = [h.stones / 100.0 for h in self.horizons]
        if max(covered) < 0.004:
            return
        stone = munsell.chip(PARENTS[self.pit.setting.parent].stone).astype(np.float32)
        flat = face.reshape(-1, 3)
        for cells, part, rim in ((self.tiles.crumbs, 0.35, 0.8), (self.tiles.blocks, 1.0, 1.3)):
            share, edge, bevel = cuts(
                (cells.share, cells.edge, cells.bevel), self.draw, self.height, self.width
            )
            chosen = np.flatnonzero(share < part * 1.25 * self._of(covered))
            # Soil between stones takes the rims; a stone covers less than its cell.
            outside = edge.ravel()[chosen] < rim * (1.0 + 0.45 * self.soft.ravel()[chosen])
            lit, own = bevel.ravel()[chosen], (share.ravel()[chosen] * 977.0) % 1.0
            flat[chosen[outside & (lit < 0)]] *= 0.68
            here = chosen[~outside]
            tone = (0.65 + 0.5 * own + 0.16 * lit)[~outside]
            tone *= 1.0 + 0.07 * self.rough.ravel()[here]
            # Soil sticks to stones, to some more than to others.
            dusty = (0.15 + 0.45 * ((own * 31.0) % 1.0))[~outside, None]
            flat[here] = dusty * flat[here] + (1.0 - dusty) * tone[:, None] * stone

    def _roots(self, face: Pixels) -> None:
        """Fine roots, as many as are recorded, thinner and fewer with depth."""
        from PIL import Image, ImageDraw

        layer = Image.new("L", (self.width, self.height))
        pen = ImageDraw.Draw(layer)
        for h in self.horizons:
            count = int(min(h.density, 60.0) * 0.5 * self.width / self.scale / 60.0)
            top, bottom = h.top * self.scale, min(h.bottom, 100) * self.scale
            for _ in range(min(count, 40)):
                x, y = self.draw.uniform(0, self.width), self.draw.uniform(top, bottom)
                steps = self.draw.normal(0.0, (2.2, 1.4), (int(self.draw.integers(4, 14)), 2))
                path = np.cumsum(steps + (0.0, 1.3), axis=0) + (x, y)
                pen.line([tuple(p) for p in path.tolist()], fill=int(self.draw.integers(70, 200)))
        mask = np.asarray(layer, np.float32) / 255.0
        _blend(face, munsell.light(4.2, 7.0, 3.0), mask)

    def _surface(self, face: Pixels) -> None:
        """The upper edge: uneven by a centimetre, with litter or blades of grass."""
        from PIL import Image, ImageDraw

        rows = min(self.height, int(6.0 * self.scale))  # No blade hangs lower.
        edge = np.abs(_wave(self.width, self.scale, self.draw)) * 0.7
        above = self.depth[:rows] < edge
        green = munsell.light(6.3 if self.pit.setting.use == "G" else 5.3, 4.6, 4.0)
        _blend(face[:rows], green, 0.8 * above * (0.7 + 0.3 * np.clip(self.rough[:rows], -1, 1)))
        if not self.taken.litter:
            return
        layer = Image.new("L", (self.width, rows))
        pen = ImageDraw.Draw(layer)
        for x in self.draw.uniform(0, self.width, int(self.width * self.draw.uniform(0.2, 0.9))):
            length = self.draw.uniform(0.5, 3.5) * self.scale
            lean = self.draw.normal(0, 0.8) * length
            pen.line([(x, 0), (x + lean, length)], fill=int(self.draw.integers(90, 230)))
        blade = munsell.light(6.2, 5.2, 5.0) if self.draw.uniform() < 0.6 else green
        _blend(face[:rows], blade, np.asarray(layer, np.float32) / 255.0)

    def light(self) -> Pixels:
        """Light that falls on the face: less at the bottom of the pit, shadow with a soft edge."""
        across = np.linspace(-1.0, 1.0, self.width, dtype=np.float32)[None, :]
        down = np.linspace(0.0, 1.0, self.height, dtype=np.float32)[:, None]
        fall, side = self.draw.uniform(0.0, 0.35), 0.12 * self.draw.normal()
        lit = (1.0 - fall * down) * (1.0 + side * across)
        if self.taken.shadow:
            lean, start = self.draw.normal(0.0, 0.6), self.draw.uniform(-0.9, 0.9)
            sign = self.draw.choice([-1.0, 1.0])
            edge = sign * (across - start + lean * (down - 0.5)) + 0.02 * self.rough
            lit = lit * (1.0 - self.taken.shadow * np.clip(6.0 * edge + 0.5, 0.0, 1.0))
        return lit


def _boundary(upper: Horizon, lower: Horizon) -> tuple[float, float, float]:
    """Wave, half width of the change, and tongues of a boundary, all in cm.

    A plough cuts sharply; clay moves down in tongues; iron and humus gather along waves; rock has a
    rugged surface; what differs by shades only, or formed from below, changes over centimetres.
    """
    if upper.symbol == lower.symbol and "p" not in upper.symbol:
        return 1.0, 4.0, 0.0
    if upper.symbol.endswith("p"):
        return 0.6, 0.3, 0.0
    if "mC" in lower.symbol:
        return 2.2, 0.5, 0.0
    if "Bt" in lower.symbol and ("Ael" in upper.symbol or "Al" in upper.symbol):
        return 1.2, 0.6, 1.8
    if lower.symbol.startswith(("Bh", "Bs")):
        return 1.6, 0.6, 0.5
    if lower.symbol.startswith(("H", "F")) or upper.symbol.startswith("H"):
        return 0.8, 0.7, 0.0
    if "C" in lower.symbol or "G" in lower.symbol:
        return 1.2, 2.2, 0.0
    return 1.0, 1.3, 0.0


def _wave(width: int, scale: float, draw: np.random.Generator) -> Pixels:
    """A wavy line (width,) of mean 0 and standard deviation 1; waves of some 8 to 60 cm."""
    x = np.arange(width) / scale
    total = np.zeros(width)
    for length in (60.0, 31.0, 17.0, 8.0):
        strength = draw.normal() * length**0.5
        total += strength * np.sin(2 * np.pi * (x / length + draw.uniform()))
    total -= total.mean()
    return (total / max(total.std(), 1e-6)).astype(np.float32)


def _blend(face: Pixels, colour: Pixels, weight: Pixels) -> None:
    """Move a face towards a colour where the weight says so, in place."""
    flat, weights = face.reshape(-1, 3), weight.ravel()
    here = np.flatnonzero(weights > 0.004)
    part = flat[here]
    flat[here] = part + weights[here, None].astype(np.float32) * (colour.astype(np.float32) - part)


def _blurred(pixels: Pixels, radius: float) -> Pixels:
    from PIL import Image, ImageFilter

    image = Image.fromarray(pixels.astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), np.float32)


def _removed(pixels: np.ndarray, taken: Shot, draw: np.random.Generator) -> np.ndarray:
    """Black where the sky and the ruler were removed, or the ruler that was left."""
    if taken.sky:
        wave = _wave(taken.width, 4.0, draw)
        edge = np.maximum(taken.sky + np.round(0.012 * taken.height * wave), 0)
        pixels[np.arange(taken.height)[:, None] < edge[None, :]] = 0
    if taken.ruler == "none":
        return pixels
    wide = taken.ruler_width
    strip = np.s_[:, :wide] if taken.ruler_side == 0 else np.s_[:, -wide:]
    if taken.ruler == "removed":
        pixels[strip] = 0
        return pixels
    scale = (taken.height - taken.sky) / taken.reach
    depth = (np.arange(taken.height) - taken.sky) / scale
    # A surveyor's staff: white and dark by turns of 10 cm, with marks of a centimetre.
    dark = (depth // 10) % 2 == 1
    marked = ((depth % 2) < 1)[:, None] & (np.arange(wide) < 0.25 * wide)[None, :]
    paint = np.where(dark[:, None] ^ marked, 60, 215).astype(np.uint8)
    pixels[strip] = np.where((depth >= 0)[:, None, None], paint[..., None], pixels[strip])
    return pixels
