"""What a model of profiles must beat: answers that need no network.

Belongs here: baselines, fitted on the training split alone, in the form that the model answers in.
Never here: the model, scores, intervals.

Each profile weighs the same, whatever the number of its photographs. Constants know nothing of a
photograph; random forests (Breiman 2001, doi 10.1023/A:1010933404324) know the site, or colours of
the wall by depth, or both, and where in the profile a segment lies.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from adapters.errors import TrainingError
from training.profile_colours import changes, cut_at, of_segments
from training.profile_forms import Guess, Segments, Truth

TREES = 40
LEAST_IN_LEAF = 2
LEVELS = 1 - np.geomspace(1, 0.01, 16)
"""Quantiles of changes of colour that are tried as the least one of a boundary: few peaks are."""
CHOSEN_ON = 300
"""Training photographs that constants and the least change of colour are chosen on."""
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


def baselines(
    train: Photographs, codes: Codes, agreement: Agreement, seed: int
) -> dict[str, Baseline]:
    """Fit all baselines.

    Args:
        train: Photographs of the training split.
        codes: Of the data.
        agreement: By which constants and the least change of colour are chosen.
        seed: Of the forests.

    Returns:
        By name. What stands in `TOLD` knows part of the answer.
    """
    some = np.linspace(0, len(train) - 1, min(CHOSEN_ON, len(train))).round().astype(int)
    few = train.take(some)
    frequencies = _Frequencies.of(train, codes)
    change = _least_change(few, agreement)
    found: dict[str, Baseline] = {
        "constant profile": _constant(train, few, frequencies, agreement),
        "majority": _Majority(_constant(train, few, frequencies, agreement), frequencies),
        "most frequent sequence": _Sequence.of(train, frequencies),
        "constant profile, count told": _CountTold(_markers(train, np.median), frequencies),
    }
    for name, uses in (
        ("site alone", ("site",)),
        ("image alone", ("colour",)),
        ("site and image", ("site", "colour")),
    ):
        cut = _SiteCut.of(train, seed) if "colour" not in uses else _ColourCut(change)
        found[name] = _Forest.of(train, codes, uses, cut, frequencies, seed)
    return found


TOLD = ("constant profile, count told",)
"""Baselines that are told what no method can know; they stand in tables, and are no goal."""


# Constants.


@dataclass(frozen=True)
class _Frequencies:
    """Chances of training horizons by depth, (steps, codes), and overall."""

    symbol: np.ndarray
    classes: Mapping[str, np.ndarray]
    stones: float

    @classmethod
    def of(cls, train: Photographs, codes: Codes) -> "_Frequencies":
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
    """(steps, codes) weighted share of each code at each depth; every code a little."""
    middle = (np.arange(_STEPS) + 0.5) / _STEPS
    counts = np.zeros((_STEPS, many))
    rows, places = np.nonzero(segments.there & (codes >= 0))
    tops, bottoms = segments.tops[rows, places], segments.bounds[rows, places]
    for step, depth in enumerate(middle):
        inside = (tops <= depth) & (depth < bottoms)
        counts[step] = np.bincount(
            codes[rows, places][inside], weight[rows][inside], minlength=many
        )
    counts += _RARELY / many
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


def _markers(train: Photographs, middle: Callable[..., np.ndarray]) -> Markers:
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
    frequencies: _Frequencies

    def __call__(self, photographs: Photographs, segments: Segments | None = None) -> Guess:
        return self.frequencies.at(segments or _repeated(self.bounds, len(photographs)))


def _constant(
    train: Photographs, few: Photographs, frequencies: _Frequencies, agreement: Agreement
) -> _Constant:
    """Of mean and median bounds of any number of horizons, those that agree best in training."""
    listed = [
        bounds for middle in (np.mean, np.median) for bounds in _markers(train, middle).values()
    ]
    agreed = [
        np.average(agreement(few.truth.segments, _repeated(one, len(few))), weights=few.weight)
        for one in listed
    ]
    return _Constant(listed[int(np.argmax(agreed))], frequencies)


@dataclass(frozen=True)
class _CountTold:
    """Median bounds of the true number of horizons."""

    markers: Markers
    frequencies: _Frequencies

    def __call__(self, photographs: Photographs, segments: Segments | None = None) -> Guess:
        counts = photographs.truth.segments.count
        told = Segments.of(np.stack([self.markers[int(count)] for count in counts]))
        return self.frequencies.at(segments or told)


@dataclass(frozen=True)
class _Majority:
    """The bounds of the constant profile, and what is most frequent at any depth."""

    constant: _Constant
    frequencies: _Frequencies

    def __call__(self, photographs: Photographs, segments: Segments | None = None) -> Guess:
        own = _repeated(self.constant.bounds, len(photographs))
        return self.frequencies.overall(segments or own)


@dataclass(frozen=True)
class _Sequence:
    """The sequence of symbols that most training profiles have, with their median bounds.

    In segments that it is given, the k-th has the k-th symbol, and those below its last one that.
    """

    symbols: np.ndarray
    bounds: np.ndarray
    frequencies: _Frequencies

    @classmethod
    def of(cls, train: Photographs, frequencies: _Frequencies) -> "_Sequence":
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
        segments = segments or _repeated(self.bounds, len(photographs))
        guess = self.frequencies.at(segments)
        last = np.minimum(np.arange(segments.bounds.shape[1]), len(self.symbols) - 1)
        named = np.eye(guess.symbol.shape[-1])[self.symbols[last]]
        symbol = (1 - _RARELY) * named + _RARELY * guess.symbol
        return Guess(segments, symbol, guess.stones, guess.classes)


# Forests.


def _least_change(few: Photographs, agreement: Agreement) -> float:
    """The least change of a boundary that agrees best with training profiles."""
    changed, most = changes(few.colour), few.truth.segments.bounds.shape[1]
    heights = changed[changed > 0]
    if not heights.size:
        return np.inf
    tried = np.quantile(heights, LEVELS)
    agreed = [
        np.average(agreement(few.truth.segments, cut_at(changed, least, most)), weights=few.weight)
        for least in tried
    ]
    return float(tried[int(np.argmax(agreed))])


Cut = Callable[[Photographs], Segments]


@dataclass(frozen=True)
class _ColourCut:
    """Boundaries where the colour changes most."""

    least: float

    def __call__(self, photographs: Photographs) -> Segments:
        most = photographs.truth.segments.bounds.shape[1]
        return cut_at(changes(photographs.colour), self.least, most)


@dataclass(frozen=True)
class _SiteCut:
    """The number of horizons, and then their bounds, by what is known of the site."""

    count: Callable[[np.ndarray], np.ndarray]
    bound: Callable[[np.ndarray], np.ndarray]

    @classmethod
    def of(cls, train: Photographs, seed: int) -> "_SiteCut":
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        segments = train.truth.segments
        counts = RandomForestClassifier(**_forest(seed)).fit(
            train.site, segments.count, sample_weight=train.weight
        )
        row, place = np.nonzero(segments.there[:, 1:])
        if not row.size:
            return cls(counts.predict, lambda rows: np.ones(len(rows)))
        features = np.column_stack([train.site[row], segments.count[row], place])
        bounds = RandomForestRegressor(**_forest(seed)).fit(
            features, segments.bounds[row, place], sample_weight=train.weight[row]
        )
        return cls(counts.predict, bounds.predict)

    def __call__(self, photographs: Photographs) -> Segments:
        most = photographs.truth.segments.bounds.shape[1]
        count = self.count(photographs.site)
        place = np.arange(most - 1)
        row = np.repeat(np.arange(len(photographs)), most - 1)
        features = np.column_stack(
            [photographs.site[row], count[row], np.tile(place, len(photographs))]
        )
        bounds = self.bound(features).reshape(-1, most - 1)
        bounds = np.where(place < count[:, None] - 1, bounds, 1.0)
        return Segments.of(np.concatenate([np.sort(bounds, 1), np.ones((len(bounds), 1))], 1))


def _forest(seed: int) -> dict[str, object]:
    return {
        "n_estimators": TREES,
        "min_samples_leaf": LEAST_IN_LEAF,
        "random_state": seed,
        "n_jobs": 1,
    }


@dataclass(frozen=True)
class _Forest:
    """Symbols and properties of segments by random forests."""

    uses: tuple[str, ...]
    cut: Cut
    codes: Codes
    frequencies: _Frequencies
    chances: Mapping[str, Callable[[np.ndarray], np.ndarray]]
    """Of what is learnt: features of segments -> chances, or shares of stones."""

    @classmethod
    def of(
        cls,
        train: Photographs,
        codes: Codes,
        uses: tuple[str, ...],
        cut: Cut,
        frequencies: _Frequencies,
        seed: int,
    ) -> "_Forest":
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        truth = train.truth
        x = _segment_features(train, truth.segments, uses)
        weight = np.broadcast_to(train.weight[:, None], truth.symbol.shape)
        learnt: dict[str, Callable[[np.ndarray], np.ndarray]] = {}
        targets = {"symbol": truth.symbol, **truth.classes}
        many = {"symbol": codes.symbols, **codes.classes}
        for name, target in targets.items():
            known = truth.segments.there & (target >= 0)
            if known.any():
                forest = RandomForestClassifier(**_forest(seed)).fit(
                    x[known], target[known], sample_weight=weight[known]
                )
                learnt[name] = _spread(forest, many[name])
        known = truth.segments.there & np.isfinite(truth.stones)
        if known.any():
            forest = RandomForestRegressor(**_forest(seed), max_features="sqrt").fit(
                x[known], truth.stones[known], sample_weight=weight[known]
            )
            learnt["stones"] = forest.predict
        return cls(uses, cut, codes, frequencies, learnt)

    def __call__(self, photographs: Photographs, segments: Segments | None = None) -> Guess:
        segments = segments or self.cut(photographs)
        known = self.frequencies.at(segments)
        x = _segment_features(photographs, segments, self.uses)
        flat = x.reshape(-1, x.shape[-1])
        said = {name: chances(flat) for name, chances in self.chances.items()}

        def either(name: str, otherwise: np.ndarray) -> np.ndarray:
            return said[name].reshape(otherwise.shape) if name in said else otherwise

        classes = {name: either(name, table) for name, table in known.classes.items()}
        return Guess(
            segments, either("symbol", known.symbol), either("stones", known.stones), classes
        )


def _spread(forest, many: int) -> Callable[[np.ndarray], np.ndarray]:  # noqa: ANN001
    """Chances of all codes; those that no training horizon has get none."""

    def chances(x: np.ndarray) -> np.ndarray:
        found = np.zeros((len(x), many))
        found[:, forest.classes_] = forest.predict_proba(x)
        return found

    return chances


def _segment_features(
    photographs: Photographs, segments: Segments, uses: tuple[str, ...]
) -> np.ndarray:
    """(n, S, f) what a forest may know of each segment: its place, and what it uses."""
    shape = segments.bounds.shape
    count = np.broadcast_to(segments.count[:, None], shape)
    place = np.broadcast_to(np.arange(shape[1]), shape)
    parts = [np.stack([segments.tops, segments.bounds, place, count - place], -1)]
    if "site" in uses:
        parts.append(
            np.broadcast_to(photographs.site[:, None], (*shape, photographs.site.shape[1]))
        )
    if "colour" in uses:
        parts.append(of_segments(photographs.colour, segments))
    return np.concatenate(parts, -1)
