"""What is known and what is said of photographs of profiles, in arrays that scores read.

Belongs here: the one form that a model and every baseline answer in, the truth in the same form,
and how what is said of some segments is carried to others. Never here: scores, learners.

n photographs, at most S horizons. Bounds are shares of the depth that pictures reach (100 cm).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training import profile_scores as scores
from training.profile_scores import DEPTH_CM, Profiles


@dataclass(frozen=True)
class Segments:
    """How profiles are cut.

    Attributes:
        bounds: (n, S) lower bounds, ascending, 1 from the last horizon on.
        count: (n,) horizons, at least 1.
    """

    bounds: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, bounds: np.ndarray) -> "Segments":
        """From lower bounds alone: the first that is 1 is the last horizon's."""
        found = scores.profiles(np.asarray(bounds), np.zeros(bounds.shape, int))
        return cls(found.lower / DEPTH_CM, found.count)

    @classmethod
    def joined(cls, parts: Sequence["Segments"]) -> "Segments":
        """Those of all parts, one after the other."""
        return cls(
            np.concatenate([part.bounds for part in parts]),
            np.concatenate([part.count for part in parts]),
        )

    @property
    def tops(self) -> np.ndarray:
        """(n, S) upper bounds; 1 where there is no horizon."""
        return np.concatenate([np.zeros((len(self.bounds), 1)), self.bounds[:, :-1]], 1)

    @property
    def there(self) -> np.ndarray:
        """(n, S) bool: is there a horizon?"""
        return np.arange(self.bounds.shape[1]) < self.count[:, None]

    def named(self, symbol: np.ndarray) -> Profiles:
        """Horizons with their labels, (n, S), as scores take them."""
        return Profiles(self.bounds * DEPTH_CM, self.count, symbol)

    def most_in(self, other: "Segments") -> tuple[np.ndarray, np.ndarray]:
        """Index of the one of `other` that most of each segment lies in; of equals the upper."""
        nothing = np.zeros(self.bounds.shape, int)
        place = scores.overlap(self.named(nothing), other.named(nothing)).argmax(2)
        return np.arange(len(place))[:, None], place

    def take(self, rows: np.ndarray) -> "Segments":
        """Those of some photographs."""
        return Segments(self.bounds[rows], self.count[rows])


@dataclass(frozen=True)
class Truth:
    """What is known.

    Attributes:
        segments: As described in the field.
        symbol: (n, S) label, -1 unknown.
        stones: (n, S) share, NaN unknown.
        classes: By feature, (n, S) code, -1 unknown.
    """

    segments: Segments
    symbol: np.ndarray
    stones: np.ndarray
    classes: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        """Number of photographs."""
        return len(self.symbol)

    @classmethod
    def joined(cls, parts: Sequence["Truth"]) -> "Truth":
        """That of all parts, one after the other."""
        classes = {
            name: np.concatenate([part.classes[name] for part in parts])
            for name in parts[0].classes
        }
        return cls(
            Segments.joined([part.segments for part in parts]),
            np.concatenate([part.symbol for part in parts]),
            np.concatenate([part.stones for part in parts]),
            classes,
        )

    def profiles(self) -> Profiles:
        """Horizons with their labels, as scores take them."""
        return self.segments.named(self.symbol)

    def at(self, segments: Segments) -> "Truth":
        """The truth of other segments: of the horizon in which most of each lies."""
        return self._of(segments, segments.most_in(self.segments))

    def take(self, rows: np.ndarray) -> "Truth":
        """That of some photographs."""
        return self._of(self.segments.take(rows), rows)

    def _of(self, segments: Segments, place) -> "Truth":  # noqa: ANN001 (whatever indexes arrays)
        classes = {name: codes[place] for name, codes in self.classes.items()}
        return Truth(segments, self.symbol[place], self.stones[place], classes)


@dataclass(frozen=True)
class Guess:
    """What a method says: of segments that it was given, or of those that it found.

    Attributes:
        segments: Those that it speaks of.
        symbol: (n, S, labels) chances; None from a model that names none.
        stones: (n, S) share; None from a model without properties.
        classes: By feature, (n, S, codes) chances.
    """

    segments: Segments
    symbol: np.ndarray | None
    stones: np.ndarray | None
    classes: Mapping[str, np.ndarray]

    @classmethod
    def joined(cls, parts: Sequence["Guess"]) -> "Guess":
        """What is said in all parts, one after the other; heads are those of the first."""
        first = parts[0]
        return cls(
            Segments.joined([part.segments for part in parts]),
            None if first.symbol is None else np.concatenate([part.symbol for part in parts]),
            None if first.stones is None else np.concatenate([part.stones for part in parts]),
            {
                name: np.concatenate([part.classes[name] for part in parts])
                for name in first.classes
            },
        )

    def profiles(self) -> Profiles:
        """Horizons with their likeliest labels, as scores take them."""
        if self.symbol is None:
            return self.segments.named(np.full(self.segments.bounds.shape, -1))
        return self.segments.named(scores.best(self.symbol))
