"""The text of a settings file: its values, and the line of each."""


def parsed(raw: bytes) -> "dict[str, object] | ValueError":
    """Return what the text says, or an error that says why it is no TOML, and in which line; imports a parser."""
    import tomllib

    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return ValueError(f"byte {raw[error.start]:#04x} is not UTF-8 (at line {_number(raw[: error.start])})")
    except (ValueError, RecursionError) as error:
        return ValueError(str(error).replace("at end of document", f"at line {_number(raw.rstrip())}"))


def _number(before: bytes) -> int:
    return before.count(b"\n") + 1


def line_of(raw: bytes, name: str) -> str:
    """Return `:` and the number of the line that sets `name`; '' if no line begins with it."""
    for number, line in enumerate(raw.decode("utf-8", "replace").split("\n"), 1):
        if line.partition("=")[0].strip("[]\"' \t\ufeff").partition(".")[0] == name:
            return f":{number}"
    return ""
