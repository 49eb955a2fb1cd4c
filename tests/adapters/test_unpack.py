"""Zips that are dropped as they were downloaded, and those that are refused."""

import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from making import make_spec, text

import adapters.unpack
from adapters.archive import ingest, unused
from adapters.errors import ArchiveError
from adapters.settings import Settings
from adapters.spec import SourceSpec
from adapters.standardise import standardise

TABLE = b"id\n1\n2\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(data_root=tmp_path / "data")
    (settings.raw / "pits").mkdir(parents=True)
    return settings


def _spec(settings: Settings, *files: str) -> SourceSpec:
    return make_spec(
        settings.data_root / "spec",
        [text("id")],
        tables={"main": {"files": files or ("*.csv",), "read": {"reader": "csv"}}},
    )


def _zip(members: dict[str, bytes | zipfile.ZipInfo], **more: object) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, **more) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _drop(settings: Settings, name: str, content: bytes) -> None:
    path = settings.raw / "pits" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_a_zip_is_the_files_in_it(settings: Settings) -> None:
    packed = _zip({"Data/pits.csv": TABLE, "Data/readme.txt": b"x", "__MACOSX/Data/pits.csv": b""})
    _drop(settings, "from the portal/pits_v1.ZIP", packed)
    spec = _spec(settings)
    raw = ingest(spec, settings)
    assert raw is not None
    assert [f.name for f in raw.files] == ["from the portal/Data/pits.csv"]
    assert raw.files[0].path.read_bytes() == TABLE
    assert raw.origin == "user"
    assert standardise(spec, raw, settings).table["id"].to_list() == ["1", "2"]
    assert unused(spec, settings) == ["from the portal/Data/readme.txt"]
    # Not the zip besides: the archive holds the bytes of the one member.
    assert len([p for p in settings.archive.rglob("objects/*/*") if p.is_file()]) == 1


@given(
    names=st.lists(
        st.from_regex(r"[a-z]{1,4}(/[a-z]{1,4}){0,2}\.csv", fullmatch=True),
        min_size=1,
        max_size=5,
        unique=True,
    ),
    content=st.binary(min_size=1, max_size=50).filter(lambda c: b"\0" not in c and b"<" not in c),
    nested=st.booleans(),
)
@hypothesis_settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_dropping_a_zip_is_dropping_its_files(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], content: bytes, nested: bool
) -> None:
    versions = []
    for packed in (True, False):
        settings = Settings(data_root=tmp_path_factory.mktemp("data"))
        if packed:
            inner = _zip({name: content + name.encode() for name in names})
            _drop(settings, "a.zip", _zip({"inner.zip": inner}) if nested else inner)
        else:
            for name in names:
                _drop(settings, name, content + name.encode())
        raw = ingest(_spec(settings), settings)
        assert raw is not None
        versions.append((raw.version, [(f.name, f.sha256) for f in raw.files]))
    assert versions[0] == versions[1]


def test_files_beside_a_zip_and_in_it_are_one_version(settings: Settings) -> None:
    _drop(settings, "a.zip", _zip({"one.csv": TABLE}))
    _drop(settings, "two.csv", TABLE)
    spec = _spec(settings)
    raw = ingest(spec, settings)
    assert raw is not None
    assert [f.name for f in raw.files] == ["one.csv", "two.csv"]
    # The same file unpacked by hand beside its zip is no second file.
    _drop(settings, "one.csv", TABLE)
    again = ingest(spec, settings)
    assert again is not None
    assert again.version == raw.version
    _drop(settings, "one.csv", TABLE + b"3\n")
    with pytest.raises(ArchiveError, match="stands twice, with different contents"):
        ingest(spec, settings)


def test_a_new_edition_of_a_zip_is_a_new_version(settings: Settings) -> None:
    spec = _spec(settings)
    _drop(settings, "a.zip", _zip({"one.csv": TABLE}))
    first = ingest(spec, settings)
    _drop(settings, "a.zip", _zip({"one.csv": b"id\n1\n3\n"}))
    second = ingest(spec, settings)
    assert first is not None
    assert second is not None
    assert first.version != second.version
    assert len(list((settings.scratch / "unpacked" / "pits").iterdir())) == 1


def test_a_table_that_reads_a_zip_gets_it(settings: Settings) -> None:
    _drop(settings, "whole.zip", _zip({"one.csv": TABLE}))
    raw = ingest(_spec(settings, "whole.zip"), settings)
    assert raw is not None
    assert [f.name for f in raw.files] == ["whole.zip"]


def _broken() -> bytes:
    data = bytearray(_zip({"one.csv": TABLE * 50}))
    data[45] ^= 0xFF
    return bytes(data)


def _encrypted() -> bytes:
    data = bytearray(_zip({"one.csv": TABLE}))
    # General purpose bit 0, in the local header and in the directory.
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def _link() -> bytes:
    info = zipfile.ZipInfo("one.csv")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_zip({"one.csv": TABLE})[:-30], "the zip cannot be read"),
        (b"PK\x03\x04 and nothing", "the zip cannot be read"),
        (b"\n<!DOCTYPE html><html>Please log in</html>", "a web page"),
        (_broken(), "the zip cannot be read"),
        (_encrypted(), "the zip is encrypted"),
        (_link(), "leads out of its folder, or a link"),
        (_zip({"../one.csv": TABLE}), "leads out of its folder"),
        (_zip({"a/../../one.csv": TABLE}), "leads out of its folder"),
        (_zip({"/etc/one.csv": TABLE}), "leads out of its folder"),
        (_zip({"..\\one.csv": TABLE}), "leads out of its folder"),
        (_zip({"C:/one.csv": TABLE}), "leads out of its folder"),
        (_zip({"inner.zip": _zip({"../one.csv": TABLE})}), "leads out of its folder"),
        (_zip({"inner.zip": b"no zip"}), "the zip cannot be read"),
        (_zip({"inner.zip": _encrypted()}), "the zip is encrypted"),
    ],
    # Not the bytes: a zip says when it was made.
    ids=[
        "cut",
        "no zip",
        "web page",
        "broken",
        "encrypted",
        "link",
        "up",
        "up inside",
        "root",
        "backslash",
        "drive",
        "inner up",
        "inner no zip",
        "inner encrypted",
    ],  # fmt: skip
)
def test_what_no_publisher_hands_out_is_refused(
    settings: Settings, content: bytes, said: str
) -> None:
    _drop(settings, "a.zip", content)
    with pytest.raises(ArchiveError, match=said) as raised:
        ingest(_spec(settings), settings)
    assert str(raised.value.file).startswith("a.zip")
    assert list(settings.data_root.parent.rglob("one.csv")) == []
    assert set(unused(_spec(settings), settings)) <= {"a.zip"}


def test_a_zip_that_grows_beyond_all_measure_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _drop(settings, "a.zip", _zip({"one.csv": b"id\n" + b"1\n" * 200_000}))
    monkeypatch.setattr(adapters.unpack, "MOST_BYTES", 100_000)
    with pytest.raises(ArchiveError, match="unpack to more than any data set"):
        ingest(_spec(settings), settings)
    monkeypatch.setattr(adapters.unpack, "MOST_BYTES", 10**9)
    monkeypatch.setattr(adapters.unpack, "_RATIO_FROM", 100_000)
    monkeypatch.setattr(adapters.unpack, "MOST_RATIO", 50)
    with pytest.raises(ArchiveError, match="unpack to more than any data set"):
        ingest(_spec(settings), settings)
    monkeypatch.setattr(adapters.unpack, "MOST_RATIO", 5000)
    assert ingest(_spec(settings), settings) is not None


def test_a_required_file_that_no_zip_holds_is_told(settings: Settings) -> None:
    _drop(settings, "a.zip", _zip({"readme.txt": b"x"}))
    with pytest.raises(ArchiveError, match="no file for table 'main'"):
        ingest(_spec(settings), settings)
