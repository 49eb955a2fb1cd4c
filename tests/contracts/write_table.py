"""Write docs/contracts.md: what becomes of each mutation of each source (`make contracts`)."""

import tempfile
import time
from pathlib import Path

from contract import Cell, good, tried
from mutations import MUTATIONS
from test_contracts import DOCS, foreign

from adapters import twin
from adapters.settings import Settings

FIRST = ("seen", "partly", "unseen")
HEAD = """# What is refused, and what is flagged

Every source's tiny sample passes its checks. Then it is made wrong in fourteen ways, each of
which must be seen: *refused* (an error, or an expectation that blocks: the version in use stays),
*flagged* (the values are taken out and flagged, and the rest passes) or *warned* (an expectation
that does not block). `-` stands where a way does not apply to the source. The good sample is the
last version that the mutated one is compared with. Of mutations of numbers and codes, each column
has to be seen, and the cell holds the least of their verdicts.

Mutations are applied to cells and pixels as the reader yields them, so that one serves every
format; a raster that is cut short and a file of another source are real bytes. Sources with
arrays of layers are tried with the first layer, and without their spectra. The table is written
by `make contracts`.

"""


def table(rows: dict[str, dict[str, Cell]]) -> str:
    """The table and its legend."""
    names = [m.name for m in MUTATIONS]
    lines = [f"| source | {' | '.join(names)} |", "|" + "---|" * (len(names) + 1)]
    for source, cells in rows.items():
        lines.append(f"| `{source}` | {' | '.join(cells[n].verdict for n in names)} |")
    lines += ["", *(f"* **{m.name}**: {m.about}" for m in MUTATIONS)]
    lines += ["", *at_first(rows), "", "## Why `-`", ""]
    reasons: dict[tuple[str, str], list[str]] = {}
    for source, cells in rows.items():
        for name, cell in cells.items():
            if cell.verdict == "-":
                reasons.setdefault((name, cell.why), []).append(source)
    for (name, why), sources in sorted(reasons.items()):
        lines.append(f"* **{name}**, {why}: {len(sources)} sources")
    return "\n".join(lines) + "\n"


def at_first(rows: dict[str, dict[str, Cell]]) -> list[str]:
    """How much is seen of each mutation where there is no last version."""
    lines = [
        "## Without a last version",
        "",
        "A first download has none. Then a mutation is seen by errors, by flags, and by the "
        "published values of its quantity; what expectations that compare nothing add is not "
        "counted. A number within its plausible range, and a file cut between two rows, look like "
        "any other.",
        "",
        "| mutation | applies | all seen | some columns or tables | nothing | sources |",
        "|---|---|---|---|---|---|",
    ]
    for mutation in MUTATIONS:
        cells = {s: c[mutation.name] for s, c in rows.items() if c[mutation.name].verdict != "-"}
        found = {f: [s for s, c in cells.items() if c.first == f] for f in FIRST}
        counts = " | ".join(str(len(found[f])) for f in FIRST)
        unseen = ", ".join(f"`{s}`" for s in found["unseen"])
        lines.append(f"| {mutation.name} | {len(cells)} | {counts} | {unseen} |")
    return lines


def main() -> None:
    """Try all and write the table."""
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        settings = Settings(data_root=root / "data", truth_root=root / "truth")
        # In one world: what its sources share is computed once.
        twin.write(settings, size="tiny")
        goods = {s: good(s, settings) for s in twin.SOURCES}
        rows = {}
        for source, made in goods.items():
            rows[source] = tried(made, foreign(source, goods.__getitem__))
    for source, cells in rows.items():
        for name, cell in cells.items():
            if cell.verdict == "unseen":
                print(f"unseen: {source} {name}: {cell.why}")
    DOCS.write_text(HEAD + table(rows), encoding="utf-8")
    print(f"{DOCS}: {len(rows)} sources, {time.process_time() - started:.0f} s of processor time")


if __name__ == "__main__":
    main()
