"""Every source refuses or flags each way in which its file may be wrong; the good sample passes.

The whole takes over a minute; `make test` tries a sample of the sources, of every kind of file.
"""

import functools
import re
from pathlib import Path

import pytest
from contract import Cell, Good, first_file, good, tried
from mutations import MUTATIONS

from adapters import twin
from adapters.archive import of_tables
from adapters.settings import Settings
from adapters.spec import load_spec
from expectations.engine import validate

DOCS = Path(__file__).parents[2] / "docs" / "contracts.md"
# Text tables that are joined and packed; polygons; one band; layers and rows; a workbook.
SAMPLED = ("priming_effects", "esdb_v2_vector", "zinc_topsoils", "gloreda", "soil_ghg_daycent")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("contracts")
    return Settings(data_root=folder / "data", truth_root=folder / "truth")


@pytest.fixture(scope="module")
def sample(settings: Settings):
    @functools.cache
    def of(source: str) -> Good:
        return good(source, settings)

    return of


def foreign(source: str, sample) -> Good | None:
    """The sample of another source that has a file of the format of this one's first file."""
    wanted = Path(first_file(sample(source))).suffix.lower()
    after = [s for s in twin.SOURCES if s > source] + [s for s in twin.SOURCES if s < source]
    for other in after:
        patterns = [p for t in load_spec(other).tables.values() for p in t.files]
        if any(Path(p).suffix.lower() in (wanted, ".*", "") for p in patterns):
            made = sample(other)
            if first_file(made, wanted) is not None:
                return made
    return None


def row(source: str, sample) -> dict[str, Cell]:
    return tried(sample(source), foreign(source, sample))


def unseen(cells: dict[str, Cell]) -> dict[str, str]:
    return {name: cell.why for name, cell in cells.items() if cell.verdict == "unseen"}


@pytest.mark.parametrize("source", SAMPLED)
def test_the_good_sample_passes_and_no_mutation_does(source: str, sample) -> None:
    for standard in sample(source).standards.values():
        assert validate(standard, sample(source).last(standard.spec.id)).refusals == []
    cells = row(source, sample)
    assert cells.keys() == {m.name for m in MUTATIONS}
    assert unseen(cells) == {}
    assert all(cell.why for cell in cells.values() if cell.verdict == "-")


@pytest.mark.long
def test_every_source_and_the_table_in_the_documentation(sample, settings: Settings) -> None:
    # In one world: what its sources share is computed once.
    twin.write(settings, size="tiny")
    table = {source: row(source, sample) for source in twin.SOURCES}
    assert {s: missed for s, cells in table.items() if (missed := unseen(cells))} == {}
    written = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", DOCS.read_text("utf-8"), re.MULTILINE))
    verdicts = {s: " | ".join(c.verdict for c in cells.values()) for s, cells in table.items()}
    assert written == verdicts, "run `make contracts`"


def test_every_source_that_the_twin_writes_has_a_row() -> None:
    written = re.findall(r"^\| `(\w+)` \|", DOCS.read_text("utf-8"), re.MULTILINE)
    assert written == list(twin.SOURCES), "run `make contracts`"


def test_a_mutation_that_changes_nothing_is_unseen(sample, monkeypatch) -> None:
    import contract

    same = [
        contract.Mutation(m.name, m.about, m.table and (lambda *given: given[2]), None, m.each)
        for m in MUTATIONS
        if m.name in ("x10", "truncated")
    ]
    monkeypatch.setattr(contract, "MUTATIONS", same)
    assert {c.verdict for c in tried(sample("priming_effects"), None).values()} == {"unseen"}


def test_a_file_belongs_to_its_source(sample) -> None:
    made = sample("zinc_topsoils")
    assert of_tables(made.spec, [f.name for f in made.raw.files]) == [
        f.name for f in made.raw.files
    ]
