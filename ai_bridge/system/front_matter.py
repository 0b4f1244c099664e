"""Pages that people and programs both write: YAML front matter and free text, read without trusting their writers.

The libraries are imported with the first page that is parsed or written, because most commands need none.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def parse(raw: bytes) -> "tuple[dict[str, Any], str]":
    """Return the front matter and the text of a page; raises ValueError with a sentence if it has no front matter."""
    try:
        text = raw.decode("utf-8").strip()
        found = _parsed(text) if text.startswith("---") else ({}, text)
    except UnicodeDecodeError as error:
        raise ValueError(f"the text is not UTF-8 at byte {error.start}") from None
    except Exception as trouble:  # a stranger's text may make the library raise anything
        raise ValueError(" ".join(str(trouble).split())[:200] or type(trouble).__name__) from None
    if not found[0]:
        raise ValueError("it does not begin with lines `name: value` between two lines `---`")
    return found


def _parsed(text: str) -> "tuple[dict[str, Any], str]":
    import frontmatter

    from ai_bridge.system.yaml_handler import HANDLER

    return frontmatter.parse(text, handler=HANDLER)


def format_page(metadata: "dict[str, Any]", text: str) -> bytes:
    """Return the bytes of a page with this front matter and text."""
    import frontmatter

    from ai_bridge.system.yaml_handler import HANDLER

    post = frontmatter.Post(text, HANDLER)
    post.metadata = metadata  # as arguments of the class some names would mean something else
    return f"{frontmatter.dumps(post)}\n".encode()
