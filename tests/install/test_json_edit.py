"""merge: what is put in or taken out of JSON text is all that changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_bridge.install.json_edit import NotMergeable, append, get, parse, put, take
from tests.install.layouts import LAYOUTS, OBJECTS, TEXT, VALUES


@given(OBJECTS, st.sampled_from(LAYOUTS), TEXT, VALUES)
def test_a_key_that_is_put_in_is_all_that_is_added_and_taken_out_again_leaves_the_text(
    before: dict[str, Any], layout: dict[str, Any], key: str, value: object
) -> None:
    before.pop(key, None)
    text = json.dumps(before, **layout)
    changed = put(text, (key,), value)
    assert json.loads(changed) == {**before, key: value}
    assert list(json.loads(changed)) == [*before, key]
    assert take(changed, (key,)) == text


@given(OBJECTS, st.sampled_from(LAYOUTS), st.data())
def test_a_key_that_is_taken_out_leaves_the_others_as_they_were(
    before: dict[str, Any], layout: dict[str, Any], data: st.DataObject
) -> None:
    before["one"] = 1
    key = data.draw(st.sampled_from(sorted(before)))
    left = json.loads(take(json.dumps(before, **layout), (key,)))
    assert left == {other: value for other, value in before.items() if other != key}


@given(OBJECTS, st.sampled_from(LAYOUTS), VALUES)
def test_a_value_is_replaced_where_it_stands(before: dict[str, Any], layout: dict[str, Any], value: object) -> None:
    document = {"first": {"inner": [1, 2, 3]}, **before}
    changed = json.loads(put(json.dumps(document, **layout), ("first", "inner", 1), value))
    assert changed == {**document, "first": {"inner": [1, value, 3]}}
    assert list(changed) == list(document)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{}", '{\n  "a": {\n    "b": 1\n  }\n}'),
        ('{"x":0}', '{"x":0,"a":{"b":1}}'),
        ('{"x": 0}\n', '{"x": 0, "a": {"b": 1}}\n'),
        ('{\n\t"x": 0\n}', '{\n\t"x": 0,\n\t"a": {\n\t\t"b": 1\n\t}\n}'),
        ('{\r\n    "x": 0\r\n}\r\n', '{\r\n    "x": 0,\r\n    "a": {\r\n        "b": 1\r\n    }\r\n}\r\n'),
        ('{\n  "a": {}\n}', '{\n  "a": {\n    "b": 1\n  }\n}'),
        ('{\n  "a": {"c": 2}\n}', '{\n  "a": {"c": 2, "b": 1}\n}'),
        ('{\n  "a": {\n   "c": 2}}', '{\n  "a": {\n   "c": 2,\n   "b": 1}}'),
        ('{"x": 1e2, "y": "\\u00e9é"}', '{"x": 1e2, "y": "\\u00e9é", "a": {"b": 1}}'),
    ],
)
def test_what_is_put_in_is_laid_out_as_its_neighbours_are(text: str, wanted: str) -> None:
    assert put(text, ("a", "b"), 1) == wanted


def test_an_array_is_added_to_at_its_end_and_made_where_it_is_missing() -> None:
    text = append('{"hooks": {}}', ("hooks", "Stop"), 1)
    assert json.loads(append(text, ("hooks", "Stop"), [2])) == {"hooks": {"Stop": [1, [2]]}}
    assert take(text, ("hooks", "Stop", 0)) == "{}"


def test_the_last_of_several_equal_keys_counts_as_readers_take_it() -> None:
    assert put('{"a": {"x": 1}, "a": {}}', ("a", "b"), 1) == '{"a": {"x": 1}, "a": {"b": 1}}'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1, column 1"),
        ("{", "line 1, column 2"),
        ('{"a": 1 // why\n}', "line 1, column 9"),
        ("[1]", "it holds no object"),
        ('{"a": Infinity}', "Infinity is no JSON"),
        ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", "recursion"),
    ],
)
def test_what_is_no_plain_object_is_told_with_its_place(text: str, why: str) -> None:
    with pytest.raises(NotMergeable, match=why):
        parse(text)


@pytest.mark.parametrize("value", [[], 1, None, "x"])
def test_a_container_that_is_none_is_named_and_never_replaced(value: object) -> None:
    text = json.dumps({"a": {"b": value}})
    with pytest.raises(NotMergeable, match=r"a\.b is no object"):
        put(text, ("a", "b", "c"), 1)
    if value != []:
        with pytest.raises(NotMergeable, match=r"a\.b is no list"):
            append(text, ("a", "b"), 1)


def test_nothing_is_told_from_something_that_is_null() -> None:
    assert get({"a": None}, ("a",), 1) is None
    assert get({"a": None}, ("a", "b"), 1) == 1
    assert get({"a": [0]}, ("a", 1), 1) == 1


def test_of_a_doubled_key_the_one_that_counts_is_taken_out() -> None:
    text = '{"a": {"mine": 1}, "a": {"ours": 2}}'
    assert take(text, ("a", "ours")) == '{"a": {"mine": 1}}'
