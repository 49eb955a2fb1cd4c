"""Captions by a chat model, through the protocol that most servers of such models speak.

Belongs here: the prompt, and one request to `/chat/completions` of an OpenAI-compatible server,
be it a service or a model on the own machine. Never here: belief; what a model writes is checked
sentence by sentence like any other caption.
"""

import concurrent.futures
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import requests
from pydantic import BaseModel, Field, ValidationError, model_validator
from requests.adapters import HTTPAdapter

from adapters.atomic import write_text
from adapters.download import ATTEMPTS, retries
from adapters.errors import CaptionError, SettingsError
from adapters.settings import Settings
from fusion.captions.measure import Cover, Facts, Relief
from fusion.captions.vocabulary import TOLERANCES, label, vocabulary
from fusion.captions.writer import LANDFORMS, Writer, unit_text, write_offline
from fusion.texture import texture_systems

_RULES = """You write captions of satellite image tiles of 1,280 m by 1,280 m.
The user gives facts that were measured on one tile, as JSON. Write one caption of 4 to 8 short \
plain English sentences.
- State only what the facts say. Add no causes, uses, history, names, colours or moods.
- One or two facts a sentence; vary which facts you choose, their order and your wording.
- Keep numbers as measured, rounded sensibly, with their units (%, m, degrees, g/kg, mm, °C).
- Call land-cover classes, landforms and properties by the names given. Sides are north, south, \
east, west, north-east and so on, or the centre.
- Plain forms are understood best, such as these, A and B being land-cover classes: {forms}
- No headings, lists, questions or remarks about the task: the sentences alone.
Every sentence is checked against the measurements, and removed if it is not supported."""


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.content is None and self.refusal is None:
            raise ValueError("a message without content")
        return self

    @property
    def text(self) -> str:
        """The caption, or why the model writes none, which no check will support."""
        return self.refusal or "" if self.content is None else self.content


class _Choice(BaseModel):
    message: _Message


class _Completion(BaseModel):
    """What is read of an answer."""

    choices: list[_Choice] = Field(min_length=1)


FORMS = (
    "A covers 40 % of the tile.",
    "A dominates, followed by B.",
    "There is more A than B.",
    "A lies in the north-west.",
    "A borders B.",
    "The southern half of the tile is mainly A.",
    "There is no A.",
    "Elevation ranges from 100 to 150 m, with a mean of 120 m.",
    "The terrain rises towards the east.",
    "The median slope is 3.2 degrees.",
    "Ridges make up 8 % of the terrain.",
    "The median NDVI is 0.61.",
    "The median canopy height is 12 m.",
    "The scene was taken on 3 May 2021.",
    "It is a spring scene.",
    "The clay content is 21 %.",
    "The topsoil texture is sandy loam.",
    "The mean annual air temperature is 9 °C.",
    "OpenStreetMap marks wood and water.",
)
"""Sentences that are shown to a model, since the verifier understands them."""


@dataclass(frozen=True)
class ChatWriter:
    """A chat model as a writer of captions.

    Attributes:
        url: Base address, to which `/chat/completions` is added; it mostly ends in `/v1`.
        model: Name that the server knows the model by.
        key: Sent as bearer token; empty for servers that want none.
        temperature: Of the model's choice of words.
        at_once: Captions to ask for in one request; 1 for servers that refuse more.
        connect_s: Seconds to wait for a connection.
        read_s: Seconds to wait for an answer to begin, and between two pieces of it.
        total_s: Seconds that a request may take in all, with the attempts after a busy server.
        answers: Folder that answers are kept in, and read from when the same is asked again: a
            model gives other words each time, and each is paid for.
    """

    url: str
    model: str
    key: str = field(default="", repr=False)
    temperature: float = 0.7
    at_once: int = 16
    connect_s: float = 10.0
    read_s: float = 120.0
    total_s: float = 900.0
    answers: Path | None = None

    def __post_init__(self) -> None:
        """Refuse a key that cannot stand in a header, before the sending names it in full.

        Raises:
            SettingsError: See there, or the address may hold a password; neither is shown.
        """
        _require_open_address(self.url)
        if self.key and not re.fullmatch(r"[!-~]+", self.key):
            raise SettingsError(
                "the key for captions holds a space, a line break or a letter beyond ASCII",
                where="caption_key",
                remedy="set SOILMELD_CAPTION_KEY to the key alone, as the server gave it",
            )

    @property
    def name(self) -> str:
        """The model's."""
        return f"chat model {self.model}"

    def __call__(self, facts: Facts, count: int) -> list[str]:
        """Ask for that many captions.

        A server may give fewer than it is asked for (many know no `n`); it is then asked again.

        Args:
            facts: Measured on the tile; the model is told these and nothing else.
            count: How many.

        Raises:
            CaptionError: The server is not reached, refuses the key or the request, is busy for
                too long, or answers with something else than completions.
        """
        kept = self._kept(facts, count)
        if kept is not None and kept.is_file():
            return json.loads(kept.read_text("utf-8"))
        found = self._ask(facts, count)
        if kept is not None:
            write_text(kept, json.dumps(found, ensure_ascii=False))
        return found

    def _kept(self, facts: Facts, count: int) -> Path | None:
        """Where the answer to these facts is kept: named by all that it depends on."""
        if self.answers is None:
            return None
        asked = [self.url, self.model, self.temperature, count, _messages(facts)]
        name = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
        return self.answers / name[:2] / f"{name}.json"

    def _ask(self, facts: Facts, count: int) -> list[str]:
        # A broken answer was perhaps written in full, and paid for: it is asked for once more.
        again = retries().new(read=1, allowed_methods={"POST"})
        found: list[str] = []
        with requests.Session() as http:
            for scheme in ("http://", "https://"):
                http.mount(scheme, HTTPAdapter(max_retries=again))
            while len(found) < count:
                found += self._completions(http, facts, min(count - len(found), self.at_once))
        return found[:count]

    def _completions(self, http: requests.Session, facts: Facts, count: int) -> list[str]:
        body = {
            "model": self.model,
            "messages": _messages(facts),
            "n": count,
            "temperature": self.temperature,
        }
        try:
            answer = self._in_time(
                lambda: http.post(
                    f"{self.url.rstrip('/')}/chat/completions",
                    json=body,
                    auth=self._authorised,
                    timeout=(self.connect_s, self.read_s),
                    allow_redirects=False,
                )
            )
        except requests.RequestException as error:
            raise self._error(
                f"the chat model is not reached: {error}",
                "look whether its server runs and `caption_url` is its address; without "
                "`caption_url`, captions are written offline",
            ) from error
        self._require_success(answer)
        try:
            said = _Completion.model_validate_json(answer.content)
        except ValidationError as error:
            raise self._error(
                f"the answer is no chat completion: {error.errors()[0]['msg']}",
                "`caption_url` must be the base address of an OpenAI-compatible server; it mostly "
                "ends in /v1",
                answer,
            ) from error
        return [choice.message.text for choice in said.choices]

    def _in_time(self, ask: Callable[[], requests.Response]) -> requests.Response:
        """What a request gives, unless it takes longer than `total_s`.

        Timeouts of `requests` are of one wait for bytes each, so that a server which sends one
        byte after another never meets them. The request is made in a thread that is left alone
        when its time is over, and ends with the server or with this process.

        Raises:
            requests.RequestException: Of the request.
            CaptionError: It takes too long.
        """
        given: concurrent.futures.Future[requests.Response] = concurrent.futures.Future()

        def run() -> None:
            try:
                given.set_result(ask())
            except BaseException as error:  # noqa: BLE001 - it is raised where it is awaited
                given.set_exception(error)

        threading.Thread(target=run, name="chat model", daemon=True).start()
        if not concurrent.futures.wait([given], self.total_s).done:
            raise self._error(
                f"the answer of the chat model is not complete after {self.total_s:g} s",
                "look whether its server is overloaded; a smaller `caption_at_once` asks for less "
                "at a time",
            )
        return given.result()

    def _authorised(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # As an authorisation of its own, so that no .netrc takes the key's place.
        if self.key:
            request.headers["Authorization"] = f"Bearer {self.key}"
        return request

    def _require_success(self, answer: requests.Response) -> None:
        status = answer.status_code
        if status == HTTPStatus.OK:
            return
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            problem = f"the server refuses the {'key' if self.key else 'request without a key'}"
            remedy = "set SOILMELD_CAPTION_KEY to a key that may use this model"
        elif status == HTTPStatus.TOO_MANY_REQUESTS:
            wait = answer.headers.get("Retry-After")
            asks = f"; it asks to wait for {wait} s" if wait else ""
            problem = f"the server still limits the rate after {ATTEMPTS} attempts{asks}"
            remedy = "go on later, or use a model or key with a higher limit"
        elif status == HTTPStatus.NOT_FOUND:
            problem = "the server knows no such address or model"
            remedy = "check `caption_model` and `caption_url`, which mostly ends in /v1"
        elif answer.is_redirect:
            problem = "the server sends elsewhere, and a key must not be sent on unasked"
            remedy = f"set `caption_url` to where {answer.headers['Location']} leads"
        elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            problem = f"the server fails after {ATTEMPTS} attempts"
            remedy = "go on later, or use another server"
        else:
            problem = "the server refuses the request"
            remedy = "see what it says; of servers that give one caption a request, ask for one: "
            remedy += "`caption_at_once = 1`"
        raise self._error(f"{problem} ({status})", remedy, answer)

    def _error(
        self, problem: str, remedy: str, answer: requests.Response | None = None
    ) -> CaptionError:
        # Servers repeat a refused key in what they say of it.
        said = "" if answer is None else answer.text[:300]
        return CaptionError(
            self._without_key(problem),
            where=f"{self.url}, model {self.model}",
            samples=[self._without_key(said)] if said else [],
            remedy=remedy,
        )

    def _without_key(self, text: str) -> str:
        return text.replace(self.key, "***") if self.key else text


def writer_of(settings: Settings) -> Writer:
    """The writer that the settings name: a chat model, or the offline one without `caption_url`.

    Raises:
        SettingsError: An address without a model or with a password, or a key that is none.
    """
    if not settings.caption_url:
        return write_offline
    _require_open_address(settings.caption_url)
    if not settings.caption_model:
        raise SettingsError(
            "a chat model's address without its name",
            where="caption_model",
            samples=[settings.caption_url],
            remedy="set caption_model to the name that the server knows the model by",
        )
    return ChatWriter(
        settings.caption_url,
        settings.caption_model,
        # Files and stores of secrets often end in a line break.
        settings.caption_key.get_secret_value().strip(),
        at_once=settings.caption_at_once,
        answers=settings.answers,
    )


def _require_open_address(url: str) -> None:
    """Refuse an address that may hold a password: messages show it, and no request would send it.

    Raises:
        SettingsError: See there; the address is not shown.
    """
    if set(url) & set("@?#"):
        raise SettingsError(
            "the address of the chat model holds @, ? or #, and with it perhaps a password",
            where="caption_url",
            remedy="give the base address alone, such as https://host/v1, and set "
            "SOILMELD_CAPTION_KEY to the key: it is sent as bearer token and never shown",
        )


def _messages(facts: Facts) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": _RULES.format(forms=" ".join(FORMS))},
        {"role": "user", "content": json.dumps(told(facts), ensure_ascii=False)},
    ]


def told(facts: Facts) -> dict[str, Any]:
    """Facts as a model is told them: names instead of ids, units in the keys, nothing empty."""
    texture = texture_systems()["usda"].labels[facts.texture] if facts.texture else None
    everything: dict[str, Any] = {
        "date": facts.date.isoformat(),
        "season": facts.season,
        "latitude_degrees": facts.latitude,
        "longitude_degrees": facts.longitude,
        "land_cover": [_cover(cover) for cover in facts.covers],
        "largest_classes_in_order": [label(name) for name, _ in facts.order[:3]],
        "absent_classes": [label(name) for name in facts.absent],
        "map_agreement_percent": facts.agreement,
        "classes_that_border_each_other": [
            [label(border.one), label(border.other)] for border in facts.borders
        ],
        "prevailing_class_by_side": {r.side: label(r.cover) for r in facts.regions},
        **({} if facts.relief is None else _relief(facts.relief)),
        "medians_of_spectral_indices": {
            vocabulary()["indices"][name]["title"]: round(value, 2) + 0.0
            for name, value in facts.indices.items()
        },
        "canopy_height_m": facts.canopy,
        "soil": _elements(facts, "soil"),
        "soil_texture_class": texture,
        "climate": _elements(facts, "climate"),
        "near": facts.places,
        "in": facts.lies_in,
        "openstreetmap": facts.tags,
    }
    return {key: value for key, value in everything.items() if value not in (None, (), [], {})}


def _relief(relief: Relief) -> dict[str, Any]:
    return {
        "lowest_elevation_m": round(relief.lowest),
        "highest_elevation_m": round(relief.highest),
        "mean_elevation_m": round(relief.mean),
        "median_slope_degrees": relief.median_slope and round(relief.median_slope, 1),
        "landform_shares_percent": {
            LANDFORMS[form]: round(share, 1)
            for form, share in relief.landforms.items()
            if share >= TOLERANCES.present
        },
        "terrain_rises_towards": relief.rises,
    }


def _cover(cover: Cover) -> dict[str, Any]:
    said: dict[str, Any] = {"class": label(cover.id), "share_percent": round(cover.share, 1)}
    return said | ({"lies_mainly_in": cover.sides} if cover.sides else {})


def _elements(facts: Facts, vector: str) -> dict[str, str]:
    return {
        vocabulary()[vector][e.id]["title"]: f"{e.value:.4g}{unit_text(e.unit)}"
        for e in getattr(facts, vector)
    }
