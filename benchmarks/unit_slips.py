"""How often the detector of unit slips is wrong, measured on the tiny twin.

Every numeric column of every source is compared with the pool of the others: what is named is a
false alarm. Then each column is multiplied, and what is named is a detection.
"""

import dataclasses
import tempfile
from pathlib import Path

from adapters import twin
from adapters.archive import ingest
from adapters.quantities import quantity
from adapters.settings import Settings
from adapters.spec import load_spec
from adapters.standardise import Standard, standardise
from expectations.slips import Distribution, distributions, likely_slip

FACTORS = (10, 0.1, 100, 1000, 0.001, 2.2914, 2, 1.724)


def standards(root: Path) -> dict[str, Standard]:
    """Every part of every source of the tiny twin."""
    settings = Settings(data_root=root / "data", truth_root=root / "truth")
    twin.write(settings, size="tiny")
    found = {}
    for source in twin.SOURCES:
        spec = load_spec(source)
        whole = standardise(spec, ingest(spec, settings), settings)
        found |= {piece.spec.id: piece for piece in whole.pieces}
    return found


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        made = standards(Path(folder))
        root = Path(folder) / "data"
        pool = [d for standard in made.values() for d in distributions(standard, root)]

    def named(own: Distribution) -> tuple[str, str] | None:
        standard = made[own.source]
        record = next(r for r in standard.columns if r.name == own.column)
        return likely_slip(standard, record, own, pool)

    compared = [
        d
        for d in pool
        if (quantity(d.quantity).typical and d.axis is None)
        or any((o.quantity, o.axis) == (d.quantity, d.axis) and o.source != d.source for o in pool)
    ]
    alarms = [(d, slip) for d in compared if (slip := named(d))]
    print(f"{len(pool)} columns, {len(compared)} of them compared; {len(alarms)} false alarms")
    for own, (likely, evidence) in alarms:
        print(f"  {own.source}.{own.column}: {likely} ({evidence})")
    scaled = [d for d in compared if d.quantiles[1] > 0]
    for factor in FACTORS:
        moved = [
            dataclasses.replace(d, quantiles=tuple(q * factor for q in d.quantiles)) for d in scaled
        ]
        found = sum(named(d) is not None for d in moved)
        print(f"x {factor:g}: {found} of {len(moved)} named ({found / len(moved):.0%})")


if __name__ == "__main__":
    main()
