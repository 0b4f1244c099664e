"""The texts are plain English: no banned turn anywhere, and no sentence that begins with a clause as its subject."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ai_bridge.cli.main import bridge, collab
from ai_bridge.server.tools import tools
from tests.support.checkout import ROOT

BANNED = re.compile(
    r"\b(mend(s|ed|ing)?|anew|for ever|a person's word|lies? on|what mends|in its standing)\b", re.IGNORECASE
)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MODULES = sorted((ROOT / "ai_bridge").rglob("*.py"))


def banned(text: str) -> list[str]:
    """Return the banned turns in a text, whatever line ends are within them."""
    return [found.group() for found in BANNED.finditer(" ".join(text.split()))]


def clauses(text: str) -> list[str]:
    """Return the sentences of a text that begin with a clause as their subject; a question is none."""
    sentences = (" ".join(part.split()) for part in re.split(r"\n\n|\n\s*(?=[-|#*])|\n\d+\. |\|", text))
    found = []
    for sentence in (one for part in sentences for one in re.split(r"(?<=[.!?:]) +", part.strip("-*# `|"))):
        if re.match(r"(Who|Whoever|Whose|What|Whatever|Of) [a-z]", sentence) and not sentence.endswith("?"):
            found.append(sentence)
    return found


def prose(page: Path) -> str:
    """Return a page without its blocks of code, which show what programs print and people type."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def helps(command: click.Command) -> Iterator[str]:
    """Yield the help texts of a command and of all its options and commands."""
    yield command.help or ""
    yield from (getattr(parameter, "help", None) or "" for parameter in command.params)
    for _, line in getattr(command, "lazy", {}).values():
        yield line
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            yield from helps(inner)


def refusals() -> Iterator[tuple[str, str]]:
    """Yield the place and the sentence of every refusal, for people and for models."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                for line in node.body:
                    if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) in ("sentence", "for_model"):
                        texts = [part.value for part in ast.walk(line.value) if isinstance(part, ast.Constant)]
                        yield f"{path.stem}.{node.name}", "".join(map(str, texts))


@pytest.mark.parametrize("path", [*PAGES, *MODULES], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_has_a_banned_turn(path: Path) -> None:
    assert banned(path.read_text()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_sentence_of_a_page_begins_with_a_clause_as_its_subject(page: Path) -> None:
    assert clauses(prose(page)) == []


def test_no_refusal_begins_with_a_clause_as_its_subject() -> None:
    found = {place: clauses(text[:1].upper() + text[1:]) for place, text in refusals()}
    assert len(found) > 90
    assert {place: some for place, some in found.items() if some} == {}


def test_no_docstring_has_a_sentence_that_begins_with_a_clause_as_its_subject() -> None:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [(path, node) for path in MODULES for node in ast.walk(ast.parse(path.read_text()))]
    texts = [(path, ast.get_docstring(node) or "") for path, node in nodes if isinstance(node, kinds)]
    assert len(texts) > 1000
    assert [f"{path.stem}: {found}" for path, text in texts for found in clauses(text)] == []


@pytest.mark.parametrize("command", [bridge, collab], ids=["ai-bridge", "ai-collab"])
def test_no_help_text_begins_with_a_clause_as_its_subject(command: click.Command) -> None:
    texts = list(helps(command))
    assert len(texts) > 20
    assert [found for text in texts for found in clauses(text)] == []
    assert [found for text in texts for found in banned(text)] == []


def test_no_description_of_a_tool_begins_with_a_clause_as_its_subject() -> None:
    for tool in tools(["gemini"]):
        described = [tool.description or "", *re.findall(r"'description': '([^']*)'", str(tool.input_schema))]
        assert [found for text in described for found in clauses(text)] == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Who lost a directory is told. It ends.", 1),
        ("It ends. What is held stays held.", 1),
        ("- Of messages that\n  are not wanted nothing is said.", 1),
        ("What is held?", 0),
        ("| a | What stays |", 1),
        ("The one who asks. A list of all.", 0),
    ],
)
def test_a_clause_as_a_subject_is_found(text: str, count: int) -> None:
    assert len(clauses(text)) == count


@pytest.mark.parametrize("text", ["it is\nmended", "made anew", "Lies on a share", "a person's\nword"])
def test_a_banned_turn_is_found(text: str) -> None:
    assert banned(text)
