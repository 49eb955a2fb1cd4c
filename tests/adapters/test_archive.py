import json
from pathlib import Path

import pytest

from adapters import archive
from adapters.errors import ArchiveError
from adapters.quarantine import quarantined
from adapters.settings import Settings
from adapters.spec import SourceSpec
from tests.good_standard import good_spec


@pytest.fixture
def spec(tmp_path: Path) -> SourceSpec:
    made = good_spec(tmp_path / "sources" / "pits")
    table = made.tables["horizons"].model_copy(update={"files": ("horizons*.csv",)})
    return made.model_copy(update={"tables": {"horizons": table}})


def put(
    spec: SourceSpec,
    settings: Settings,
    text: str | bytes = "A,B\n1,2\n",
    name: str = "horizons.csv",
) -> Path:
    path = settings.raw / spec.id / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def sign(spec: SourceSpec, settings: Settings, *paths: Path) -> None:
    files = {p.name: archive._sha256(p) for p in paths}
    origin = settings.raw / spec.id / archive.ORIGIN_FILE
    origin.write_text(json.dumps({"origin": "synthetic", "files": files}))


def test_an_empty_inbox_is_no_version(spec: SourceSpec, settings: Settings) -> None:
    assert archive.ingest(spec, settings) is None


def test_a_users_file_becomes_the_next_version_and_its_bytes_are_kept(
    spec: SourceSpec, settings: Settings
) -> None:
    path = put(spec, settings)
    raw = archive.ingest(spec, settings)
    assert raw is not None
    assert (raw.origin, raw.group) == ("user", "user")
    assert archive.active(spec, settings) is None
    path.unlink()
    assert (raw.open(settings) / "horizons.csv").read_text() == "A,B\n1,2\n"
    archive.activate(raw, settings)
    assert archive.active(spec, settings) == raw


def test_the_same_bytes_are_no_new_version(spec: SourceSpec, settings: Settings) -> None:
    path = put(spec, settings)
    first = archive.ingest(spec, settings)
    path.unlink()
    put(spec, settings)
    assert archive.ingest(spec, settings) == first
    assert len(list(settings.archive.glob("pits/*.lock.json"))) == 1


def test_other_bytes_are_a_new_version_and_the_old_one_stays_in_use(
    spec: SourceSpec, settings: Settings
) -> None:
    put(spec, settings)
    first = archive.ingest(spec, settings)
    archive.activate(first, settings)
    put(spec, settings, "A,B\n1,3\n")
    second = archive.ingest(spec, settings)
    assert second.version != first.version
    assert archive.active(spec, settings) == first
    assert archive.candidate(spec, settings) == second


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("horizons.csv", b"", "empty"),
        ("horizons.csv", b"\n<!DOCTYPE html><html>Please log in</html>", "web page"),
        ("horizons.csv", b"A,B\n1,\0\0", "binary"),
        ("horizons.tif", b"not a tiff", "not a .tif file"),
        ("horizons.xlsx", b"<html><body>login</body></html>", "web page"),
        ("horizons.xlsx", b"A,B\n1,2", "not a .xlsx file"),
        ("horizons.xlsx", b"PK\x03\x04 and then the line broke", "cut short"),
        ("horizons.tif", b"II*\0\x08\0\0\0", "cut short"),
    ],
)
def test_a_suspicious_file_is_quarantined_and_the_version_in_use_stays(
    spec: SourceSpec, settings: Settings, name: str, content: bytes, says: str
) -> None:
    table = spec.tables["horizons"].model_copy(update={"files": ("horizons.*",)})
    spec = spec.model_copy(update={"tables": {"horizons": table}})
    good = put(spec, settings)
    first = archive.ingest(spec, settings)
    archive.activate(first, settings)
    good.unlink()
    put(spec, settings, content, name)
    with pytest.raises(ArchiveError, match=says) as refused:
        archive.ingest(spec, settings)
    assert "pits" in str(refused.value)
    assert "remedy" in str(refused.value)
    assert archive.active(spec, settings) == first
    assert archive.candidate(spec, settings) == first
    (entry,) = quarantined(spec, settings)
    assert says in entry.reasons[0]
    assert entry.in_use == first.version


def test_a_missing_file_is_told_with_the_instructions(spec: SourceSpec, settings: Settings) -> None:
    put(spec, settings, name="holes.csv")
    with pytest.raises(ArchiveError) as refused:
        archive.ingest(spec, settings)
    assert "horizons*.csv" in str(refused.value)
    assert "holes.csv" in str(refused.value)
    assert spec.access.instructions in str(refused.value)


def test_the_twins_files_stay_apart_from_a_users(spec: SourceSpec, settings: Settings) -> None:
    mine = put(spec, settings)
    sign(spec, settings, mine)
    twin = archive.ingest(spec, settings)
    assert (twin.origin, twin.group) == ("synthetic", "synthetic")
    put(spec, settings, "A,B\n9,9\n", "horizons_real.csv")
    assert archive.ingest(spec, settings) == twin
    assert archive.waiting(spec, settings) == ["horizons_real.csv"]
    accepted = archive.accept_user(spec, settings)
    assert (accepted.origin, accepted.group) == ("user", "synthetic")
    assert [f.name for f in accepted.files] == ["horizons_real.csv"]
    assert archive.waiting(spec, settings) == []


def test_the_origin_is_what_the_origin_file_says(spec: SourceSpec, settings: Settings) -> None:
    sign(spec, settings, put(spec, settings))
    origin = settings.raw / spec.id / archive.ORIGIN_FILE
    origin.write_text(origin.read_text().replace("synthetic", "open"))
    version = archive.ingest(spec, settings)
    assert (version.origin, version.group) == ("open", "open")


def test_a_users_file_of_the_twins_name_waits_too(spec: SourceSpec, settings: Settings) -> None:
    mine = put(spec, settings)
    sign(spec, settings, mine)
    twin = archive.ingest(spec, settings)
    put(spec, settings, "A,B\n9,9\n")
    assert archive.ingest(spec, settings) == twin
    assert archive.accept_user(spec, settings).version != twin.version


def test_accepting_without_a_file_of_ones_own_is_refused(
    spec: SourceSpec, settings: Settings
) -> None:
    sign(spec, settings, put(spec, settings))
    with pytest.raises(ArchiveError, match="no file of yours waits"):
        archive.accept_user(spec, settings)


def test_killed_anywhere_the_next_run_ends_the_same(
    spec: SourceSpec, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every rename is a point where the process may die."""
    put(spec, settings)
    whole = archive.ingest(spec, settings)
    put(spec, settings, "A,B\n1,3\n")
    real, allowed, died = Path.replace, 0, 0
    while True:
        left = allowed

        def dying(self: Path, target: Path) -> Path:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return real(self, target)

        monkeypatch.setattr(Path, "replace", dying)
        try:
            done = archive.ingest(spec, settings)
        except KeyboardInterrupt:
            died, allowed = died + 1, allowed + 1
            monkeypatch.setattr(Path, "replace", real)
            assert archive.candidate(spec, settings) == whole
            continue
        break
    assert died >= 1
    assert archive.candidate(spec, settings) == done
    assert done.version != whole.version


def test_an_altered_object_is_noticed(spec: SourceSpec, settings: Settings) -> None:
    put(spec, settings)
    raw = archive.ingest(spec, settings)
    raw.files[0].path.write_bytes(b"")
    with pytest.raises(ArchiveError, match="altered"):
        raw.open(settings)


@pytest.mark.parametrize("said", ["{broken", "[]", '{"origin": "mine", "files": {}}', "{}"])
def test_a_damaged_origin_file_is_refused_with_its_remedy(
    spec: SourceSpec, settings: Settings, said: str
) -> None:
    path = put(spec, settings)
    path.with_name(archive.ORIGIN_FILE).write_text(said)
    with pytest.raises(ArchiveError, match="whose files these are") as caught:
        archive.ingest(spec, settings)
    assert "source pits, file .origin.json" in str(caught.value)
    assert "remove the file" in str(caught.value)


def test_the_data_root_can_be_moved(spec: SourceSpec, settings: Settings, tmp_path: Path) -> None:
    put(spec, settings)
    raw = archive.ingest(spec, settings)
    assert raw is not None
    raw.open(settings)
    moved = settings.model_copy(update={"data_root": tmp_path / "elsewhere"})
    settings.data_root.rename(moved.data_root)
    again = archive.candidate(spec, moved)
    assert again is not None
    assert (again.open(moved) / "horizons.csv").read_text() == "A,B\n1,2\n"


def test_files_that_no_table_expects_are_named(spec: SourceSpec, settings: Settings) -> None:
    put(spec, settings)
    put(spec, settings, "notes", "readme.txt")
    assert archive.unused(spec, settings) == ["readme.txt"]
