"""A python-frontmatter handler for the YAML of pages that strangers write.

libyaml can crash on hostile text, and an alias can expand without end. So the loader is pure Python and knows no
aliases and no types but text, lists and mappings. Limit the size of what is parsed; Python limits the depth.
"""

from __future__ import annotations

from typing import Any

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
    """Writes text as the loader reads it, without quotes if YAML itself needs none."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as the library declares it


class _Handler(YAMLHandler):
    def load(self, fm: str, **_: object) -> Any:
        return yaml.load(fm, Loader=_Loader)

    def export(self, metadata: dict[str, object], **_: object) -> str:
        return yaml.dump(metadata, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000).strip()


HANDLER = _Handler()
