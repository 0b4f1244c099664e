"""What can be set, each value and where it came from: default, shared file, user's file, environment, option.

Where no settings file exists nothing is parsed, and reading the settings costs two stat calls.
"""

import os

from ai_bridge import address
from ai_bridge.errors import BadSetting, BadSettingsFile, UnknownSetting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FILE_NAME = "settings.toml"


class Setting:
    """One setting: its default, what a value must be (as a test and in words) and its meaning.

    `choices` are all values of a setting that is a word.
    """

    __slots__ = ("choices", "default", "meaning", "minimum", "name", "wanted")

    def __init__(
        self,
        name: str,
        default: "bool | int | float | str",
        minimum: float,
        wanted: str,
        meaning: str,
        choices: "tuple[str, ...]" = (),
    ) -> None:
        self.name = name
        self.default = default
        self.minimum = minimum
        self.wanted = wanted
        self.meaning = meaning
        self.choices = choices

    @property
    def variable(self) -> str:
        """The environment variable of the same meaning."""
        return f"AI_BRIDGE_{self.name.upper()}"

    def accepts(self, value: object) -> bool:
        """Tell whether `value` is of the right type and large enough, or one of the choices."""
        if self.choices:
            return value in self.choices
        if isinstance(self.default, bool) or isinstance(value, bool):
            return isinstance(self.default, bool) and isinstance(value, bool)
        kinds = (int, float) if isinstance(self.default, float) else (int,)
        return isinstance(value, kinds) and self.minimum <= value <= _MAXIMUM

    def from_text(self, text: str) -> object:
        """Return the value an environment variable's text stands for, or the text where it stands for none."""
        if isinstance(self.default, bool):
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(
                text.lower(), text
            )
        convert: Callable[[str], object] = type(self.default)
        try:
            return convert(text)
        except ValueError:
            return text


_MAXIMUM = 1_000_000_000
OFF, NOTICE, FULL = REACH = ("off", "notice", "full")
_TABLE = (
    Setting(
        "max_message_bytes",
        1_048_576,
        1024,
        "a whole number of at least 1024 and at most 1000000000",
        "largest message file, in bytes",
    ),
    Setting(
        "max_chars",
        20_000,
        1000,
        "a whole number of at least 1000 and at most 1000000000",
        "characters in one reply to a model",
    ),
    Setting(
        "context_chars",
        8_000,
        0,
        "a whole number of at least 0 and at most 1000000000",
        "characters of excerpts within one message; what does not fit is attached",
    ),
    Setting(
        "max_attachment_bytes",
        10_485_760,
        1024,
        "a whole number of at least 1024 and at most 1000000000",
        "largest file an excerpt is taken from, in bytes",
    ),
    Setting(
        "sweep_s", 5.0, 0.05, "a number of at least 0.05 and at most 1000000000", "seconds between two full scans"
    ),
    Setting("poll", False, 0, "true or false", "look at directory times instead of waiting for events"),
    Setting(
        "poll_s",
        1.0,
        0.01,
        "a number of at least 0.01 and at most 1000000000",
        "seconds between two looks when polling",
    ),
    Setting(
        "settle_s",
        1.0,
        0.0,
        "a number of at least 0 and at most 1000000000",
        "seconds a file must be unchanged before it is refused",
    ),
    Setting(
        "stuck_s",
        60.0,
        1.0,
        "a number of at least 1 and at most 1000000000",
        "seconds after which waiting mail is a health warning",
    ),
    Setting(
        "log_bytes",
        1_000_000,
        10_000,
        "a whole number of at least 10000 and at most 1000000000",
        "size at which the router's log rotates",
    ),
    Setting(
        "reach",
        NOTICE,
        0,
        "off, notice or full",
        "what a running model is given when mail comes: nothing, a notice, or where a hook can the mail itself",
        REACH,
    ),
    Setting(
        "max_hops",
        20,
        0,
        "a whole number of at least 0 and at most 1000000000",
        "answers in a thread without a person's word; 0: any number",
    ),
    Setting(
        "pair_per_hour",
        60,
        0,
        "a whole number of at least 0 and at most 1000000000",
        "messages in an hour between two agents, without a person's; 0: any number",
    ),
    Setting(
        "team_agents",
        200,
        1,
        "a whole number of at least 1 and at most 1000000000",
        "agents that another team may have here, over a link",
    ),
    Setting(
        "team_set_aside",
        500,
        1,
        "a whole number of at least 1 and at most 1000000000",
        "messages of another team that may be held or malformed here at once, over a link",
    ),
    Setting(
        "team_refused_bytes",
        10_485_760,
        0,
        "a whole number of at least 0 and at most 1000000000",
        "bytes of another team's refused mail that are kept, over a link; the oldest goes first",
    ),
)
SETTINGS = {setting.name: setting for setting in _TABLE}


class Settings:
    """The values in force; `origins` says where each came from."""

    max_message_bytes: int
    max_chars: int
    context_chars: int
    max_attachment_bytes: int
    sweep_s: float
    poll: bool
    poll_s: float
    settle_s: float
    stuck_s: float
    log_bytes: int
    reach: str
    max_hops: int
    pair_per_hour: int
    team_agents: int
    team_set_aside: int
    team_refused_bytes: int

    def __init__(self) -> None:
        self.origins: dict[str, str] = {}
        for setting in _TABLE:
            self.put(setting.name, setting.default, "default")

    def put(self, name: str, value: object, origin: str) -> None:
        """Set one value; raises `UnknownSetting` or `BadSetting`."""
        setting = SETTINGS.get(name)
        if setting is None:
            raise UnknownSetting(key=name, origin=origin, hint=address.hint(name, SETTINGS))
        if not setting.accepts(value):
            raise BadSetting(key=name, origin=origin, value=repr(value), wanted=setting.wanted)
        setattr(self, name, float(value) if isinstance(setting.default, float) else value)  # type: ignore[arg-type]
        self.origins[name] = origin


def load(mailboxes: str, options: "Mapping[str, object] | None" = None) -> Settings:
    """Return the settings for the mailboxes at that path, in rising order of precedence.

    Raises `BadSettingsFile`, `UnknownSetting` or `BadSetting`, each with the file or variable at fault.
    """
    settings = Settings()
    for path in (os.path.join(mailboxes, FILE_NAME), user_file()):
        if os.path.isfile(path):
            for name, value in _read(path).items():
                settings.put(name, value, path)
    for setting in _TABLE:
        text = os.environ.get(setting.variable)
        if text is not None:
            settings.put(setting.name, setting.from_text(text), setting.variable)
    for name, value in (options or {}).items():
        settings.put(name, value, "option")
    return settings


def user_file() -> str:
    """Return the path of the user's own settings file, which need not exist."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return os.path.join(base, "ai-bridge", FILE_NAME)


def _read(path: str) -> "dict[str, object]":
    import tomllib

    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError, RecursionError) as error:
        raise BadSettingsFile(path=path, why=str(error)) from None
