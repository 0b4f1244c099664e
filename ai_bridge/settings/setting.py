"""One setting: its default, the values that it accepts, and whether a value loosens a guard."""

import os

from ai_bridge.errors import BridgeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_MAXIMUM = 1_000_000_000
# Of a list of seconds.
_LEAST_S, _MOST = 0.01, 10


class Setting:
    """One setting: its `default`, the `minimum` of a number, and its `meaning` in words.

    `choices` are all words allowed, if it is a word; without them a text is a duration, or empty. If the default is a
    tuple, it is a list of folders. A `guard` protects this user from what others put into the mailboxes: the shared
    file may make it stricter, never looser. The environment variable `variable` sets it, too.
    """

    __slots__ = ("choices", "default", "guard", "meaning", "minimum", "name", "variable")

    def __init__(
        self,
        name: str,
        default: "bool | int | float | str | tuple[str, ...]",
        minimum: float,
        meaning: str,
        choices: "tuple[str, ...]" = (),
        guard: bool = False,
    ) -> None:
        self.name = name
        self.default = default
        self.minimum = minimum
        self.meaning = meaning
        self.choices = choices
        self.guard = guard
        self.variable = f"AI_BRIDGE_{name.upper()}"

    @property
    def wanted(self) -> str:
        """A description of the allowed values, for a sentence."""
        if self.choices:
            return f"{', '.join(self.choices[:-1])} or {self.choices[-1]}"
        if self.is_users_own:
            return "a list of folders, each absolute or ~/…"
        if isinstance(self.default, bool):
            return "true or false"
        if isinstance(self.default, str):
            return "a duration such as 30d, or empty"
        number = "a number" if isinstance(self.default, float) else "a whole number"
        return f"{number} of at least {self.minimum} and at most {_MAXIMUM}"

    @property
    def is_users_own(self) -> bool:
        """Whether only the user's own file may set it."""
        return isinstance(self.default, tuple)

    def accepts(self, value: object) -> bool:
        """Tell whether `value` is of the right type and large enough, or one of the choices."""
        if self.is_users_own:
            return isinstance(value, list | tuple) and all(isinstance(one, str) and _is_folder(one) for one in value)
        if self.choices:
            return value in self.choices
        if isinstance(self.default, str):
            return isinstance(value, str) and (not value or _is_duration(value))
        if isinstance(self.default, bool) or isinstance(value, bool):
            return isinstance(self.default, bool) and isinstance(value, bool)
        kinds = (int, float) if isinstance(self.default, float) else (int,)
        return isinstance(value, kinds) and self.minimum <= value <= _MAXIMUM

    def is_loosened_by(self, value: object) -> bool:
        """Tell whether this is a guard that an acceptable `value` makes looser than its default; 0 means no limit."""
        if not self.guard:
            return False
        if self.is_users_own:
            return True
        if self.choices:
            return self.choices.index(str(value)) > self.choices.index(str(self.default))
        return isinstance(value, int) and isinstance(self.default, int) and not 0 < value <= self.default

    def from_text(self, text: str) -> object:
        """Return the value for which an environment variable's text stands, or the text if it stands for none."""
        if isinstance(self.default, bool):
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(
                text.lower(), text
            )
        convert: Callable[[str], object] = type(self.default)
        try:
            return convert(text)
        except ValueError:
            return text


class Seconds(Setting):
    """A list of seconds, such as `10,120,600`; an empty text is an empty list.

    A shared file may only make it shorter, or its numbers larger.
    """

    __slots__ = ()

    @property
    def wanted(self) -> str:
        return f"seconds with commas, such as {self.default}, each at least {_LEAST_S} and at most {_MOST} of them"

    def accepts(self, value: object) -> bool:
        """Tell whether `value` is such a text."""
        try:
            found = seconds(value) if isinstance(value, str) else None
        except ValueError:
            return False
        return found is not None and len(found) <= _MOST and all(_LEAST_S <= one <= 1e9 for one in found)

    def is_loosened_by(self, value: object) -> bool:
        """Tell whether an acceptable `value` asks for more than the default does."""
        found, own = seconds(str(value)), seconds(str(self.default))
        return len(found) > len(own) or any(one < mine for one, mine in zip(found, own, strict=False))


def seconds(text: str) -> tuple[float, ...]:
    """Return the numbers in a text with commas; raises ValueError."""
    return tuple(float(one) for one in text.split(",")) if text.strip() else ()


def _is_duration(text: str) -> bool:
    from ai_bridge.system import times  # few settings are durations

    try:
        times.parse_duration(text, "")
    except BridgeError:
        return False
    return True


def _is_folder(text: str) -> bool:
    return "\0" not in text and os.path.isabs(os.path.expanduser(text))
