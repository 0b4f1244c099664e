"""Settings: each value, its precedence and origin, and a refusal that names the place and the remedy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai_bridge import settings as settings_
from ai_bridge.errors import BadSetting, BadSettingsFile, UnknownSetting
from ai_bridge.mailboxes import Mailboxes
from ai_bridge.settings import SETTINGS, Settings


def _shared(where: Mailboxes, text: str) -> str:
    path = os.path.join(where.path, "settings.toml")
    Path(path).write_text(text)
    return path


def _own(text: str) -> str:
    path = Path(settings_.user_file())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_without_a_file_all_is_default(where: Mailboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AI_BRIDGE_PAIR_PER_HOUR")
    loaded = settings_.load(where.path)
    assert {name: getattr(loaded, name) for name in SETTINGS} == {
        "max_message_bytes": 1_048_576,
        "max_chars": 20_000,
        "sweep_s": 5.0,
        "poll": False,
        "poll_s": 1.0,
        "settle_s": 1.0,
        "stuck_s": 60.0,
        "log_bytes": 1_000_000,
        "context_chars": 8_000,
        "max_attachment_bytes": 10_485_760,
        "reach": "notice",
        "max_hops": 20,
        "pair_per_hour": 60,
        "team_agents": 200,
        "team_set_aside": 500,
        "team_refused_bytes": 10_485_760,
    }
    assert loaded.origins == dict.fromkeys(SETTINGS, "default")


def test_each_origin_goes_over_the_one_before(where: Mailboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = _shared(where, "poll_s = 1.5\nsweep_s = 1.5\nstuck_s = 1.5\nsettle_s = 1.5\n")
    own = _own("sweep_s = 2.5\nstuck_s = 2.5\nsettle_s = 2.5\n")
    monkeypatch.setenv("AI_BRIDGE_STUCK_S", "3.5")
    monkeypatch.setenv("AI_BRIDGE_SETTLE_S", "3.5")
    loaded = settings_.load(where.path, {"settle_s": 4.5})
    assert [
        (getattr(loaded, name), loaded.origins[name]) for name in ("poll_s", "sweep_s", "stuck_s", "settle_s")
    ] == [
        (1.5, shared),
        (2.5, own),
        (3.5, "AI_BRIDGE_STUCK_S"),
        (4.5, "option"),
    ]


def test_the_users_file_lies_in_the_configuration_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert settings_.user_file() == str(tmp_path / "home/.config/ai-bridge/settings.toml")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/elsewhere")
    assert settings_.user_file() == "/elsewhere/ai-bridge/settings.toml"


def test_a_whole_number_may_stand_for_seconds(where: Mailboxes) -> None:
    _shared(where, "sweep_s = 7")
    loaded = settings_.load(where.path)
    assert (loaded.sweep_s, type(loaded.sweep_s)) == (7.0, float)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("poll", "1", True),
        ("poll", "True", True),
        ("poll", "yes", True),
        ("poll", "0", False),
        ("poll", "FALSE", False),
        ("poll", "no", False),
        ("max_chars", "1000", 1000),
        ("settle_s", "0", 0.0),
        ("sweep_s", "0.05", 0.05),
    ],
)
def test_a_variable_gives_a_value(
    where: Mailboxes, monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
) -> None:
    monkeypatch.setenv(f"AI_BRIDGE_{name.upper()}", text)
    assert getattr(settings_.load(where.path), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("poll", "maybe"),
        ("poll", ""),
        ("max_chars", "999"),
        ("max_chars", "1000.5"),
        ("max_chars", "many"),
        ("max_message_bytes", "1023"),
        ("log_bytes", "-1"),
        ("sweep_s", "0"),
        ("sweep_s", "nan"),
        ("sweep_s", "inf"),
        ("poll_s", ""),
        ("settle_s", "-0.1"),
    ],
)
def test_a_variable_that_gives_none_is_named(
    where: Mailboxes, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(f"AI_BRIDGE_{name.upper()}", text)
    with pytest.raises(BadSetting) as caught:
        settings_.load(where.path)
    assert str(caught.value).startswith(f"setting {name} in AI_BRIDGE_{name.upper()} is ")
    assert str(caught.value).endswith(f", but must be {SETTINGS[name].wanted}")


@pytest.mark.parametrize(
    "line",
    [
        "poll = 1",
        'poll = "yes"',
        "max_chars = true",
        "max_chars = 1000.0",
        "sweep_s = false",
        'sweep_s = "5"',
        "sweep_s = [5]",
        "sweep_s = nan",
        "[poll]",
    ],
)
def test_a_value_of_a_wrong_type_is_refused_by_file_and_key(where: Mailboxes, line: str) -> None:
    path = _shared(where, line)
    name = line.strip("[]").partition(" ")[0]
    with pytest.raises(BadSetting, match=f"^setting {name} in {path} is .*, but must be {SETTINGS[name].wanted}$"):
        settings_.load(where.path)


@pytest.mark.parametrize(
    ("key", "hint"), [("sweep", " (did you mean sweep_s?)"), ("MAX_CHARS", " (did you mean max_chars?)"), ("zzz", "")]
)
def test_an_unknown_setting_is_told_the_nearest_one(where: Mailboxes, key: str, hint: str) -> None:
    path = _own(f"{key} = 1")
    with pytest.raises(UnknownSetting) as caught:
        settings_.load(where.path)
    assert str(caught.value) == f"there is no setting {key} (in {path}){hint}"


@pytest.mark.parametrize("raw", [b"sweep_s", b"sweep_s = 1\nsweep_s = 2", b"\xff = 1", b"\x00"])
def test_a_file_that_is_no_toml_is_named(where: Mailboxes, raw: bytes) -> None:
    path = _shared(where, "")
    Path(path).write_bytes(raw)
    with pytest.raises(BadSettingsFile, match=f"^{path} cannot be read as TOML: .+$"):
        settings_.load(where.path)


def test_what_is_no_file_is_no_settings_file(where: Mailboxes) -> None:
    os.mkfifo(os.path.join(where.path, "settings.toml"))
    os.makedirs(settings_.user_file())
    assert settings_.load(where.path).origins["sweep_s"] == "default"


def test_every_setting_is_whole(where: Mailboxes) -> None:
    for name, setting in SETTINGS.items():
        assert setting.accepts(setting.default)
        assert setting.variable == f"AI_BRIDGE_{name.upper()}"
        assert setting.meaning
        assert name in Settings.__annotations__


# --- a setting that is a word -----------------------------------------------------------------------------


def test_a_word_is_one_of_its_choices(where: Mailboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    for word in settings_.REACH:
        monkeypatch.setenv("AI_BRIDGE_REACH", word)
        assert settings_.load(where.path).reach == word
    for wrong in ("loud", "", "1"):
        monkeypatch.setenv("AI_BRIDGE_REACH", wrong)
        with pytest.raises(BadSetting, match="off, notice or full"):
            settings_.load(where.path)
    for other in (True, 1, ["off"]):
        with pytest.raises(BadSetting):
            settings_.load(where.path, {"reach": other})
