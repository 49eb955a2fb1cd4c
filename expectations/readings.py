"""In which other units the numbers of a column may be.

Belongs here: the slips that laboratories and exports make, as readings of a column's numbers.
Never here: which of them is likely (`slips`), conversion factors (they follow from units and
analytes).
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from adapters.errors import UnitError
from adapters.quantities import Quantity, quantity
from adapters.units import Conversion, conversion, other_forms, other_valence, units

if TYPE_CHECKING:
    from adapters.columns import ColumnRecord
    from adapters.standardise import Standard

# Not on a ratio scale: their differences tell, not their ratios.
_LINEAR_UNITS = ("pH", "pF", "degC", "K", "degF")


@dataclass(frozen=True)
class Slip:
    """A reading of the numbers that would explain them.

    Attributes:
        words: What they seem to be.
        apply: Values as standardised -> values if the numbers are that.
        spread: How many times the spread of the pool, or less, the values must have then.
    """

    words: str
    apply: Callable[[np.ndarray], np.ndarray]
    spread: float = 2.5


def readings(standard: "Standard", record: "ColumnRecord") -> list[Slip]:
    """Readings of a column that laboratories and exports confuse with the declared one."""
    said, listed = quantity(str(record.quantity)), _listed()
    by = Conversion(record.scale, record.offset, record.transform, "", "")
    found: list[Slip] = []
    basis = standard.spec.column(record.name).basis
    declared = (str(record.native_unit), basis)
    seen = {(by.scale, by.offset, by.transform)}
    for name in listed["units"]:
        for unit_basis in (key[1] for key in units() if key[0] == name):
            found += _as_unit(by, name, unit_basis, said, seen)
    for form in other_forms(said.analyte):
        for name, unit_basis in (declared, (str(said.unit), said.basis)):
            bare = name.partition(" as ")[0]
            found += _as_unit(by, f"{bare} as {form}", unit_basis, said, seen)
    for valence in listed["valences"]:
        if factor := other_valence(said.analyte, valence, said.basis):
            words = f"counted with {valence} charges an ion of {said.analyte}"
            found.append(Slip(words, functools.partial(_times, factor=factor)))
    for entry in listed["matter"]:
        if entry["quantity"] == said.id:
            apply = functools.partial(_times, factor=1 / entry["times"])
            found.append(Slip(f"{entry['words']} instead of {said.title.lower()}", apply))
    for factor in listed["stored_times"]:
        found.append(Slip(f"values times {factor}", functools.partial(_times, factor=1 / factor)))
    if record.transform is None and scale_of(said) == "log":
        for name in listed["logarithms"]:
            # A power can bring any median anywhere: only a spread like that of the pool tells.
            apply = functools.partial(_power, by=by, of=name)
            found.append(Slip(f"{name} of the values", apply, spread=1.25))
    return found


def scale_of(said: Quantity) -> str:
    """`linear` where differences tell, `log` where ratios do."""
    return "linear" if str(said.unit) in _LINEAR_UNITS else "log"


@functools.cache
def _listed() -> dict[str, Any]:
    path = Path(__file__).parent / "slips.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _as_unit(
    by: Conversion,
    name: str,
    basis: str | None,
    said: Quantity,
    seen: set[tuple[float, float, str | None]],
) -> list[Slip]:
    """The numbers of the file read in another unit; none where it measures something else.

    A unit that converts as one of those `seen` tells nothing new.
    """
    other = _read_in(name, basis, said)
    if other is None:
        return []
    way = (other.scale, other.offset, other.transform)
    if way in seen:
        return []
    seen.add(way)
    return [Slip(name, functools.partial(_reread, by=by, other=other))]


@functools.cache
def _read_in(name: str, basis: str | None, said: Quantity) -> Conversion | None:
    """From a unit to that of a quantity; kept, for most units measure something else."""
    try:
        return conversion(name, basis, str(said.unit), said.basis, said.analyte)
    except UnitError:
        return None


def _reread(values: np.ndarray, by: Conversion, other: Conversion) -> np.ndarray:
    return other.array(_native(values, by))


def _native(values: np.ndarray, by: Conversion) -> np.ndarray:
    """The numbers that a conversion has made these values of."""
    native = (values - by.offset) / by.scale
    if by.transform == "power_of_ten":
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log10(native)
    return np.power(10.0, native) if by.transform == "log10" else native


def _times(values: np.ndarray, factor: float) -> np.ndarray:
    return values * factor


def _power(values: np.ndarray, by: Conversion, of: str) -> np.ndarray:
    native = _native(values, by)
    with np.errstate(over="ignore"):
        return by.array(np.power(10.0, native) if of == "log10" else np.exp(native))
