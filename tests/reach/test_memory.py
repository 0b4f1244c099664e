"""A session's memory comes back from its file as it was; an earlier version's file is understood."""

from __future__ import annotations

from ai_bridge.reach.memory import HEARD, READ, RUNG, SHOWN, Entry, Memory, export, parse

HOUR_NS = 3600 * 10**9


def said(memory: Memory) -> dict[str, tuple[int, str, int, int, str]]:
    return {name: (one.came_ns, one.how, one.times, one.rung_ns, one.by) for name, one in memory.entries.items()}


def test_all_of_it_comes_back() -> None:
    entries = {
        "claude/a.gemini.txt": Entry(5, RUNG, 2, 7, "its socket, or another"),
        "codex/b\tc\nd.txt": Entry(6, SHOWN),
        "codex/\udcff.txt": Entry(8, HEARD, 1, 9, "`ai-bridge wait --new`"),
    }
    found = parse(export(Memory(entries, (3, 4), "process 12 34")))
    assert said(found) == said(Memory(entries))
    assert (found.wakes_ns, found.process) == ((3, 4), "process 12 34")


def test_the_file_of_an_earlier_version_is_understood() -> None:
    found = parse(b"claude/a.txt\t12\ttold\0claude/b.txt\t13\tshown")
    assert said(found) == {"claude/a.txt": (12, HEARD, 0, 0, ""), "claude/b.txt": (13, SHOWN, 0, 0, "")}


def test_what_is_no_memory_is_empty() -> None:
    for raw in (b"", b"\0\0", b"a\tb\tc", b"a\t1,2\ttold", b"\xff\0\xfe" * 9, "a\t²\ttold".encode()):
        assert not said(parse(raw))


def test_a_ring_counts_from_one_again_if_the_file_came_back() -> None:
    once = Entry(0, "").rung(10, "a push", 5)
    assert (once.times, once.rung_ns, once.how) == (1, 10, RUNG)
    assert once.rung(20, "a push", 5).times == 2
    assert once.rung(20, "a push", 6).times == 1


def test_wakes_are_those_of_the_last_hour() -> None:
    memory = Memory(wakes_ns=(1, HOUR_NS, HOUR_NS + 5))
    assert memory.woken(HOUR_NS + 3).wakes_ns == (HOUR_NS, HOUR_NS + 3)


def test_a_session_that_begins_again_forgets_its_entries_and_not_its_wakes() -> None:
    memory = Memory({"a/b": Entry(1, HEARD)}, (7,), "process 1 1")
    assert not memory.begun("").entries
    again = memory.begun("process 2 2")
    assert (again.entries, again.wakes_ns, again.process) == ({}, (7,), "process 2 2")
    assert Memory({"a/b": Entry(1, HEARD)}).begun("process 1 1").entries, "it goes on"


def test_read_messages_stay_for_a_while() -> None:
    entries = {f"a/{number}": Entry(number, HEARD, 1, number, "a hook") for number in range(200)}
    left = Memory(entries).read(entries.keys() - {"a/0"})
    assert left.entries["a/0"].how == HEARD
    assert {one.how for name, one in left.entries.items() if name != "a/0"} == {READ}
    assert len(left.entries) == 101
    assert "a/199" in left.entries
