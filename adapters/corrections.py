"""Known errors of publishers: the models of a source's `corrections.yaml`.

Belongs here: what an entry says. Never here: applying it (`correcting.py`), an error that a rule
finds (that is a flag), or one whose truth is not known.

Every entry states in `expect` what is wrong in the file. Where that no longer stands, the publisher
has changed the file and the entry must go: reading fails and says so. A twin of such a source
writes the errors too: its files are read as the publisher's are.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

CORRECTIONS_FILE = "corrections.yaml"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    table: str = Field(description="Native table it is about.")
    files: tuple[str, ...] = Field(
        ("*",), description="Glob patterns of the files of the table that hold the error."
    )
    reason: str = Field(description="How the truth is known.")
    reported: str = Field(description="When and where the publisher was told; `no` if not yet.")


class _Rows(_Entry):
    where: dict[str, str] = Field(
        min_length=1,
        description="Column (canonical, or its header) -> the trimmed text that rows hold there.",
    )


class SetText(_Rows):
    """Another text in one column."""

    action: Literal["set"]
    column: str
    expect: str = Field(description="The wrong text.")
    value: str = Field(description="The text that replaces it.")


class SetMissing(_Rows):
    """No value in one column."""

    action: Literal["missing"]
    column: str
    expect: str = Field(description="The wrong text.")


class Swap(_Rows):
    """Two columns exchange their texts."""

    action: Literal["swap"]
    columns: tuple[str, str]
    expect: tuple[str, str] = Field(description="The wrong texts, in the order of `columns`.")


class DropRow(_Rows):
    """Rows that are none."""

    action: Literal["drop_row"]
    expect: dict[str, str] = Field(
        min_length=1, description="Column -> the text that stands in it, besides `where`."
    )


class UnitStands(BaseModel):
    """What is wrong about a unit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: str = Field(description="The unit that columns.csv declares, as the publisher says.")
    median: tuple[float, float] = Field(
        description="Lowest and highest median (for layers, mean) that the numbers as written have "
        "while the error stands."
    )


class Reinterpret(_Entry):
    """The numbers of one column, or of one layer, are in another unit than the publisher says."""

    action: Literal["unit"]
    where: dict[str, str] = Field(default_factory=dict, description="All rows where it is empty.")
    column: str = Field(description="Canonical column.")
    unit: str = Field(description="The unit that the numbers are in.")
    basis: Literal["mass", "volume", "area", "count", "charge"] | None = None
    expect: UnitStands


class LayerFacts(BaseModel):
    """What a raster file states of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    crs: str | None = None
    nodata: float | None = None
    scale: float | None = None
    offset: float | None = None


class RestateLayer(_Entry):
    """A raster file states a wrong CRS, nodata value, scale or offset, or lacks one."""

    action: Literal["layer"]
    expect: LayerFacts = Field(description="What the file states; null where it is silent.")
    value: LayerFacts = Field(description="What is true; a key that is absent stays as stated.")

    @model_validator(mode="after")
    def _guarded(self) -> "RestateLayer":
        if unguarded := self.value.model_fields_set - self.expect.model_fields_set:
            raise ValueError(f"`expect` does not say what stands in {sorted(unguarded)}")
        if not self.value.model_fields_set:
            raise ValueError("`value` is empty")
        return self


Correction = Annotated[
    SetText | SetMissing | Swap | DropRow | Reinterpret | RestateLayer,
    Field(discriminator="action"),
]
