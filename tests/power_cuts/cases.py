"""What is answered before a power cut, and what must be there after it: one case for each disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.power_cuts.site import Site

_OTHER = "other-aaaaaaaa"
_TEXT = "ID: hand-1\nFrom: alice\nTo: bob\nSubject: s\n\nby hand\n"
_URL = "nats://127.0.0.1:4"


@dataclass(frozen=True)
class Case:
    """`prepare` comes before the state that is surely on the disk, `answer` after it; then the power is cut.

    `is_kept` tells, after the cut, whether what was answered is there. Without a flush it is lost, but on the file
    systems `lucky`: ext4 writes a file that replaces another (its option auto_da_alloc) before the names are flushed.
    """

    name: str
    prepare: Callable[[Site], object]
    answer: Callable[[Site], object]
    is_kept: Callable[[Site], bool]
    lucky: tuple[str, ...] = ()


def _agents(site: Site) -> None:
    site.run("init", "alice", "bob")


def _hold(site: Site) -> None:
    site.run("card", "set", "hold=*", "bob")


def _holds(site: Site) -> bool:
    return site.card("bob").get("hold") == "*"


def _then_sent(answer: Callable[[Site], object]) -> Callable[[Site], object]:
    """Have a message accepted after the answer: its flush may bring a file's name to the disk without its content."""

    def both(site: Site) -> None:
        answer(site)
        site.send("after it")

    return both


def _editor(site: Site) -> None:
    _agents(site)
    _editor_of(site).write_text('#!/bin/sh\nprintf -- "---\\nrefuse: alice\\n---\\nby hand\\n" >"$1"\n')
    _editor_of(site).chmod(0o700)


def _editor_of(site: Site) -> Path:
    return site.root / "editor"


def _edit(site: Site) -> None:
    site.run("card", "edit", "bob", EDITOR=str(_editor_of(site)))


def _is_edited(site: Site) -> bool:
    return site.card("bob").get("refuse") == "alice"


def _shared(site: Site) -> None:
    """Make the mailboxes ones that other machines may have: there an agent without a home lives nowhere."""
    (site.mailboxes / ".stfolder").mkdir(parents=True)


def _works(site: Site) -> bool:
    site.send("hello")
    return "hello" in site.read()


def _has_arrived(site: Site) -> bool:
    return "after it" in site.read()


def _held(site: Site) -> None:
    _agents(site)
    _hold(site)
    site.send("held")
    site.run("router", "--once")
    assert any(name.endswith(".reason") for name in site.files(".held"))


def _is_let_go(site: Site) -> bool:
    return "held" in site.read() and not site.files(".held")


def _two_machines(site: Site) -> None:
    _shared(site)
    site.run("init", "alice", "bob", "carol")
    (site.mailboxes / "agents" / "carol.md").write_text(f"---\nname: carol\nhome: {_OTHER}\n---\n")
    site.run("card", "move-home", "bob")  # it is here, which is said to the others


def _move(site: Site) -> None:
    site.run("card", "move-home", "bob", "--to", _OTHER)


def _is_moved(site: Site) -> bool:
    card = site.card("bob")
    heard = [path.read_text() for path in site.root.glob("state/*/homes/bob")]
    return (card.get("home"), card.get("epoch"), heard) == (_OTHER, "2", [f"2 {_OTHER}\n"])


def _link(site: Site) -> None:
    site.run("link", _URL, "--as", "north")


def _linked(site: Site) -> None:
    _agents(site)
    _link(site)


def _is_linked(site: Site) -> bool:
    return "north" in site.run("link")


def _read_one(site: Site) -> None:
    _agents(site)
    site.send("again")
    assert "again" in site.read()


def _restore_read(site: Site) -> None:
    (name,) = site.files(".read")
    site.run("restore", name)


def _is_unread_again(site: Site) -> bool:
    return "again" in site.read()


def _drop_bad(site: Site) -> None:
    _agents(site)
    site.drop("note.txt", "no header")


def _rejected(site: Site) -> None:
    _drop_bad(site)
    site.run("router", "--once")
    assert site.files(".malformed") == ["note.txt", "note.txt.reason"]
    (site.mailboxes / "alice-outbox" / ".malformed" / "note.txt").write_text(_TEXT)


def _is_restored(site: Site) -> bool:
    return not site.files(".malformed") and "by hand" in site.read()


def _is_explained(site: Site) -> bool:
    """Tell whether what was rejected has its reason, or is still to be rejected."""
    folder = site.mailboxes / "alice-outbox" / ".malformed"
    return not (folder / "note.txt").exists() or (folder / "note.txt.reason").read_text().strip() != ""


CASES = [
    Case("a card was set", _agents, _hold, _holds),
    Case("a card was set, then a message sent", _agents, _then_sent(_hold), _holds, ("ext4",)),
    Case("a card was edited", _editor, _edit, _is_edited),
    Case("init", _shared, _agents, _works),
    Case("init, then a message sent", _shared, _then_sent(_agents), _has_arrived),
    Case("mail was allowed", _held, lambda site: site.run("allow", "alice"), _is_let_go),
    Case("an agent was moved to another machine", _two_machines, _move, _is_moved),
    Case("a link was made", _agents, _link, _is_linked),
    Case("a link was removed", _linked, lambda site: site.run("link", "--remove"), lambda site: not _is_linked(site)),
    Case("a read message was restored", _read_one, _restore_read, _is_unread_again),
    Case("a mended message was restored", _rejected, lambda site: site.run("restore", "note.txt"), _is_restored),
    Case("a message was rejected", _drop_bad, lambda site: site.run("router", "--once"), _is_explained),
]
