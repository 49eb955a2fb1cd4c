"""The 68 sources against the catalogue: nothing is left out, nothing claimed beyond it.

`tests/data/catalogue_68.csv` has one row a variable: the header or layer as public material names
it (free text where none was seen), its unit, and whether header and unit were seen (`verified`) or
are general knowledge (`assumed`). `catalogue_68_sources.csv` has one row a source: how many faults
of its files are known, its DOI, and whether that was seen.
"""

import csv
import functools
import re
from collections import defaultdict
from pathlib import Path, PurePosixPath

import pytest

from adapters.spec import SOURCES_DIR, Column, SourceSpec, load_spec, source_ids

_DATA = Path(__file__).parents[1] / "data"
# Unit of the catalogue -> units that a specification writes for the same thing: pH, shares and
# ratios are pure numbers in the catalogue; percent times 100 is there a percent with a factor; a
# range of temperatures is no temperature; of an ion of one charge these two are the same.
_SAME_UNIT = {
    "dimensionless": {"1", "pH", "fraction"},
    "percent": {"percent_relative", "permyriad"},
    "degC": {"delta_degC"},
    "cmol/kg": {"meq/100g"},
}


def _rows(name: str) -> list[dict[str, str]]:
    with (_DATA / name).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


CATALOGUE = {row["source"]: row for row in _rows("catalogue_68_sources.csv")}
VARIABLES: dict[str, list[dict[str, str]]] = defaultdict(list)
for _row in _rows("catalogue_68.csv"):
    VARIABLES[_row["source"]].append(_row)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


@functools.cache
def _named(source: str) -> tuple[tuple[Column, frozenset[str]], ...]:
    """Columns, and all that each goes by: canonical name, headers, files without their suffix.

    Headers of an array are named by the first and the last, as in `400 ... 2499.5`.
    """
    named = []
    for column in load_spec(source).columns:
        natives = column.natives
        files = [PurePosixPath(n.partition("#")[0].rstrip("/")).stem for n in natives]
        ends = f"{natives[0]} ... {natives[-1]}"
        names = (column.name, *natives, *column.aliases, *files, ends)
        named.append((column, frozenset(map(_plain, names))))
    return tuple(named)


def _columns(source: str, variable: dict[str, str]) -> list[Column]:
    """Columns that stand for a variable."""
    wanted = {_plain(variable["variable"]), _plain(variable["native"])}
    return [column for column, names in _named(source) if wanted & names]


def _said(source: str) -> list[tuple[dict[str, str], list[Column]]]:
    return [(v, found) for v in VARIABLES[source] if (found := _columns(source, v))]


def test_every_source_of_the_catalogue_has_a_folder_and_a_twin() -> None:
    assert len(CATALOGUE) == 68
    own = {s for s in source_ids() if not load_spec(s).auxiliary}
    assert sorted(set(CATALOGUE) ^ own) == []
    assert [s for s in CATALOGUE if not (SOURCES_DIR / s / "twin.py").is_file()] == []


@pytest.mark.parametrize("source", CATALOGUE)
def test_every_variable_is_read(source: str) -> None:
    assert [v["variable"] for v in VARIABLES[source] if not _columns(source, v)] == []


def test_a_variable_that_no_column_stands_for_is_found_out() -> None:
    unread = {"variable": "fame_archaea", "native": "archaeal FAME"}
    assert _columns("fame_biomass", unread) == []
    assert _columns("fame_biomass", unread | {"native": "Fungal  FAME"}) != []


@pytest.mark.parametrize("source", CATALOGUE)
def test_vectors_have_all_their_elements(source: str) -> None:
    for variable, found in _said(source):
        if variable["elements"] and found[0].native != "*":
            family = [
                c
                for c in load_spec(source).columns
                if c in found or c.name.startswith(f"{variable['variable']}_")
            ]
            elements = sum(len(c.natives) for c in {c.name: c for c in family}.values())
            assert elements >= int(variable["elements"]), variable["variable"]


@pytest.mark.parametrize("source", CATALOGUE)
def test_numbers_are_numbers_in_the_unit_of_the_catalogue(source: str) -> None:
    for variable, found in _said(source):
        name, unit = variable["variable"], variable["unit"]
        # Codes in an array are numbers: arrays hold nothing else.
        if variable["kind"] == "numeric" or not variable["elements"]:
            kinds = {c.kind == "numeric" for c in found}
            assert kinds == {variable["kind"] == "numeric"}, name
        if unit:
            written = {str(c.unit).partition(" as ")[0] for c in found}
            assert written & {unit, *_SAME_UNIT.get(unit, ())}, (name, unit, written)


@pytest.mark.parametrize("source", CATALOGUE)
def test_detection_limits_are_those_published(source: str) -> None:
    for variable, found in _said(source):
        if variable["detection_limit"]:
            limits = {c.detection_limit for c in found}
            assert limits == {float(variable["detection_limit"])}, variable["variable"]


@pytest.mark.parametrize("source", CATALOGUE)
def test_what_nobody_saw_is_not_called_verified(source: str) -> None:
    claimed = [
        variable["variable"]
        for variable, found in _said(source)
        if (variable["evidence"] == "assumed" and any(c.evidence == "verified" for c in found))
        or (
            variable["unit_evidence"] == "assumed"
            and any(c.unit_evidence == "verified" for c in found)
        )
    ]
    assert claimed == []


# Sentences of quirks that call all names of the layers, or of the columns, of a source assumed.
_ALL = (
    r"(File names|The file name|The name of the file (is|and)|Names of (the )?files( are|,| and)|"
    r"the files are called so)"
)
_ALL_LAYERS = re.compile(rf"{_ALL}\b.*\bassumed")
_ALL_COLUMNS = re.compile(r"([Nn]ames of files and columns|^Headers and the name)\b.*\bassumed")
_BUT = re.compile(r"\b(seen|all but|other|those)\b")


def _contradictions(spec: SourceSpec) -> list[str]:
    """Columns called verified whose names a quirk calls assumed."""
    found = []
    for quirk in spec.quirks:
        for pattern, of_layers in ((_ALL_LAYERS, True), (_ALL_COLUMNS, False)):
            told = pattern.search(quirk)
            if told is None or _BUT.search(told.group()):
                continue
            found += [
                c.name
                for c in spec.columns
                if c.evidence == "verified"
                and (spec.tables[c.table].read.reader in ("raster", "netcdf")) == of_layers
            ]
    return found


@pytest.mark.parametrize("source", source_ids())
def test_names_that_a_quirk_calls_assumed_are_assumed(source: str) -> None:
    assert _contradictions(load_spec(source)) == []


@pytest.mark.parametrize(
    ("source", "column"),
    [
        ("zinc_topsoils", "zinc"),
        ("heavy_metals_lucas2009_maps", "hm_arsenic"),
        ("biodiversity_erosion_factor", "et_factor_a"),
        ("predicted_soc_lucas_biosoil_czo", "soc_point"),
        ("fame_biomass", "fame_bacteria"),
    ],
)
def test_a_name_called_assumed_and_verified_at_once_is_found_out(source: str, column: str) -> None:
    spec = load_spec(source)
    columns = [
        c.model_copy(update={"evidence": "verified"}) if c.name == column else c
        for c in spec.columns
    ]
    claimed = spec.model_copy(update={"columns": tuple(columns)})
    assert column in _contradictions(claimed)


def test_a_column_is_verified_only_where_all_of_its_files_were_seen() -> None:
    # Four of the twelve months were.
    assert load_spec("r_factor").column("rainfall_erosivity_monthly").evidence == "assumed"


@pytest.mark.parametrize("source", CATALOGUE)
def test_every_known_fault_stands_in_the_folder(source: str) -> None:
    spec = load_spec(source)
    assert len(spec.quirks) >= int(CATALOGUE[source]["quirks"])
    assert (spec.origin.doi or "").casefold() == CATALOGUE[source]["doi"].casefold()
    assert not spec.origin.licence.redistribute


@pytest.mark.parametrize("source", CATALOGUE)
def test_references_say_whether_they_were_seen(source: str) -> None:
    origin = load_spec(source).origin
    assert (origin.doi_evidence or "") == CATALOGUE[source]["doi_evidence"]
    assert origin.citation_evidence
    told = " ".join([*load_spec(source).quirks, origin.licence.note or ""])
    assert "DOI is from general knowledge" not in told


@pytest.mark.parametrize("source", source_ids())
def test_every_survey_and_bridge_that_a_source_names_exists(source: str) -> None:
    surveys = {s.sample.survey for s in map(load_spec, source_ids()) if s.sample}
    for piece in load_spec(source).pieces:
        assert piece.fuse.survey in {None, *surveys}
        for theirs in piece.fuse.key.values():
            bridge, _, column = theirs.partition(".")
            if column:
                assert load_spec(bridge).sample
                assert load_spec(bridge).column(column)
