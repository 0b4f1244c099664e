"""Settings: each value, its precedence and origin, and a sentence for each mistake, which stops nobody."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from ai_bridge import settings as settings_
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import SETTINGS, BadSetting, Settings, UnknownSetting


def _shared(where: Tree, text: str) -> str:
    path = os.path.join(where.path, "settings.toml")
    Path(path).write_text(text)
    return path


def _own(text: str) -> str:
    path = Path(settings_.user_file())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_without_a_file_all_is_default(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
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
        "context_folders": (),
        "reach": "short",
        "carry_chars": 1_000,
        "ring_after_s": "10,120,600",
        "wakes_per_hour": 30,
        "max_hops": 20,
        "pair_per_hour": 60,
        "max_unread": 10_000,
        "team_agents": 200,
        "team_set_aside": 500,
        "team_refused_bytes": 10_485_760,
        "archive_after": "",
    }
    assert loaded.origins == dict.fromkeys(SETTINGS, "default")


def test_each_origin_goes_over_the_one_before(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_whole_number_may_stand_for_seconds(where: Tree) -> None:
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
    where: Tree, monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
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
    where: Tree, monkeypatch: pytest.MonkeyPatch, name: str, text: str
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
        "max_hops = []",
        "sweep_s = nan",
        "[poll]",
    ],
)
def test_a_value_of_a_wrong_type_is_ignored_and_told_by_file_line_and_key(where: Tree, line: str) -> None:
    path = _own(f"stuck_s = 7\n{line}")
    name = line.strip("[]").partition(" ")[0]
    loaded = settings_.load(where.path)
    (said,) = loaded.ignored
    assert re.fullmatch(f"setting {name} in {path}:2 is .*, but must be {SETTINGS[name].wanted}: it is ignored", said)
    assert (getattr(loaded, name), loaded.origins[name]) == (SETTINGS[name].default, "default")
    assert loaded.stuck_s == 7.0


@pytest.mark.parametrize(
    ("key", "hint"), [("sweep", " (did you mean sweep_s?)"), ("MAX_CHARS", " (did you mean max_chars?)"), ("zzz", "")]
)
def test_an_unknown_setting_is_told_the_nearest_one(where: Tree, key: str, hint: str) -> None:
    path = _own(f"poll_s = 2\n\n{key} = 1\nsettle_s = 3")
    loaded = settings_.load(where.path)
    assert loaded.ignored == [f"there is no setting {key} (in {path}:3){hint}: it is ignored"]
    assert (loaded.poll_s, loaded.settle_s) == (2.0, 3.0)
    with pytest.raises(UnknownSetting, match=re.escape(f"there is no setting {key} (in option){hint}")):
        settings_.load(where.path, {key: 1})


def test_of_two_files_the_later_mistake_leaves_the_earlier_value(where: Tree) -> None:
    shared = _shared(where, "sweep_s = 7")
    _own("sweep_s = 0")
    loaded = settings_.load(where.path)
    assert (loaded.sweep_s, loaded.origins["sweep_s"]) == (7.0, shared)


def test_a_thousand_mistakes_are_counted_and_some_are_told(where: Tree) -> None:
    _own("\n".join(f"nothing_{number} = 1" for number in range(1000)))
    said = settings_.load(where.path).ignored
    assert (len(said), said[-1]) == (21, "980 more mistakes in the settings are ignored")


@pytest.mark.parametrize(
    ("key", "line"),
    [('"sweeps"', 1), ("sweeps.a", 1), ("[sweeps]", 1), ("\ufeffsweeps", 1), ("# sweeps = 1\nsweeps", 2)],
)
def test_the_line_is_found_however_the_key_is_written(where: Tree, key: str, line: int) -> None:
    path = _own(f"{key} = 1" if key[0] != "[" else key)
    (said,) = settings_.load(where.path).ignored
    assert f"(in {path}:{line})" in said


@pytest.mark.parametrize(
    ("raw", "line"),
    [(b"sweep_s", 1), (b"a = 1\nb = 2\nsweep_s = 1\nsweep_s = 2\n", 4), (b"a = 1\n\xff = 1", 2), (b"\x00", 1)],
)
def test_a_file_that_is_no_toml_is_named_and_stops_nobody(where: Tree, raw: bytes, line: int) -> None:
    path = _own("")
    Path(path).write_bytes(raw)
    loaded = settings_.load(where.path)
    (said,) = loaded.ignored
    assert said.startswith(f"{path} cannot be read as TOML: ")
    assert f"at line {line}" in said
    assert loaded.origins["sweep_s"] == "default"


@pytest.mark.parametrize("own", [True, False])
def test_a_slip_elsewhere_in_a_file_loosens_no_guard(where: Tree, monkeypatch: pytest.MonkeyPatch, own: bool) -> None:
    monkeypatch.delenv("AI_BRIDGE_PAIR_PER_HOUR")
    text = 'max_hops = 3\nreach = "off"\nsweep_s = = 7\npair_per_hour = 0\nteam_agents = 999\npoll_s = 9\n'
    path = _own(text) if own else _shared(where, text)
    loaded = settings_.load(where.path)
    assert (loaded.max_hops, loaded.reach, loaded.origins["max_hops"]) == (3, "off", path)
    assert (loaded.pair_per_hour, loaded.team_agents, loaded.poll_s) == (60, 200, 1.0)
    assert len(loaded.ignored) == 1


@pytest.mark.parametrize("own", [True, False])
def test_a_file_that_this_user_may_not_read_is_told_and_stops_nobody(
    where: Tree, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    path = _own("poll_s = 9") if own else _shared(where, "poll_s = 9")

    def refuse(*_: object, **__: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(settings_, "_read_own" if own else "_read_shared", refuse)
    loaded = settings_.load(where.path)
    assert loaded.ignored == [f"{path} is ignored: Permission denied"]
    assert loaded.poll_s == 1.0


# --- the file that all share ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("sweep_s", "cannot be read as TOML"),
        ("sweep_s = 0", "setting sweep_s in .* is 0, but must be a number of at least 0.05"),
        ("sweeps = 1", r"there is no setting sweeps \(in .*:1\) \(did you mean sweep_s\?\): it is ignored"),
        ('reach = "full"', "would loosen a guard"),
        ("max_hops = 21", "would loosen a guard"),
        ("max_hops = 0", "would loosen a guard"),
        ("pair_per_hour = 61", "would loosen a guard"),
        ("pair_per_hour = 0", "would loosen a guard"),
        ("pair_per_hour = true", "must be a whole number"),
    ],
)
def test_a_mistake_in_the_shared_file_is_ignored_and_told(
    where: Tree, monkeypatch: pytest.MonkeyPatch, line: str, why: str
) -> None:
    monkeypatch.delenv("AI_BRIDGE_PAIR_PER_HOUR")
    path = _shared(where, f"{line}\npoll_s = 2\n" if "=" in line else line)
    loaded = settings_.load(where.path)
    assert [bool(re.search(why, one)) for one in loaded.ignored] == [True]
    assert path in loaded.ignored[0]
    assert loaded.poll_s == (2.0 if "=" in line else 1.0)
    for name in ("sweep_s", "reach", "max_hops", "pair_per_hour"):
        assert loaded.origins[name] == "default"


def test_the_shared_file_may_make_a_guard_stricter_and_the_users_own_looser(where: Tree) -> None:
    _shared(where, 'reach = "off"\nmax_hops = 3\n')
    loaded = settings_.load(where.path)
    assert (loaded.reach, loaded.max_hops, loaded.ignored) == ("off", 3, [])
    _own('reach = "full"\nmax_hops = 0\n')
    loaded = settings_.load(where.path)
    assert (loaded.reach, loaded.max_hops, loaded.ignored) == ("full", 0, [])


def test_the_shared_file_is_not_read_through_a_link(where: Tree, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("poll_s = 2")
    os.symlink(tmp_path / "other.toml", os.path.join(where.path, "settings.toml"))
    loaded = settings_.load(where.path)
    assert loaded.poll_s == 1.0
    assert "a symbolic link" in loaded.ignored[0]


def test_what_is_no_file_is_no_settings_file(where: Tree) -> None:
    os.mkfifo(os.path.join(where.path, "settings.toml"))
    os.makedirs(settings_.user_file())
    loaded = settings_.load(where.path)
    assert loaded.origins["sweep_s"] == "default"
    assert "settings.toml is a FIFO" in loaded.ignored[0]


def test_every_setting_is_whole(where: Tree) -> None:
    for name, setting in SETTINGS.items():
        assert setting.accepts(setting.default)
        assert setting.variable == f"AI_BRIDGE_{name.upper()}"
        assert setting.meaning
        assert name in Settings.__annotations__


# --- a list that only the user's own file sets ------------------------------------------------------------


def test_folders_are_taken_from_the_users_own_file_only(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    _shared(where, 'context_folders = ["/"]\npoll_s = 2')
    monkeypatch.setenv("AI_BRIDGE_CONTEXT_FOLDERS", "/")
    loaded = settings_.load(where.path)
    assert (list(loaded.context_folders), loaded.origins["context_folders"]) == ([], "default")
    assert loaded.poll_s == 2.0
    own = _own('context_folders = ["~/docs", "/srv/specs"]')
    loaded = settings_.load(where.path)
    assert (list(loaded.context_folders), loaded.origins["context_folders"]) == (["~/docs", "/srv/specs"], own)


@pytest.mark.parametrize("value", ['"/srv"', "1", "true", "[1]", '["docs"]', '["~nobody-here/docs"]', '[""]', "[[]]"])
def test_what_is_no_list_of_folders_is_refused(where: Tree, value: str) -> None:
    own = _own(f"context_folders = {value}")
    loaded = settings_.load(where.path)
    (said,) = loaded.ignored
    assert re.match(f"setting context_folders in {own}:1 is .*, but must be a list of folders", said)
    assert list(loaded.context_folders) == []


def test_a_wrong_list_in_a_shared_file_stops_nobody(where: Tree) -> None:
    _shared(where, "context_folders = 1")
    assert list(settings_.load(where.path).context_folders) == []


# --- a setting that is a word -----------------------------------------------------------------------------


def test_a_word_is_one_of_its_choices(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    for word in settings_.REACH:
        monkeypatch.setenv("AI_BRIDGE_REACH", word)
        assert settings_.load(where.path).reach == word
    for wrong in ("loud", "", "1"):
        monkeypatch.setenv("AI_BRIDGE_REACH", wrong)
        with pytest.raises(BadSetting, match="off, notice, short or full"):
            settings_.load(where.path)
    for other in (True, 1, ["off"]):
        with pytest.raises(BadSetting):
            settings_.load(where.path, {"reach": other})
