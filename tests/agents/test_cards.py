"""Cards: written at first contact, changed by people, and read without trust in their writers."""

from __future__ import annotations

import os
import time
from pathlib import Path

import frontmatter
import pytest

from ai_bridge.agents import address_book, cards
from ai_bridge.agents.cards import BadCard, BadField
from ai_bridge.errors import DiskError
from ai_bridge.machines import this_machine
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.address import BadAddress
from ai_bridge.system import front_matter


def _path(where: Tree, agent: str = "claude") -> Path:
    return Path(cards.card_path(where, agent))


def _write(where: Tree, text: str | bytes, agent: str = "claude") -> Path:
    path = _path(where, agent)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


# --- first contact --------------------------------------------------------------------------------------


def test_first_contact_writes_a_card_that_python_frontmatter_reads(where: Tree) -> None:
    cards.introduce(where, "claude", "claude-code", "Web Shop")
    found = frontmatter.load(str(_path(where)))
    assert list(found.metadata) == ["name", "display", "home", "client", "project", "since"]
    assert found["name"] == "claude"
    assert found["display"] == "claude (Web Shop)"
    assert (found["client"], found["project"], found["home"]) == ("claude-code", "Web Shop", this_machine.here())
    assert abs(found["since"].timestamp() - time.time()) < 60


def test_a_later_contact_fills_in_what_is_missing_and_changes_nothing_else(where: Tree) -> None:
    _write(where, "---\nproject: mine\nmood: good\n---\nI work on the API.\n")
    cards.introduce(where, "claude", "claude-code", "other")
    card = cards.load(where, "claude")
    assert (card.get("project"), card.get("mood"), card.get("client")) == ("mine", "good", "claude-code")
    assert card.display == "claude (mine)"
    assert card.text == "I work on the API."


@pytest.mark.parametrize(
    ("address", "folder", "project", "display"),
    [
        ("claude", "Web Shop", "Web Shop", "claude (Web Shop)"),
        ("claude@web-shop", "Web Shop", "Web Shop", "claude (Web Shop)"),
        ("mini@api", "Web Shop", "api", "mini (api)"),
        ("claude", "", "", "claude"),
    ],
)
def test_the_project_is_the_addresss_own_or_else_the_folder(
    where: Tree, address: str, folder: str, project: str, display: str
) -> None:
    cards.introduce(where, address, project=folder)
    card = cards.load(where, address)
    assert (card.get("project"), card.display) == (project, display)


def test_a_display_name_nobody_chose_follows_the_project(where: Tree) -> None:
    cards.introduce(where, "claude", project="shop")
    assert cards.change(where, "claude", {"project": "web"}).display == "claude (web)"
    cards.change(where, "claude", {"display": "Clara"})
    assert cards.change(where, "claude", {"project": "api"}).display == "Clara"


def test_a_card_that_says_all_is_not_written_again(where: Tree) -> None:
    cards.introduce(where, "claude", "claude-code", "shop")
    before = os.stat(_path(where))
    cards.introduce(where, "claude", "codex-mcp-client", "elsewhere")
    after = os.stat(_path(where))
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_card_that_cannot_be_read_is_left_to_its_owner(where: Tree) -> None:
    path = _write(where, "---\na: [\n---\n")
    cards.introduce(where, "claude", "claude-code", "shop")
    assert path.read_text() == "---\na: [\n---\n"


def test_the_address_book_is_made_where_it_is_missing(where: Tree) -> None:
    os.rmdir(_path(where).parent)
    cards.introduce(where, "claude")
    assert cards.load(where, "claude").get("name") == "claude"


# --- change ---------------------------------------------------------------------------------------------


def test_fields_and_text_are_set_kept_and_removed(where: Tree) -> None:
    _write(where, "---\nname: claude\nmood: good\nclient: x\n---\nold\n")
    cards.change(where, "claude", {"description": "reviews: Python, #1", "client": "", "text": "line 1\n\nline 3"})
    card = cards.load(where, "claude")
    assert card.fields == {"name": "claude", "mood": "good", "description": "reviews: Python, #1"}
    assert card.text == "line 1\n\nline 3"


@pytest.mark.parametrize("value", ["yes", "123", "2026-11-22", "~", "- x", "{a}", "'", '"', "a: b", "ünï 🙂", " x "])
def test_whatever_a_value_looks_like_it_stays_that_text(where: Tree, value: str) -> None:
    cards.change(where, "claude", {"description": value})
    assert cards.load(where, "claude").get("description") == value


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"colour": "red"}, "there is no field colour; there are display, client, project"),
        ({"name": "gemini"}, "there is no field name"),
        ({"description": "a\nb"}, "description is one line of text, and was given the control character U\\+000A"),
        ({"description": "x" * 401}, "description has 401 characters, over the limit of 400: use text"),
        ({"text": "x" * 20_000}, "the card would be \\d+ bytes, over the limit of 16384"),
    ],
)
def test_what_a_card_cannot_hold_is_refused_and_nothing_changes(
    where: Tree, changes: dict[str, str], said: str
) -> None:
    cards.change(where, "claude", {"description": "before"})
    before = _path(where).read_bytes()
    with pytest.raises(BadField, match=said):
        cards.change(where, "claude", changes)
    assert _path(where).read_bytes() == before


def test_what_an_editor_gives_back_replaces_the_card_if_it_is_one(where: Tree) -> None:
    assert "name: claude" in cards.as_text(where, "claude")
    cards.replace(where, "claude", "---\ndescription: new\nlist: [a]\n---\ntext\n")
    assert cards.load(where, "claude").fields == {"name": "claude", "description": "new"}
    with pytest.raises(BadField, match="nothing was changed, what you wrote is in") as refusal:
        cards.replace(where, "claude", "no front matter")
    assert Path(str(refusal.value).rpartition(" ")[2]).read_text() == "no front matter"
    assert cards.load(where, "claude").get("description") == "new"


# --- hostile cards --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "---\na: &x [1]\nb: *x\n---\n",
        "---\na: " + "[" * 12_000 + "\n---\n",
        "---\na: " + "{" * 12_000 + "\n---\n",
        "---\nname: !!python/object/apply:os.system ['true']\n---\n",
        "---\nname: !!int 5\n---\n",
        "---\n- a\n- b\n---\n",
        "---\nname: [\n---\n",
        "---\n\ttab: x\n---\n",
        "no front matter at all\n",
        "",
        b"---\nname: \xff\n---\n",
        "---\nname: x\x00y\n---\n",
        "---\nname: " + "x" * 20_000 + "\n---\n",
    ],
)
def test_a_hostile_card_is_refused_in_one_sentence_and_hides_no_other(where: Tree, text: str | bytes) -> None:
    path = _write(where, text)
    cards.introduce(where, "gemini", "gemini-cli-mcp-client")
    with pytest.raises(BadCard, match=r"is damaged: .*; repair it with `ai-bridge card edit claude`") as refusal:
        cards.load(where, "claude")
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert set(address_book.load_all(where)) == {"gemini"}


def test_of_a_card_that_is_too_long_its_length_and_limit_are_told(where: Tree) -> None:
    _write(where, "---\nname: " + "x" * 20_000 + "\n---\n")
    with pytest.raises(BadCard, match=r"it has 20015 bytes, and may have 16384; repair it"):
        cards.load(where, "claude")


@pytest.mark.parametrize("kind", ["symlink", "fifo", "directory"])
def test_what_is_no_plain_file_is_no_card(where: Tree, tmp_path: Path, kind: str) -> None:
    path = _path(where)
    if kind == "symlink":
        (tmp_path / "secret.md").write_text("---\nname: claude\n---\n")
        path.symlink_to(tmp_path / "secret.md")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(BadCard):
        cards.load(where, "claude")
    assert address_book.load_all(where) == {}


def test_only_text_in_a_front_matter_means_something(where: Tree) -> None:
    _write(where, "---\nname: other\nclient: [a]\nhome: {a: b}\ndescription: fine\n---\n")
    card = cards.load(where, "claude")
    assert card.fields == {"name": "other", "description": "fine"}
    assert card.address == "claude"


@pytest.mark.parametrize("field", ["content", "handler", "self", "metadata"])
def test_no_name_of_a_field_means_anything_else(where: Tree, field: str) -> None:
    _write(where, f"---\n{field}: Python reviews\n---\ntext\n")
    cards.introduce(where, "claude", "claude-code")
    assert cards.load(where, "claude").get(field) == "Python reviews"
    assert set(address_book.load_all(where)) == {"claude"}


def test_what_else_a_card_holds_is_kept(where: Tree) -> None:
    _write(where, "---\nskills: [python, sql]\nlimits: {a: 1}\nnotes: |\n  two\n  lines\n---\ntext\n")
    cards.introduce(where, "claude", "claude-code")
    cards.change(where, "claude", {"description": "new"})
    found = frontmatter.load(str(_path(where)))
    assert (found["skills"], found["limits"], found["notes"]) == (["python", "sql"], {"a": 1}, "two\nlines\n")
    assert (found["description"], found.content) == ("new", "text")


@pytest.mark.parametrize("name", ["../secret", "Claude", "a/b", ""])
def test_only_an_address_has_a_card(where: Tree, name: str) -> None:
    with pytest.raises(BadAddress):
        cards.load(where, name)


def test_a_card_that_may_not_be_read_is_said(where: Tree) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    _write(where, "---\nname: claude\n---\n").chmod(0)
    with pytest.raises(DiskError, match="permission denied"):
        cards.load(where, "claude")


# --- all of them ----------------------------------------------------------------------------------------


def test_all_cards_are_found_and_a_change_of_any_is_seen_at_once(where: Tree) -> None:
    for number in range(5):
        cards.change(where, f"agent{number}", {"description": f"number {number}"})
    for _ in range(2):
        found = address_book.load_all(where)
        assert {card.get("description") for card in found.values()} == {f"number {number}" for number in range(5)}
    cards.change(where, "agent3", {"description": "changed 3"})
    _path(where, "agent4").unlink()
    found = address_book.load_all(where)
    assert found["agent3"].get("description") == "changed 3"
    assert "agent4" not in found


def test_what_was_read_before_is_not_parsed_again(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    cards.introduce(where, "claude")
    cards.introduce(where, "gemini")
    address_book.load_all(where)
    parsed = []
    real = front_matter.parse
    monkeypatch.setattr(front_matter, "parse", lambda raw: parsed.append(raw) or real(raw))
    assert set(address_book.load_all(where)) == {"claude", "gemini"}
    assert parsed == []


@pytest.mark.parametrize("junk", ["", "{", "[]", '{"claude": 5}', '{"claude": [[1], {"a": 1}]}', "\x00"])
def test_a_damaged_memory_is_only_a_cache(where: Tree, junk: str) -> None:
    cards.introduce(where, "claude", "claude-code")
    address_book.load_all(where)
    Path(where.state_file("cards.json")).write_text(junk)
    assert address_book.load_all(where)["claude"].get("client") == "claude-code"


def test_files_that_are_no_cards_are_passed_over(where: Tree) -> None:
    folder = _path(where).parent
    for name in ("README.md", ".claude.md", "claude.md.123.new", "claude.txt"):
        (folder / name).write_text("---\nname: x\n---\n")
    assert address_book.load_all(where) == {}


def test_without_an_address_book_there_are_no_cards(tmp_path: Path) -> None:
    assert address_book.load_all(Tree(str(tmp_path / "none"))) == {}
