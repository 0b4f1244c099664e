"""A python-frontmatter handler for messages, for programs that read them with that library.

It makes and reads the same bytes as `message`, which does not need it: importing the library takes longer than
parsing a message. Call the handler's own methods. `frontmatter.loads` strips the body and folds CR LF, and its
detection may hand a stranger's text to YAML.
"""

from __future__ import annotations

import re
from typing import Any

from frontmatter import Post
from frontmatter.default_handlers import BaseHandler

from ai_bridge.errors import Malformed
from ai_bridge.message import headers


class MailHandler(BaseHandler):
    """Header lines, one blank line, and the body exactly as it is."""

    FM_BOUNDARY = re.compile(r"\n\n")
    START_DELIMITER = END_DELIMITER = ""

    def detect(self, text: str) -> bool:
        """Tell whether `text` begins with a header block."""
        try:
            self.load(self.split(text)[0])
        except Malformed:
            return False
        return True

    def split(self, text: str) -> tuple[str, str]:
        """Return the header block and the body, parted at the first blank line; raises `NoBlankLine`."""
        return headers.split(text)

    def load(self, fm: str) -> dict[str, Any]:
        """Return the headers of a block; raises `Malformed`."""
        return dict(headers.load(fm))

    def export(self, metadata: dict[str, Any], **_: object) -> str:
        """Return the header block of `metadata`; raises `Malformed`."""
        return headers.export(metadata)

    def format(self, post: Post, **_: object) -> str:
        """Return the whole text of `post`; the library's own would strip the body."""
        return f"{self.export(post.metadata)}\n\n{post.content}"


HANDLER = MailHandler()
