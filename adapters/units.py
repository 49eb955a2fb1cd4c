"""Units of soil data and the conversions between them.

Belongs here: reading the registry (`soil_units.txt`), the list of units that a specification may
write (`units.csv`) and the chemistry behind moles of charge and oxides (`analytes.yaml`), and
deriving a conversion from them by pint.
Never here: a typed factor, a pedotransfer (organic matter to organic carbon), native names.

A unit is written with its basis, because `percent` alone does not say of what. A form other than
the analyte itself is named after the unit: `percent as P2O5`.
"""

import csv
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pint
import polars as pl
import yaml

from adapters.errors import UnitError

_HERE = Path(__file__).parent
_DEFINITIONS = _HERE / "soil_units.txt"

Transform = Literal["power_of_ten", "log10"]

PACKED = {"permyriad": "percent"}
"""Units that numbers have only as they are stored, and what they are in once unpacked. A file that
declares the scale itself is unpacked when it is read: that unit would then scale it twice."""


@dataclass(frozen=True)
class Unit:
    """One line of `units.csv`: what may be written, and what it means."""

    unit: str
    basis: str | None
    definition: str
    words: str

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class Conversion:
    """`value * scale + offset`, after the transform if there is one.

    Attributes:
        scale: Factor, derived from the two units.
        offset: Added last, in the target unit.
        transform: `power_of_ten` (pF to suction) or `log10` (suction to pF); applied first.
        source: What is converted from, in words.
        target: What is converted to, in words.
    """

    scale: float
    offset: float
    transform: Transform | None
    source: str
    target: str

    @property
    def is_identity(self) -> bool:
        """Does it change no value?"""
        return self.scale == 1.0 and self.offset == 0.0 and self.transform is None

    def expr(self, values: pl.Expr) -> pl.Expr:
        """Apply to a polars expression.

        A suction of zero or below has no pF: it becomes NULL, which the caller flags.
        """
        if self.transform == "power_of_ten":
            values = (values.cast(pl.Float64) * math.log(10)).exp()
        elif self.transform == "log10":
            values = pl.when(values > 0).then(values.cast(pl.Float64).log(10))
        if self.scale != 1.0:
            values = values * self.scale
        return values + self.offset if self.offset != 0.0 else values

    def array(self, values: np.ndarray) -> np.ndarray:
        """Apply to an array of any shape; a suction of zero or below becomes NaN.

        The result is float64; the input is not changed.
        """
        out = np.asarray(values, dtype=np.float64)
        if self.transform == "power_of_ten":
            out = np.power(10.0, out)
        elif self.transform == "log10":
            out = np.log10(out, where=out > 0, out=np.full(out.shape, np.nan))
        return out * self.scale + self.offset

    def describe(self) -> str:
        """The conversion in words, for people."""
        if self.is_identity:
            return f"{self.source} to {self.target}: as it is"
        value = {"power_of_ten": "10^x", "log10": "log10(x)", None: "x"}[self.transform]
        if self.scale != 1.0:
            value += f" * {self.scale:.10g}"
        if self.offset != 0.0:
            value += f" {'+' if self.offset > 0 else '-'} {abs(self.offset):.10g}"
        return f"{self.source} to {self.target}: {value}"


@dataclass(frozen=True)
class _Analyte:
    symbol: str
    weight: float
    valence: int | None
    atoms: Mapping[str, int]


def registry_definitions() -> str:
    """The registry in pint's definition language, as published beside the data."""
    return _DEFINITIONS.read_text(encoding="utf-8")


@functools.cache
def _registry() -> pint.UnitRegistry:
    return pint.UnitRegistry(_DEFINITIONS)


@functools.cache
def units() -> Mapping[tuple[str, str | None], Unit]:
    """Every unit that a specification may write, by (unit, basis).

    Raises:
        UnitError: `units.csv` holds a pair twice.
    """
    listed: dict[tuple[str, str | None], Unit] = {}
    with (_HERE / "units.csv").open(encoding="utf-8", newline="") as handle:
        for number, row in enumerate(csv.DictReader(handle), start=2):
            unit = Unit(row["unit"], row["basis"] or None, row["definition"], row["words"])
            if (unit.unit, unit.basis) in listed:
                raise UnitError(
                    f"{unit.unit!r} with basis {unit.basis!r} stands twice",
                    file="units.csv",
                    where=f"line {number}",
                    remedy="keep one of the two lines",
                )
            listed[unit.unit, unit.basis] = unit
    return listed


@functools.cache
def _analytes() -> Mapping[str, _Analyte]:
    raw = yaml.safe_load((_HERE / "analytes.yaml").read_text(encoding="utf-8"))
    found = {
        symbol: _Analyte(symbol, entry["weight"], entry.get("valence"), {symbol: 1})
        for symbol, entry in raw["elements"].items()
    }
    for formula, atoms in raw["compounds"].items():
        weight = sum(found[symbol].weight * count for symbol, count in atoms.items())
        found[formula] = _Analyte(formula, weight, None, atoms)
    return found


def _analyte(symbol: str) -> _Analyte:
    if symbol not in _analytes():
        raise UnitError(
            f"no analyte {symbol!r}",
            file="analytes.yaml",
            remedy=f"add it there, or use one of: {', '.join(_analytes())}",
        )
    return _analytes()[symbol]


def other_forms(analyte: str | None) -> list[str]:
    """Compounds that an element is also reported as: P2O5 for P."""
    found = _analytes()
    if analyte not in found:
        return []
    return [f for f, known in found.items() if f != analyte and analyte in known.atoms]


def other_valence(analyte: str | None, valence: int, basis: str | None) -> float | None:
    """What charges that were counted with a wrong number an ion are to be multiplied by.

    Returns:
        None where nothing is counted in charges, the analyte is no one ion, or the number is right.
    """
    known = _analytes().get(analyte or "")
    if basis != "charge" or known is None or known.valence in (None, valence):
        return None
    return known.valence / valence


def parse(unit: str, basis: str | None) -> tuple[Unit, str | None]:
    """Look a unit up in the list.

    Args:
        unit: As a specification writes it, such as `g/kg` or `percent as P2O5`.
        basis: What it is counted on (mass, volume, area, count, charge); None where it has none.

    Returns:
        The unit, and the form it counts (`P2O5`) or None.

    Raises:
        UnitError: The unit is not in the list, or has no such basis, or lacks one.
    """
    name, _, form = unit.partition(" as ")
    if found := units().get((name, basis)):
        return found, form or None
    bases = [key[1] for key in units() if key[0] == name]
    if not bases:
        raise UnitError(
            f"{name!r} is not a unit that soilmeld knows",
            samples=[unit],
            remedy="write one of: " + ", ".join(dict.fromkeys(u for u, _ in units())),
        )
    if basis is None:
        raise UnitError(
            f"{name!r} does not say what it is counted on",
            samples=[unit],
            remedy=f"give the basis: {' or '.join(b for b in bases if b)}",
        )
    known = " or ".join(b for b in bases if b)
    raise UnitError(
        f"{name!r} has no basis {basis!r}",
        samples=[f"{unit}, {basis}"],
        remedy=f"give the basis: {known}" if known else "leave the basis empty",
    )


def _element_share(form: str, analyte: str) -> float:
    """Grams of the analyte in one gram of the form, from stoichiometry."""
    whole, part = _analyte(form), _analyte(analyte)
    shared = set(part.atoms) & set(whole.atoms) - {"O", "H"}
    pivot = min(shared) if shared else None
    if pivot is None:
        raise UnitError(
            f"{form} does not hold {analyte}",
            remedy=f"name a form of {analyte} that analytes.yaml lists",
        )
    return part.weight / part.atoms[pivot] * whole.atoms[pivot] / whole.weight


def _of_analyte(unit: Unit, form: str | None, analyte: str | None) -> pint.Quantity:
    """One of the unit, counted as grams of the analyte where the unit names a form."""
    one = _registry().Quantity(1, "dimensionless") * _registry().parse_expression(unit.definition)
    if form is None or form == analyte:
        return one
    if analyte is None:
        raise UnitError(
            f"{unit.unit!r} as {form} needs an analyte",
            remedy="give the quantity its analyte in quantities.yaml",
        )
    if "[mass]" not in one.dimensionality:
        raise UnitError(
            f"{unit} cannot count {form}: it is no mass", remedy="drop the form from the unit"
        )
    return one * _element_share(form, analyte)


def _bridge(
    one: pint.Quantity, target: pint.Quantity, analyte: str | None
) -> tuple[pint.Quantity, str | None]:
    """Bring mass, amount or charge of an ion to what the target counts."""
    amounts = ("[mass]", "[charge]", "[substance]")
    has, wants = (
        next((a for a in amounts if q.dimensionality.get(a) == 1), None) for q in (one, target)
    )
    if has == wants or not has or not wants:
        return one, None
    if analyte is None:
        return one, "the quantity has no analyte to convert through: give one in quantities.yaml"
    ion, registry = _analyte(analyte), _registry()
    if "[charge]" in (has, wants) and ion.valence is None:
        return one, f"{analyte} has no valence in analytes.yaml"
    per_mole = {
        "[mass]": registry.Quantity(ion.weight, "gram / mole"),
        "[substance]": registry.Quantity(1.0, "mole / mole"),
        "[charge]": registry.Quantity(float(ion.valence or 0), "mole_of_charge / mole"),
    }
    return one / per_mole[has] * per_mole[wants], None


def _scale_offset(source: Unit, target: Unit) -> tuple[float, float]:
    """Two points of an affine scale such as degrees Celsius define it."""
    registry = _registry()
    low, high = (
        registry.Quantity(x, source.definition).to(target.definition).magnitude for x in (0.0, 1.0)
    )
    # 273.15 + 1 - 273.15 is 1 only to the last digits.
    delta = float(f"{high - low:.12g}")
    return delta, low


_OFFSET_UNITS = ("degree_Celsius", "degree_Fahrenheit", "kelvin")
_PF = "pF_unit"


@functools.cache
def conversion(
    unit: str,
    basis: str | None,
    to_unit: str,
    to_basis: str | None,
    analyte: str | None = None,
) -> Conversion:
    """Derive how values of one unit become values of another.

    Args:
        unit: Native unit, such as `mg/kg` or `percent as P2O5`.
        basis: Native basis, None where the unit has none.
        to_unit: Target unit.
        to_basis: Target basis.
        analyte: What is measured (`K`, `P`, `CaCO3`); needed for moles of charge and for forms.

    Raises:
        UnitError: A unit does not parse or lacks its basis, or the two do not measure the same.
    """
    (source, form), (target, to_form) = parse(unit, basis), parse(to_unit, to_basis)
    words = (
        f"{source} as {form}" if form else str(source),
        f"{target} as {to_form}" if to_form else str(target),
    )
    if source.definition == target.definition and form == to_form:
        return Conversion(1.0, 0.0, None, *words)
    if source.definition == _PF or target.definition == _PF:
        return _suction(source, target, words)
    on_scale = [u.definition in _OFFSET_UNITS for u in (source, target)]
    if all(on_scale):
        return Conversion(*_scale_offset(source, target), None, *words)
    if any(on_scale):
        raise _refusal(source, target, "a temperature is no temperature difference")
    one, goal = _of_analyte(source, form, analyte), _of_analyte(target, to_form, analyte)
    one, reason = _bridge(one, goal, analyte)
    if one.dimensionality != goal.dimensionality:
        raise _refusal(source, target, reason)
    # 12 significant digits: what is left of binary rounding must not reach a table.
    scale = float(f"{(one / goal).to_base_units().magnitude:.12g}")
    return Conversion(scale, 0.0, None, *words)


def _suction(source: Unit, target: Unit, words: tuple[str, str]) -> Conversion:
    """Suction by pF, the decimal logarithm of cm of water (Schofield 1935)."""
    other = target if source.definition == _PF else source
    registry = _registry()
    asked = registry.parse_expression(other.definition)
    for head in ("centimetre", "centimetre_of_water"):
        one_head = registry.Quantity(1.0, head)
        if one_head.dimensionality == asked.dimensionality:
            per_cm = float(f"{(one_head / asked).to_base_units().magnitude:.12g}")
            if other is target:
                return Conversion(per_cm, 0.0, "power_of_ten", *words)
            return Conversion(1.0, -math.log10(per_cm) + 0.0, "log10", *words)
    raise _refusal(source, target, "pF converts to a suction in cm, cm_water, kPa or bar alone")


def _refusal(source: Unit, target: Unit, reason: str | None) -> UnitError:
    return UnitError(
        f"{source} does not convert to {target}: they do not measure the same",
        samples=[source.unit, target.unit],
        remedy=reason or "correct the unit, the basis or the quantity of the column",
    )
