"""Pages people and programs both write: YAML front matter and free text, read without trusting whoever wrote them.

libyaml is known to crash on hostile text, and an alias to expand without end: so the loader is pure Python, knows
no aliases and no types but text, lists and mappings. Limit the size of what is parsed; depth is Python's to limit.
"""

from __future__ import annotations

from typing import Any

import frontmatter
import yaml
from frontmatter.default_handlers import YAMLHandler

_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map", None)


class _Loader(yaml.SafeLoader):
    """Mappings, lists and text, nothing else: `since: 2026-11-22` is text, an alias is refused."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as the library declares it
    yaml_constructors = {tag: yaml.SafeLoader.yaml_constructors[tag] for tag in _TAGS}  # noqa: RUF012 - as above

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    """Writes text as the loader reads it, without quotes where YAML itself needs none."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as the library declares it


class _Handler(YAMLHandler):
    def load(self, fm: str, **_: object) -> Any:
        return yaml.load(fm, Loader=_Loader)

    def export(self, metadata: dict[str, object], **_: object) -> str:
        return yaml.dump(metadata, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000).strip()


_HANDLER = _Handler()


def parse(raw: bytes) -> tuple[dict[str, Any], str]:
    """Return the front matter and the text of a page; raises ValueError with what is wrong."""
    try:
        text = raw.decode("utf-8").strip()
        found = frontmatter.parse(text, handler=_HANDLER) if text.startswith("---") else ({}, text)
    except UnicodeDecodeError as error:
        raise ValueError(f"the text is not UTF-8 at byte {error.start}") from None
    except Exception as trouble:  # whatever a stranger's text makes the library stumble over
        raise ValueError(" ".join(str(trouble).split())[:200] or type(trouble).__name__) from None
    if not found[0]:
        raise ValueError("it does not begin with lines `name: value` between two lines `---`")
    return found


def format_page(metadata: dict[str, Any], text: str) -> bytes:
    """Return the bytes of a page."""
    post = frontmatter.Post(text, _HANDLER)
    post.metadata = metadata  # as arguments of the class some names would mean something else
    return f"{frontmatter.dumps(post)}\n".encode()
