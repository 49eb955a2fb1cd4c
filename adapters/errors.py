"""Every error that soilmeld raises on purpose.

A message says what was found, where (source, file, row or column), shows sample values, and ends
with the remedy, so that a person can act on it without reading code.
"""

import contextlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar


class SoilmeldError(Exception):
    """Base of all errors raised on purpose.

    Args:
        problem: What is wrong, in one sentence.
        source: Source id, if one is involved.
        file: File name, if one is involved.
        where: Row, column, sheet, layer or key of the fault.
        samples: A few of the offending values (at most five are shown).
        remedy: What the reader can do about it.
        spec_key: Where the specification says otherwise: `("columns", <canonical name>)`, or keys
            of source.yaml such as `("tables", "main", "read", "delimiter")`.
    """

    def __init__(
        self,
        problem: str,
        *,
        source: str | None = None,
        file: str | None = None,
        where: str | None = None,
        samples: Iterable[object] = (),
        remedy: str | None = None,
        spec_key: tuple[str, ...] = (),
    ) -> None:
        self.spec_key = spec_key
        self.problem, self.source, self.file, self.where = problem, source, file, where
        self.samples, self.remedy = [str(s) for s in samples][:5], remedy
        place = ", ".join(
            f"{label} {value}"
            for label, value in (("source", source), ("file", file), ("at", where))
            if value
        )
        lines = [f"{place}: {problem}" if place else problem]
        if self.samples:
            lines.append("  found: " + ", ".join(repr(s) for s in self.samples))
        if remedy:
            lines.append("  remedy: " + remedy)
        super().__init__("\n".join(lines))


class SpecError(SoilmeldError):
    """A source folder does not describe its source correctly."""


class UnitError(SoilmeldError):
    """A unit does not parse, has no basis, or has the wrong dimension."""


class CodebookError(SoilmeldError):
    """A code is not in its codebook, or a codebook is faulty."""


class ArchiveError(SoilmeldError):
    """Raw files are missing, suspicious, or not what their lock file says."""


class ReadError(SoilmeldError):
    """A raw file cannot be read as its specification says."""


class ValidationError(SoilmeldError):
    """Standardised data break a blocking expectation; nothing was committed."""


class StoreError(SoilmeldError):
    """The DuckDB store cannot be read or written."""


class FusionError(SoilmeldError):
    """Standardised tables cannot be brought to the samples."""


class TrainingError(SoilmeldError):
    """A training job cannot start, continue or be evaluated."""


class CaptionError(SoilmeldError):
    """A caption cannot be written or reviewed."""


class DescriptionError(SoilmeldError):
    """A photograph of a profile cannot be described as asked."""


class LicenceError(SoilmeldError):
    """An action would pass on data whose licence forbids it."""


class SettingsError(SoilmeldError):
    """The settings file is missing, unknown or inconsistent."""


_collecting: ContextVar[list[SoilmeldError] | None] = ContextVar("collecting", default=None)


def refuse(error: SoilmeldError, spec_key: tuple[str, ...] = ()) -> None:
    """Raise an error; or put it down and go on, where all of them are asked for (`collected`).

    What follows a call must therefore leave the refused value out.

    Args:
        error: What is wrong.
        spec_key: Where the specification says otherwise, if the error itself does not know.
    """
    error.spec_key = error.spec_key or spec_key
    found = _collecting.get()
    if found is None:
        raise error
    found.append(error)


def collecting() -> bool:
    """Are all errors asked for?"""
    return _collecting.get() is not None


@contextlib.contextmanager
def collected() -> Iterator[list[SoilmeldError]]:
    """Collect what is refused inside, instead of stopping at the first."""
    found: list[SoilmeldError] = []
    token = _collecting.set(found)
    try:
        yield found
    finally:
        _collecting.reset(token)
