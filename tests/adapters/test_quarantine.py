"""What makes a new version suspicious beside the one in use, and a person's word for it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from good_standard import good_spec

from adapters import archive
from adapters.errors import ArchiveError
from adapters.quarantine import accept, quarantined, unlike
from adapters.settings import Settings
from adapters.spec import SourceSpec

TEXT = "A,B\n" + "1,2\n" * 100


@pytest.fixture
def spec(tmp_path: Path) -> SourceSpec:
    made = good_spec(tmp_path / "sources" / "pits")
    horizons = made.tables["horizons"]
    notes = horizons.model_copy(update={"files": ("notes*.txt",), "required": False})
    tables = {"horizons": horizons, "notes": notes}
    return made.model_copy(update={"tables": tables})


LAST = {"a.csv": 1000, "b.csv": 1000, "notes.txt": 10}


@pytest.mark.parametrize(
    ("now", "says"),
    [
        ({"a.csv": 1400, "b.csv": 700, "notes.txt": 10}, []),
        ({"c.csv": 1000, "d.csv": 1000, "notes.txt": 10}, []),
        ({"a.csv": 400, "b.csv": 1000, "notes.txt": 10}, ["a.csv: 400 bytes, -60%"]),
        ({"a.csv": 1600, "b.csv": 1000, "notes.txt": 10}, ["a.csv: 1,600 bytes, +60%"]),
        ({"a.csv": 1000, "b.csv": 1000}, ["table 'notes' lacks files", "notes.txt"]),
        ({"a.csv": 1000, "notes.txt": 10}, ["table 'horizons' lacks files", "b.csv"]),
        ({"c.csv": 100, "d.csv": 100, "notes.txt": 10}, ["all files together: 210 bytes, -90%"]),
        ({**LAST, "c.csv": 5000}, ["all files together: 7,010 bytes, +249%"]),
    ],
)
def test_what_is_suspicious_is_said(spec: SourceSpec, now: dict[str, int], says: list[str]) -> None:
    found = unlike(spec, now, LAST)
    assert bool(found) == bool(says)
    for part in says:
        assert any(part in sentence for sentence in found), found


def test_how_much_is_ordinary_stands_in_the_specification(spec: SourceSpec) -> None:
    lax = spec.access.model_copy(update={"max_size_change": 2})
    now = {"a.csv": 2500, "b.csv": 1000, "notes.txt": 10}
    assert unlike(spec, now, LAST)
    assert unlike(spec.model_copy(update={"access": lax}), now, LAST) == []


@pytest.fixture
def put(spec: SourceSpec, settings: Settings) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = settings.raw / spec.id / "horizons.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.fixture
def refused(spec: SourceSpec, settings: Settings, put: Callable[[str], Path]) -> archive.RawVersion:
    """The version in use, beside which a cut one was refused."""
    put(TEXT)
    first = archive.ingest(spec, settings)
    assert first is not None
    archive.activate(first, settings)
    put(TEXT[:100])
    with pytest.raises(ArchiveError, match="much unlike the version in use") as error:
        archive.ingest(spec, settings)
    assert f"soilmeld accept {spec.id}" in str(error.value)
    return first


def test_the_bytes_of_a_suspicious_version_are_kept_and_it_is_not_next(
    spec: SourceSpec,
    settings: Settings,
    refused: archive.RawVersion,
    put: Callable[[str], Path],
) -> None:
    (entry,) = quarantined(spec, settings)
    put(TEXT).unlink()
    assert archive.candidate(spec, settings) == archive.active(spec, settings) == refused
    kept = archive.load(spec.id, entry.version, settings)
    assert (kept.open(settings) / "horizons.csv").read_text() == TEXT[:100]
    assert not kept.accepted


def test_a_persons_word_makes_it_next_and_stays_in_its_lock(
    spec: SourceSpec, settings: Settings, refused: archive.RawVersion
) -> None:
    entry = accept(spec, settings, by="Ada", reason="they closed the plots")
    taken = archive.ingest(spec, settings)
    assert taken == archive.candidate(spec, settings)
    assert (taken.version, taken.accepted) == (entry.version, True)
    assert archive.active(spec, settings) == refused
    archive.activate(taken, settings)
    assert quarantined(spec, settings) == []
    lock = (settings.archive / spec.id / f"{taken.version}.lock.json").read_text()
    assert all(said in lock for said in ("Ada", "they closed the plots", *entry.reasons))


def test_good_files_put_back_need_nobodys_word(
    spec: SourceSpec,
    settings: Settings,
    refused: archive.RawVersion,
    put: Callable[[str], Path],
) -> None:
    put(TEXT)
    assert archive.ingest(spec, settings) == refused


def test_nobody_is_asked_about_what_better_files_came_for(
    spec: SourceSpec,
    settings: Settings,
    refused: archive.RawVersion,
    put: Callable[[str], Path],
) -> None:
    (doubtful,) = quarantined(spec, settings)
    put("<!DOCTYPE html><html>Please log in</html>")
    with pytest.raises(ArchiveError, match="web page"):
        archive.ingest(spec, settings)
    assert len(quarantined(spec, settings)) == 2
    put(TEXT + "3,4\n")
    archive.ingest(spec, settings)
    assert quarantined(spec, settings) == []
    with pytest.raises(ArchiveError, match="no version waits"):
        accept(spec, settings, by="Ada", reason="too late")
    put(TEXT[:100])
    with pytest.raises(ArchiveError, match="much unlike"):
        archive.ingest(spec, settings)
    assert [entry.version for entry in quarantined(spec, settings)] == [doubtful.version]


def test_only_the_last_refused_version_is_accepted(
    spec: SourceSpec,
    settings: Settings,
    refused: archive.RawVersion,
    put: Callable[[str], Path],
) -> None:
    (old,) = quarantined(spec, settings)
    put(TEXT[:60])
    with pytest.raises(ArchiveError):
        archive.ingest(spec, settings)
    with pytest.raises(ArchiveError, match="is not the last that was refused"):
        accept(spec, settings, by="Ada", reason="x", version=old.version)


def test_an_interrupted_acceptance_can_be_given_again(
    spec: SourceSpec,
    settings: Settings,
    refused: archive.RawVersion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = Path.replace
    for allowed in range(4):
        left = allowed

        def dying(self: Path, target: Path) -> Path:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return real(self, target)

        with monkeypatch.context() as killed:
            killed.setattr(Path, "replace", dying)
            with pytest.raises(KeyboardInterrupt):
                accept(spec, settings, by="Ada", reason="x")
    accept(spec, settings, by="Ada", reason="x")
    taken = archive.ingest(spec, settings)
    assert taken is not None
    assert taken.accepted
