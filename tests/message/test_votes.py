"""A vote is a tag that begins a line; in doubt nobody is taken to approve."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_bridge.message.votes import APPROVE, OBJECT, vote_of


@pytest.mark.parametrize(
    ("body", "vote"),
    [
        ("[LGTM]", APPROVE),
        ("[LGTM] fine with me", APPROVE),
        ("I read it all.\n\n[LGTM]\n", APPROVE),
        ("  **[LGTM]** well done", APPROVE),
        ("- [lgtm]", APPROVE),
        ("# [LGTM]", APPROVE),
        ("`[LGTM]`", APPROVE),
        ("[LGTM]\r\nthanks\r\n", APPROVE),
        ("[CONTINUE] the lock is missing", OBJECT),
        ("Not yet.\n[Continue]: tests first", OBJECT),
        ("[CONTINUE] first, then\n[LGTM]", OBJECT),
        ("[LGTM] but\n[CONTINUE]", OBJECT),
        ("[CONTINUE] mend this and I say [LGTM]", OBJECT),
        ("", None),
        ("LGTM", None),
        ("I cannot say [LGTM] yet", None),
        ("looks good [LGTM]", None),
        ("> [LGTM] you said", None),
        ("> > [CONTINUE]", None),
        ("```\n[LGTM]\n```", None),
        ("~~~\n[CONTINUE]\n~~~\n[LGTM]", OBJECT),
        ("```py\n[LGTM]\n```\n[CONTINUE]", OBJECT),
        ("[LGTM", None),
        ("[L G T M]", None),
        ("````\n```\n[LGTM]\n```\n````\nno", None),
        ("```\n~~~\n[LGTM]\n```\nno", None),
        ("```\n[CONTINUE]\n```", OBJECT),
        ("```ls``` is broken\n[CONTINUE]", OBJECT),
        ("```ls``` is fine\n[LGTM]", APPROVE),
        ("~~~\n```\n~~~\n[LGTM]", APPROVE),
        ("\ufeff[CONTINUE]", OBJECT),
        ("\u200b\u00a0[CONTINUE]", OBJECT),
        ("I object\r[CONTINUE]", OBJECT),
        ("1. [CONTINUE] tests", OBJECT),
        ("[LGTM]/[CONTINUE]?", None),
        ("> quoted\n[LGTM]", APPROVE),
    ],
)
def test_a_tag_votes_where_it_begins_a_line(body: str, vote: str | None) -> None:
    assert vote_of(body) == vote


@given(st.text())
def test_a_text_without_a_tag_is_no_vote(text: str) -> None:
    if "LGTM" not in text.upper() and "CONTINUE" not in text.upper():
        assert vote_of(text) is None


@given(st.text(), st.text())
def test_whoever_objects_in_a_line_of_its_own_objects(before: str, after: str) -> None:
    assert vote_of(f"{before}\n[CONTINUE]\n{after}") == OBJECT
