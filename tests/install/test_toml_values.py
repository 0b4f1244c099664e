"""toml_values: one setting or one word of a list changes, and every other byte of the file stays."""

from __future__ import annotations

import tomllib

import pytest

from ai_bridge.install import toml_values
from ai_bridge.install.json_edit import NotMergeable

TOP, LIST = ("grace",), ("sandbox", "roots")
OURS = ("/m", "/s")
TEXTS = ["", "a = 1\n", "# mine\n\n[tui]\nx = 1\n", "a = 1\r\n[tui]\r\nx = 1\r\n", "[tui]\nx = 1", "[sandboxed]\n"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_setting_before_all_tables_comes_and_goes(text: str) -> None:
    changed = toml_values.put(text, TOP, 10)
    assert tomllib.loads(changed) == {"grace": 10, **tomllib.loads(text)}
    assert changed.count("\n") == changed.count("\r\n") or "\r\n" not in text
    assert toml_values.take(changed, TOP) == text


@pytest.mark.parametrize("text", [text for text in TEXTS if not text or text.endswith("\n")])
def test_a_list_in_a_table_of_its_own_comes_and_goes(text: str) -> None:
    changed = toml_values.put_words(text, LIST, OURS)
    assert tomllib.loads(changed) == {**tomllib.loads(text), "sandbox": {"roots": ["/m", "/s"]}}
    assert toml_values.put_words(changed, LIST, OURS) == changed
    assert toml_values.take_words(changed, LIST, OURS) == text


@pytest.mark.parametrize(
    "text",
    [
        '[sandbox]\nroots = ["/mine"]  # here\nnet = true\n',
        '[sandbox]\nroots = [\n  "/mine", # a\n  "/too",\n]\n[tui]\n',
        'sandbox.roots = ["/mine"]\n[tui]\n',
        'sandbox = {roots = ["/mine", "/s"], net = true}\n',
        "[sandbox]\nroots = []\n",
    ],
)
def test_the_words_of_a_person_stay_in_their_order_with_their_comments(text: str) -> None:
    before = tomllib.loads(text)["sandbox"]["roots"]
    changed = toml_values.put_words(text, LIST, OURS)
    assert tomllib.loads(changed)["sandbox"]["roots"] == [*before, *(one for one in OURS if one not in before)]
    assert all(line in changed for line in text.splitlines() if "#" in line and "roots" not in line)
    new = tuple(one for one in OURS if one not in before)
    assert tomllib.loads(toml_values.take_words(changed, LIST, new, keeps_list=True)) == tomllib.loads(text)


def test_words_are_exchanged() -> None:
    changed = toml_values.put_words('[sandbox]\nroots = ["/old", "/mine"]\n', LIST, ("/new",), ("/old",))
    assert tomllib.loads(changed)["sandbox"]["roots"] == ["/mine", "/new"]


def test_a_table_that_holds_more_stays_without_the_list() -> None:
    assert toml_values.take_words('[sandbox]\nroots = ["/m"]\nnet = true\n', LIST, OURS) == "[sandbox]\nnet = true\n"


@pytest.mark.parametrize("text", ["sandbox = 1\n", "[[sandbox]]\na = 1\n", '[sandbox]\nroots = "/mine"\n'])
def test_something_else_than_a_list_is_refused_and_left(text: str) -> None:
    assert toml_values.take_words(text, LIST, OURS) == text
    with pytest.raises(NotMergeable):
        toml_values.put_words(text, LIST, OURS)
