"""What soilmeld observes: quantities, and the methods that tell variants of one apart.

Belongs here: reading and checking `quantities.yaml` and `methods.yaml`.
Never here: units arithmetic (`adapters/units.py`), native names, values.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from adapters.errors import SpecError

_HERE = Path(__file__).parent
_ID = r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$"


class Quantity(BaseModel):
    """One observed property with one meaning and one canonical unit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=_ID)
    title: str
    kind: Literal["numeric", "categorical", "text", "date"] = "numeric"
    unit: str | None = Field(None, description="Canonical unit, in `units.csv`.")
    basis: Literal["mass", "volume", "area", "count", "charge"] | None = Field(
        None, description="What a share or content is counted on."
    )
    analyte: str | None = Field(None, description="Element or compound in `analytes.yaml`.")
    minimum: float | None = Field(None, description="Plausible range, in the canonical unit.")
    maximum: float | None = None
    typical: tuple[float, float] | None = Field(
        None,
        description="5th and 95th percentile in a published survey, in the canonical unit: what a "
        "column is compared with where no other source holds the quantity.",
    )
    zero_is_common: bool = Field(
        False,
        description="Is exactly 0 the value of many places, as of a share or a loss? A layer of "
        "any other quantity that is 0 in large part is told as one of undeclared nodata.",
    )
    group: str = Field(description="Thematic group.")
    description: str

    @model_validator(mode="after")
    def _consistent(self) -> "Quantity":
        if (self.kind == "numeric") != (self.unit is not None):
            raise ValueError("a numeric quantity has a canonical unit, and no other kind has one")
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            raise ValueError(f"minimum {self.minimum} is not below maximum {self.maximum}")
        return self


class Method(BaseModel):
    """One analytical or observational method."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=_ID)
    title: str
    reference: str = Field(description="Standard or publication that defines it.")
    description: str


_Entry = TypeVar("_Entry", Quantity, Method)


def _load(path: Path, model: type[_Entry]) -> Mapping[str, _Entry]:
    entries: dict[str, _Entry] = {}
    # The loader of libyaml is ten times as fast as the one in Python.
    listed = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    for number, raw in enumerate(listed, start=1):
        where = f"entry {number} ({raw.get('id') if isinstance(raw, dict) else raw})"
        try:
            entry = model.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            raise SpecError(
                first["msg"],
                file=path.name,
                where=".".join([where, *map(str, first["loc"])]),
                remedy="correct the entry",
            ) from error
        if entry.id in entries:
            raise SpecError(
                f"{entry.id!r} stands twice",
                file=path.name,
                where=where,
                remedy="keep one of the two entries",
            )
        entries[entry.id] = entry
    return entries


@functools.cache
def quantities(path: Path = _HERE / "quantities.yaml") -> Mapping[str, Quantity]:
    """All quantities by id.

    Raises:
        SpecError: An entry is faulty or an id stands twice.
    """
    return _load(path, Quantity)


@functools.cache
def methods(path: Path = _HERE / "methods.yaml") -> Mapping[str, Method]:
    """All methods by id.

    Raises:
        SpecError: An entry is faulty or an id stands twice.
    """
    return _load(path, Method)


def _pick(entries: Mapping[str, _Entry], id_: str, what: str, file: str) -> _Entry:
    if id_ not in entries:
        raise SpecError(
            f"no {what} {id_!r}",
            file=file,
            remedy=f"add it there, or use one of: {', '.join(sorted(entries))}",
        )
    return entries[id_]


def quantity(id_: str) -> Quantity:
    """The quantity of that id.

    Raises:
        SpecError: There is none; the message lists those available.
    """
    return _pick(quantities(), id_, "quantity", "quantities.yaml")


def method(id_: str) -> Method:
    """The method of that id.

    Raises:
        SpecError: There is none; the message lists those available.
    """
    return _pick(methods(), id_, "method", "methods.yaml")
