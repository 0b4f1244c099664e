"""A card says whose mail is accepted, held or refused; a damaged card holds everybody's mail."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_bridge.agents import cards, policy
from ai_bridge.agents.cards import BadField
from ai_bridge.agents.policy import ACCEPT, HOLD, REFUSE, Policies
from ai_bridge.mailboxes.card_files import CardFile, CardFiles
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import front_matter


def _card(where: Tree, front: str) -> Path:
    path = Path(cards.card_path(where, "gemini"))
    path.write_text(f"---\nname: gemini\n{front}\n---\n")
    return path


@pytest.mark.parametrize(
    ("front", "verdict"),
    [
        ("description: none", ACCEPT),
        ("hold: claude", HOLD),
        ("hold: '*'", HOLD),
        ('hold: "*"', HOLD),
        ("refuse: codex, claude", REFUSE),
        ("refuse: codex claude", REFUSE),
        ("hold: [codex, claude]", HOLD),
        ("hold:\n- codex\n- claude", HOLD),
        ("hold: codex", ACCEPT),
        ("hold: claude@web", ACCEPT),
        ("hold: '*'\naccept: claude", ACCEPT),
        ("refuse: '*'\nhold: claude", HOLD),
        ("accept: '*'\nrefuse: '*'\nhold: '*'", REFUSE),
        ("accept: claude\nhold: claude", HOLD),
        ("hold: claude\nrefuse: claude", REFUSE),
        ("hold: {claude: yes}", ACCEPT),
        ("hold:", ACCEPT),
        ("hold: *", HOLD),  # no YAML: a damaged card
        ("refuse: &a [*a]", HOLD),
    ],
)
def test_who_is_named_goes_before_everybody_and_the_stricter_counts(where: Tree, front: str, verdict: str) -> None:
    _card(where, front)
    assert Policies(CardFiles(where)).verdict("gemini", "claude") == verdict
    assert (policy.refusal(where, "gemini", "claude") is not None) is (verdict == REFUSE)


def test_a_card_that_is_missing_accepts_and_one_that_is_too_long_or_no_file_holds(where: Tree) -> None:
    assert Policies(CardFiles(where)).verdict("gemini", "claude") == ACCEPT
    assert not policy.refusal(where, "gemini", "claude")
    path = _card(where, f"refuse: claude\ntext: {'x' * 20_000}")
    assert Policies(CardFiles(where)).verdict("gemini", "claude") == HOLD
    assert Policies(CardFiles(where)).damage("gemini") == "it has 20043 bytes, and may have 16384"
    path.unlink()
    os.mkfifo(path)
    assert Policies(CardFiles(where)).verdict("gemini", "claude") == HOLD
    assert Policies(CardFiles(where)).damage("gemini") == "it is a FIFO, not a regular file"
    assert not policy.refusal(where, "gemini", "claude")


@pytest.mark.parametrize(
    "raw", [b"", b"\0" * 300, b"plain text", b"---\nname: gemini\n", b"---\nname: \xff\n---\n", b"---\n---\n"]
)
def test_a_card_whose_content_is_damaged_holds_though_it_speaks_of_nothing(where: Tree, raw: bytes) -> None:
    _card(where, "").write_bytes(raw)
    assert Policies(CardFiles(where)).verdict("gemini", "claude") == HOLD
    assert Policies(CardFiles(where)).damage("gemini")


@given(
    st.lists(
        st.tuples(st.text("ab_9é", max_size=3), st.text("ab 9:#'\"[]{}&*!|>%@`,?-~é\t\x85\ufeff", max_size=8)),
        max_size=3,
    )
)
def test_a_card_that_is_taken_for_whole_without_a_parser_is_whole(fields: list[tuple[str, str]]) -> None:
    raw = "".join(["---\n", *(f"{name}: {value}\n" for name, value in fields), "---\ntext\n"]).encode()
    if CardFile(raw).is_plain():
        assert front_matter.parse(raw)[0] == dict(fields)


def test_a_card_as_the_program_writes_it_needs_no_parser(where: Tree) -> None:
    cards.introduce(where, "gemini", "gemini-cli-mcp-client", "My Project")
    assert CardFile(Path(cards.card_path(where, "gemini")).read_bytes()).is_plain()


def test_a_card_is_read_again_only_when_it_changed(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    path, policies, reads = _card(where, "hold: claude"), Policies(CardFiles(where)), []
    real = policy._policy
    monkeypatch.setattr(policy, "_policy", lambda *words: (reads.append(words), real(*words))[1])
    assert [policies.verdict("gemini", who) for who in ("claude", "codex", "claude")] == [HOLD, ACCEPT, HOLD]
    assert len(reads) == 1
    path.unlink()
    assert policies.verdict("gemini", "claude") == HOLD
    policies.look_again()
    assert policies.verdict("gemini", "claude") == ACCEPT
    _card(where, "refuse: claude")
    policies.look_again()
    assert policies.verdict("gemini", "claude") == REFUSE
    policies.look_again()
    assert policies.verdict("gemini", "claude") == REFUSE
    assert len(reads) == 2


def test_a_card_is_set_to_hold_and_back(where: Tree) -> None:
    cards.change(where, "gemini", {"hold": "*", "accept": "codex"})
    assert [Policies(CardFiles(where)).verdict("gemini", who) for who in ("claude", "codex")] == [HOLD, ACCEPT]
    cards.change(where, "gemini", {"hold": ""})
    assert Policies(CardFiles(where)).verdict("gemini", "claude") == ACCEPT


def test_what_is_set_replaces_a_list(where: Tree) -> None:
    _card(where, "hold: [claude, codex]")
    cards.change(where, "gemini", {"hold": "codex"})
    assert [Policies(CardFiles(where)).verdict("gemini", who) for who in ("claude", "codex")] == [ACCEPT, HOLD]


@pytest.mark.parametrize("value", ["Claude", "claude; codex", "cla*", "@web"])
def test_a_field_names_addresses_only(where: Tree, value: str) -> None:
    with pytest.raises(BadField, match=r"hold names addresses, or \* for everybody, and '.*' is neither"):
        cards.change(where, "gemini", {"hold": value})
