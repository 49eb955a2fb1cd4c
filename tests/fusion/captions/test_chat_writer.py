"""A chat model as a writer: the protocol, its failures, and that nobody believes it."""

import datetime
import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from chat_server import Reply, chatting, completion
from good_tile import good_tile

from adapters.errors import CaptionError, SettingsError
from adapters.settings import Settings, load_settings
from fusion.captions.caption import caption_tile
from fusion.captions.chat import ChatWriter, told, writer_of
from fusion.captions.measure import measure
from fusion.captions.writer import write_offline

TRUE = "Cropland covers 68 % of the tile. The terrain rises towards the north."
FACTS = measure(good_tile(0))
KEY = "sk-secret-1234"


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses between attempts, which are not made."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


def test_it_asks_as_the_protocol_says() -> None:
    with chatting(completion("One.", "Two.", "Three.")) as chat:
        writer = ChatWriter(chat.url + "/", "small", KEY, temperature=0.3)
        assert writer(FACTS, 3) == ["One.", "Two.", "Three."]
    (asked,), (headers,) = chat.asked, chat.headers
    assert (asked["model"], asked["n"], asked["temperature"]) == ("small", 3, 0.3)
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["Content-Type"] == "application/json"


def test_the_model_is_told_the_measured_facts_alone() -> None:
    with chatting(completion("One.")) as chat:
        ChatWriter(chat.url, "small")(FACTS, 1)
    said = json.loads(chat.asked[0]["messages"][1]["content"])
    assert said == json.loads(json.dumps(told(FACTS)))
    assert said["land_cover"][0] == {
        "class": "cropland",
        "share_percent": 67.9,
        "lies_mainly_in": ["south"],
    }
    assert said["season"] == "spring"
    assert said["soil"] == {
        "pH in water": "6.4",
        "organic carbon content": "18 g/kg",
        "sand content": "31 %",
    }
    assert said["terrain_rises_towards"] == "north"
    assert said["landform_shares_percent"]["hillslopes"] > 80
    assert said["near"] == ["Somewhere"]
    assert "in" not in said, "nothing says that it lies in a place"
    assert not [value for value in said.values() if value in (None, [], {}, "")]
    # No key is sent where none is set.
    assert "Authorization" not in chat.headers[0]


def test_of_an_empty_tile_little_is_told() -> None:
    from drawn_tiles import tile

    assert set(told(measure(tile({}, date=datetime.date(2021, 1, 1))))) == {
        "date",
        "season",
        "latitude_degrees",
        "longitude_degrees",
    }


def test_a_server_that_gives_one_at_a_time_is_asked_again() -> None:
    replies = [completion("One."), completion("Two."), completion("Three.", "Four.")]
    with chatting(*replies) as chat:
        assert ChatWriter(chat.url, "small")(FACTS, 3) == ["One.", "Two.", "Three."]
    assert [asked["n"] for asked in chat.asked] == [3, 2, 1]


def test_a_server_that_refuses_several_is_asked_for_one_at_a_time() -> None:
    def reply(asked: dict) -> Reply:
        return completion("One.") if asked["n"] == 1 else Reply(b"n must be 1", 400)

    with chatting(reply) as chat:
        assert ChatWriter(chat.url, "small", at_once=1)(FACTS, 3) == ["One."] * 3
        with pytest.raises(CaptionError, match="caption_at_once = 1"):
            ChatWriter(chat.url, "small")(FACTS, 3)


def test_an_answer_is_kept_and_asked_for_once(tmp_path: Path) -> None:
    with chatting(completion("One.", "Two."), completion("Three.", "Four.")) as chat:
        writer = ChatWriter(chat.url, "small", KEY, answers=tmp_path)
        assert writer(FACTS, 2) == writer(FACTS, 2) == ["One.", "Two."]
        assert len(chat.asked) == 1
        # Other facts, another number, model or temperature is another question.
        assert writer(measure(good_tile(1)), 2) == ["Three.", "Four."]
        for other in (writer, replace(writer, model="large"), replace(writer, temperature=0.0)):
            other(FACTS, 1 if other is writer else 2)
        assert len(chat.asked) == 5
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 5
    assert not any(KEY in path.read_text() for path in files)


def test_a_failed_question_is_not_kept(tmp_path: Path) -> None:
    with chatting(Reply(b"[]"), completion("One.")) as chat:
        writer = ChatWriter(chat.url, "small", answers=tmp_path)
        with pytest.raises(CaptionError):
            writer(FACTS, 1)
        assert writer(FACTS, 1) == ["One."]


def test_lies_are_removed_and_the_truth_stays() -> None:
    lies = "Forest covers 68 % of the tile. A river crosses it. The lake lies in the east."
    with chatting(completion(lies, f"{TRUE} {lies}")) as chat:
        captioned = caption_tile(good_tile(0), ChatWriter(chat.url, "small"), candidates=2)
    assert captioned.text == TRUE
    assert {s.status for s in captioned.sentences} == {"supported"}
    assert [s.text for s in captioned.removed] == re.split(r"(?<=\.) ", lies)
    assert captioned.removed[0].status == "contradicted"
    assert (captioned.candidates, captioned.writer) == (2, "chat model small")


def test_a_model_that_only_lies_or_babbles_gives_no_caption() -> None:
    babble = ["Forest covers 68 %.", "Lorem ipsum dolor. ¿Qué? 東京 лес 17 %.", ""]
    with chatting(completion(*babble)) as chat:
        captioned = caption_tile(good_tile(0), ChatWriter(chat.url, "small"), candidates=3)
    assert captioned.text is None
    assert captioned.refused == "0 supported claims are left of 1 sentences"
    assert captioned.sentences == ()


def test_a_model_that_says_what_the_offline_writer_says_loses_nothing() -> None:
    def reply(asked: dict) -> Reply:
        return completion(*write_offline(FACTS, asked["n"]))

    with chatting(reply) as chat:
        captioned = caption_tile(good_tile(0), ChatWriter(chat.url, "small"))
    offline = caption_tile(good_tile(0))
    assert (captioned.text, captioned.removed) == (offline.text, ())


def test_a_model_that_refuses_gives_no_caption() -> None:
    with chatting(completion(None, refusal="I cannot help with that.")) as chat:
        captioned = caption_tile(good_tile(0), ChatWriter(chat.url, "small"), candidates=1)
    assert captioned.text is None
    assert [s.text for s in captioned.removed] == ["I cannot help with that."]


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_said_and_never_shown(status: int) -> None:
    body = {"error": {"message": f"Incorrect API key provided: {KEY}."}}
    with chatting(Reply(body, status)) as chat:
        writer = ChatWriter(chat.url, "small", KEY)
        with pytest.raises(CaptionError, match="refuses the key") as caught:
            writer(FACTS, 1)
    assert "SOILMELD_CAPTION_KEY" in str(caught.value)
    assert "Incorrect API key provided: ***" in str(caught.value)
    assert KEY not in str(caught.value) + repr(writer)
    assert len(chat.asked) == 1


@pytest.mark.parametrize("end", ["\n", "\r", " x", "é", "€"])
def test_a_key_that_no_header_holds_is_refused_and_never_shown(end: str) -> None:
    """What sends the request would show it in its own error."""
    with pytest.raises(SettingsError, match="SOILMELD_CAPTION_KEY") as caught:
        ChatWriter("http://localhost:8000/v1", "small", KEY + end)
    assert KEY not in str(caught.value)


def test_a_line_break_behind_a_key_is_left_off() -> None:
    told = Settings(caption_url="http://x/v1", caption_model="small", caption_key=f"{KEY}\r\n")
    assert writer_of(told).key == KEY


def test_a_missing_key_is_said() -> None:
    with (
        chatting(Reply({}, 401)) as chat,
        pytest.raises(CaptionError, match="refuses the request without a key"),
    ):
        ChatWriter(chat.url, "small")(FACTS, 1)


def test_it_waits_as_long_as_the_server_asks(slept: list[float]) -> None:
    busy = Reply({"error": {"message": "slow down"}}, 429, {"Retry-After": "7"})
    with chatting(busy, busy, completion("One.")) as chat:
        assert ChatWriter(chat.url, "small")(FACTS, 1) == ["One."]
    assert slept == [7, 7]


def test_a_rate_limit_that_stays_is_an_error(slept: list[float]) -> None:
    busy = Reply({"error": {"message": "slow down"}}, 429, {"Retry-After": "3600"})
    with chatting(busy) as chat, pytest.raises(CaptionError, match="wait for 3600 s") as caught:
        ChatWriter(chat.url, "small")(FACTS, 1)
    assert len(chat.asked) == 5
    assert max(slept) <= 60
    assert "slow down" in str(caught.value)


def test_a_server_that_fails_is_asked_again_and_then_named(slept: list[float]) -> None:
    with chatting(Reply(b"oops", 503), completion("One.")) as chat:
        assert ChatWriter(chat.url, "small")(FACTS, 1) == ["One."]
    with chatting(Reply(b"oops", 500)) as chat, pytest.raises(CaptionError, match="fails after 5"):
        ChatWriter(chat.url, "small")(FACTS, 1)
    assert len(chat.asked) == 5
    assert slept


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html><title>Log in</title>",
        b'{"choices": [{"message": {"content": "Fore',
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"object": "list", "data": []}',
        b'{"choices": null}',
        b'{"choices": [{"text": "an older protocol"}]}',
        b'{"choices": [{"message": {"content": null}}]}',
        b'{"choices": [{"message": {"content": ["a", "b"]}}]}',
        b'{"choices": [{"message": "text"}]}',
        b'{"choices": []}',
    ],
)
def test_a_malformed_answer_is_an_error(body: bytes) -> None:
    with chatting(Reply(body)) as chat, pytest.raises(CaptionError) as caught:
        ChatWriter(chat.url, "small")(FACTS, 2)
    assert "no chat completion" in str(caught.value)
    assert "remedy" in str(caught.value)
    assert len(chat.asked) == 1


@pytest.mark.parametrize(
    ("reply", "problem", "remedy"),
    [
        (Reply({"error": {"message": "no such model"}}, 404), "knows no such", "caption_model"),
        (Reply({"error": {"message": "n must be 1"}}, 400), "refuses the request", "n must be 1"),
        (Reply(b"", 307, {"Location": "https://x.example/v1"}), "sends elsewhere", "x.example"),
    ],
)
def test_a_refused_request_is_explained(reply: Reply, problem: str, remedy: str) -> None:
    with chatting(reply) as chat, pytest.raises(CaptionError, match=problem) as caught:
        ChatWriter(chat.url, "small", KEY)(FACTS, 1)
    assert remedy in str(caught.value)
    assert len(chat.asked) == 1


def test_a_wrong_base_address_is_explained() -> None:
    with chatting(completion("One.")) as chat, pytest.raises(CaptionError, match="ends in /v1"):
        ChatWriter(chat.url.removesuffix("/v1"), "small")(FACTS, 1)


def test_silence_is_an_error_after_two_attempts(slept: list[float]) -> None:
    with (
        chatting(Reply(b"", pause_s=5.0)) as chat,
        pytest.raises(CaptionError, match="not reached") as caught,
    ):
        ChatWriter(chat.url, "small", read_s=0.1)(FACTS, 1)
    assert len(chat.asked) == 2
    assert "caption_url" in str(caught.value)


def test_a_server_that_sends_byte_after_byte_is_not_waited_for_without_end() -> None:
    """Each wait for a byte is short: the status line alone takes longer than the request may."""
    with chatting(replace(completion("One."), drip_s=0.2)) as chat:
        writer = ChatWriter(chat.url, "small", read_s=5.0, total_s=0.5)
        started = time.monotonic()
        with pytest.raises(CaptionError, match=r"not complete after 0\.5 s"):
            writer(FACTS, 1)
        assert time.monotonic() - started < 3
    with chatting(replace(completion("One."), drip_s=0.001)) as chat:
        assert ChatWriter(chat.url, "small", read_s=5.0)(FACTS, 1) == ["One."], "slow is not wrong"


@pytest.mark.parametrize(
    "url",
    [
        "http://someone:hidden@localhost:8000/v1",
        "http://someone:hid/den@localhost:8000/v1",
        "http://localhost:8000/v1?key=hidden",
        "someone:hidden@localhost/v1",
    ],
)
def test_a_password_in_the_address_is_refused_and_never_shown(url: str) -> None:
    """It would not be sent, since the request has an authorisation of its own."""
    for made in (
        lambda: ChatWriter(url, "small"),
        lambda: writer_of(Settings(caption_url=url, caption_model="small")),
        lambda: writer_of(Settings(caption_url=url)),
    ):
        with pytest.raises(SettingsError, match="SOILMELD_CAPTION_KEY") as caught:
            made()
        assert "hid" not in str(caught.value)


def test_no_server_is_an_error(slept: list[float]) -> None:
    with chatting(completion("One.")) as chat:
        url = chat.url
    with pytest.raises(CaptionError, match="not reached"):
        ChatWriter(url, "small")(FACTS, 1)


def test_a_netrc_does_not_take_the_keys_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with chatting(completion("One.")) as chat:
        ChatWriter(chat.url, "small", KEY)(FACTS, 1)
        ChatWriter(chat.url, "small")(FACTS, 1)
    assert chat.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert "Authorization" not in chat.headers[1]


def test_the_settings_name_the_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert writer_of(Settings()) is write_offline
    with pytest.raises(SettingsError, match="without its name"):
        writer_of(Settings(caption_url="http://localhost:8000/v1"))
    file = tmp_path / "soilmeld.toml"
    file.write_text(
        'caption_url = "http://localhost:8000/v1"\ncaption_model = "small"\ncaption_at_once = 1\n'
    )
    monkeypatch.setenv("SOILMELD_CAPTION_KEY", KEY)
    settings = load_settings(file)
    writer = writer_of(settings)
    assert writer == ChatWriter(
        "http://localhost:8000/v1", "small", KEY, at_once=1, answers=settings.answers
    )
    assert KEY not in repr(settings) + str(settings.caption_key) + repr(writer)
