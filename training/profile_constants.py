"""Answers about profiles that are the same, or nearly, whatever a photograph shows.

Belongs here: what baselines may know of photographs, and constants of the training split. Never
here: learners (`training.profile_forests`), the model, scores.

Each profile weighs the same, whatever the number of its photographs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from adapters.errors import TrainingError
from training.profile_forms import Guess, Segments, Truth

_STEPS = 100
"""Depth steps that symbols are counted in."""
_RARELY = 1e-3
"""Chance that a method which names one symbol leaves for all others, by their frequency."""

Agreement = Callable[[Segments, Segments], np.ndarray]
"""(true, guessed) -> (n,) how well they agree; more is better."""


@dataclass(frozen=True)
class Photographs:
    """What baselines may know of n photographs, and the truth.

    Attributes:
        truth: In the field.
        site: (n, f) numbers and codes (one column a code) of the site, NaN unknown.
        colour: (n, h, 8) sums over the soil of rows of pictures (`profile_colours.colours`).
        weight: (n,) one over the photographs of the profile.
    """

    truth: Truth
    site: np.ndarray
    colour: np.ndarray
    weight: np.ndarray

    def __len__(self) -> int:
        """Number of photographs."""
        return len(self.weight)

    def take(self, rows: np.ndarray) -> "Photographs":
        """Some of them."""
        return Photographs(
            self.truth.take(rows), self.site[rows], self.colour[rows], self.weight[rows]
        )


class Baseline(Protocol):
    """Answers like a model."""

    def __call__(self, photographs: Photographs, segments: Segments | None = None) -> Guess:
        """What is said of these segments; of the method's own where none are given."""
        ...


@dataclass(frozen=True)
class Codes:
    """How many symbols there are, and codes of each feature."""

    symbols: int
    classes: Mapping[str, int]


@dataclass(frozen=True)
class Frequencies:
    """Chances of training horizons by depth, (steps, codes), and overall."""

    symbol: np.ndarray
    classes: Mapping[str, np.ndarray]
    stones: float

    @classmethod
    def of(cls, train: Photographs, codes: Codes) -> "Frequencies":
        """Count training horizons."""
        truth = train.truth
        classes = {
            name: _by_depth(truth.segments, truth.classes[name], many, train.weight)
            for name, many in codes.classes.items()
        }
        symbol = _by_depth(truth.segments, truth.symbol, codes.symbols, train.weight)
        known = truth.stones[np.isfinite(truth.stones)]
        return cls(symbol, classes, float(np.median(known)) if known.size else 0.0)

    def at(self, segments: Segments) -> Guess:
        """What is frequent at the depths of each segment."""
        classes = {name: _mean_of(table, segments) for name, table in self.classes.items()}
        stones = np.full(segments.bounds.shape, self.stones)
        return Guess(segments, _mean_of(self.symbol, segments), stones, classes)

    def overall(self, segments: Segments) -> Guess:
        """What is frequent, whatever the depth."""

        def everywhere(table: np.ndarray) -> np.ndarray:
            return np.broadcast_to(table.mean(0), (*segments.bounds.shape, table.shape[1]))

        classes = {name: everywhere(table) for name, table in self.classes.items()}
        stones = np.full(segments.bounds.shape, self.stones)
        return Guess(segments, everywhere(self.symbol), stones, classes)


def _by_depth(segments: Segments, codes: np.ndarray, many: int, weight: np.ndarray) -> np.ndarray:
    """(steps, codes) weighted share of each code at each depth.

    At each depth stands one profile more that has what is frequent at all depths, and every code a
    little: else what was not seen at a depth would be impossible there.
    """
    middle = (np.arange(_STEPS) + 0.5) / _STEPS
    counts = np.zeros((_STEPS, many))
    rows, places = np.nonzero(segments.there & (codes >= 0))
    tops, bottoms = segments.tops[rows, places], segments.bounds[rows, places]
    for step, depth in enumerate(middle):
        inside = (tops <= depth) & (depth < bottoms)
        counts[step] = np.bincount(
            codes[rows, places][inside], weight[rows][inside], minlength=many
        )
    everywhere = counts.sum(0) + _RARELY
    counts += everywhere / everywhere.sum()
    return counts / counts.sum(1, keepdims=True)


def _mean_of(table: np.ndarray, segments: Segments) -> np.ndarray:
    """(n, S, codes) means of a table by depth over each segment."""
    sums = np.concatenate([np.zeros((1, table.shape[1])), table.cumsum(0)])

    def until(depth: np.ndarray) -> np.ndarray:
        place = depth * _STEPS
        low = np.minimum(place.astype(int), _STEPS - 1)
        return sums[low] + (place - low)[..., None] * table[low]

    found = until(segments.bounds) - until(segments.tops)
    # A segment without thickness takes what stands at its depth.
    low = np.minimum((segments.tops * _STEPS).astype(int), _STEPS - 1)
    found = np.where(found.sum(-1, keepdims=True) > 1e-9, found, table[low])
    return found / found.sum(-1, keepdims=True)


Markers = dict[int, np.ndarray]
"""By number of horizons, (S,) lower bounds."""


def markers(train: Photographs, middle: Callable[..., np.ndarray]) -> Markers:
    """Mean or median bounds of training profiles with so many horizons.

    A number that no training profile has gets even bounds.
    """
    segments = train.truth.segments
    most = segments.bounds.shape[1]
    found = {}
    for count in range(1, most + 1):
        of_count = segments.count == count
        even = np.minimum((np.arange(most) + 1) / count, 1.0)
        found[count] = middle(segments.bounds[of_count], axis=0) if of_count.any() else even
    return found


def _repeated(bounds: np.ndarray, rows: int) -> Segments:
    return Segments.of(np.broadcast_to(bounds, (rows, len(bounds))))


@dataclass(frozen=True)
class _Constant:
    """The same bounds everywhere, with what is frequent at their depths."""

    bounds: np.ndarray
    frequencies: Frequencies

    def __call__(self, photographs: Photographs, segments: Segments | None = None) -> Guess:
        """See `Baseline`."""
        return self.frequencies.at(segments or _repeated(self.bounds, len(photographs)))


def constant(
    train: Photographs, few: Photographs, frequencies: Frequencies, agreement: Agreement
) -> _Constant:
    """Of mean and median bounds of any number of horizons, those that agree best in training."""
    listed = [
        bounds for middle in (np.mean, np.median) for bounds in markers(train, middle).values()
    ]
    agreed = [
        np.average(agreement(few.truth.segments, _repeated(one, len(few))), weights=few.weight)
        for one in listed
    ]
    return _Constant(listed[int(np.argmax(agreed))], frequencies)


@dataclass(frozen=True)
class CountTold:
    """Median bounds of the true number of horizons."""

    by_count: Markers
    frequencies: Frequencies

    def __call__(self, photographs: Photographs, segments: Segments | None = None) -> Guess:
        """See `Baseline`."""
        counts = photographs.truth.segments.count
        told = Segments.of(np.stack([self.by_count[int(count)] for count in counts]))
        return self.frequencies.at(segments or told)


@dataclass(frozen=True)
class Majority:
    """The bounds of the constant profile, and what is most frequent at any depth."""

    profile: _Constant
    frequencies: Frequencies

    def __call__(self, photographs: Photographs, segments: Segments | None = None) -> Guess:
        """See `Baseline`."""
        own = _repeated(self.profile.bounds, len(photographs))
        return self.frequencies.overall(segments or own)


@dataclass(frozen=True)
class CommonestSequence:
    """The sequence of symbols that most training profiles have, with their median bounds.

    In segments that it is given, the k-th has the k-th symbol, and those below its last one that.
    """

    symbols: np.ndarray
    bounds: np.ndarray
    frequencies: Frequencies

    @classmethod
    def of(cls, train: Photographs, frequencies: Frequencies) -> "CommonestSequence":
        """Find it, and the median bounds of those that have it.

        Raises:
            TrainingError: No training profile has all its symbols.
        """
        truth = train.truth
        whole = ((truth.symbol >= 0) | ~truth.segments.there).all(1)
        if not whole.any():
            raise TrainingError(
                "no training profile has all its symbols",
                remedy="more described profiles are needed, or fewer labels left out",
            )
        symbol, weight = truth.symbol[whole], train.weight[whole]
        symbol = np.where(truth.segments.there[whole], symbol, -1)
        names, place = np.unique(symbol, axis=0, return_inverse=True)
        place = place.ravel()
        best = int(np.bincount(place, weight).argmax())
        bounds = np.median(truth.segments.bounds[whole][place == best], axis=0)
        return cls(names[best][names[best] >= 0], bounds, frequencies)

    def __call__(self, photographs: Photographs, segments: Segments | None = None) -> Guess:
        """See `Baseline`."""
        segments = segments or _repeated(self.bounds, len(photographs))
        guess = self.frequencies.at(segments)
        last = np.minimum(np.arange(segments.bounds.shape[1]), len(self.symbols) - 1)
        named = np.eye(guess.symbol.shape[-1])[self.symbols[last]]
        symbol = (1 - _RARELY) * named + _RARELY * guess.symbol
        return Guess(segments, symbol, guess.stones, guess.classes)
