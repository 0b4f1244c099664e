"""The settings: each value, and where it comes from (default, shared file, user's file, environment, option).

If no settings file exists, nothing is parsed, and reading the settings costs two stat calls.
"""

import os

from ai_bridge.errors import BridgeError, Malformed, disk_error
from ai_bridge.system import untrusted
from ai_bridge.system.directories import config_base
from ai_bridge.text import hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FILE_NAME = "settings.toml"
_BYTES = 1_048_576


class BadSetting(BridgeError):
    sentence = "setting {key} in {origin} is {value}, but must be {wanted}"
    for_model = sentence + ": tell your user"


class UnknownSetting(BridgeError):
    sentence = "there is no setting {key} (in {origin}){hint}"
    for_model = sentence + ": tell your user"


class BadSettingsFile(BridgeError):
    sentence = "{path} cannot be read as TOML: {why}"
    for_model = sentence + ": tell your user"


class NotForShared(BridgeError):
    sentence = "setting {key} in {origin} would loosen a guard, so it is ignored: only your own {own} may do that"


class Setting:
    """One setting: its `default`, the `minimum` of a number, and its `meaning` in words.

    `choices` are all words allowed, if it is a word. If the default is a tuple, it is a list of folders. A `guard`
    protects this user from what others put into the mailboxes: the shared file may make it stricter, never looser.
    The environment variable `variable` sets it, too.
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


def _is_folder(text: str) -> bool:
    return "\0" not in text and os.path.isabs(os.path.expanduser(text))


_MAXIMUM = 1_000_000_000
OFF, NOTICE, FULL = REACH = ("off", "notice", "full")
_TABLE = (
    Setting("max_message_bytes", 1_048_576, 1024, "largest message file, in bytes"),
    Setting("max_chars", 20_000, 1000, "characters in one reply to a model"),
    Setting("context_chars", 8_000, 0, "characters of excerpts within one message; what does not fit is attached"),
    Setting("max_attachment_bytes", 10_485_760, 1024, "largest file an excerpt is taken from, in bytes"),
    Setting(
        "context_folders",
        (),
        0,
        "folders outside the project whose files a model may send; only your own settings file may name them",
        guard=True,
    ),
    Setting("sweep_s", 5.0, 0.05, "seconds between two full scans"),
    Setting("poll", False, 0, "look at directory times instead of waiting for events"),
    Setting("poll_s", 1.0, 0.01, "seconds between two looks when polling"),
    Setting("settle_s", 1.0, 0, "seconds a file must be unchanged before it is refused"),
    Setting("stuck_s", 60.0, 1, "seconds after which waiting mail is a health warning"),
    Setting("log_bytes", 1_000_000, 10_000, "size at which the router's log rotates"),
    Setting(
        "reach",
        NOTICE,
        0,
        "what a running model is given when mail comes: nothing, a notice, or the mail itself if a hook can give it",
        REACH,
        guard=True,
    ),
    Setting("max_hops", 20, 0, "answers in a thread since a person wrote or approved; 0: any number", guard=True),
    Setting("pair_per_hour", 60, 0, "messages per hour of a pair that could be a loop; 0: any number", guard=True),
    Setting("max_unread", 10_000, 0, "unread messages of one agent, the rest waits; 0: any number", guard=True),
    Setting("team_agents", 200, 1, "agents that another team may have here, over a link", guard=True),
    Setting(
        "team_set_aside",
        500,
        1,
        "messages of another team that may be held or malformed here at once, over a link",
        guard=True,
    ),
    Setting(
        "team_refused_bytes",
        10_485_760,
        0,
        "bytes of another team's refused mail that are kept, over a link; the oldest goes first",
        guard=True,
    ),
)
SETTINGS = {setting.name: setting for setting in _TABLE}


class Settings:
    """The values in force; `origins` says where each came from, `ignored` why parts of the shared file are not."""

    max_message_bytes: int
    max_chars: int
    context_chars: int
    max_attachment_bytes: int
    context_folders: "tuple[str, ...] | list[str]"
    sweep_s: float
    poll: bool
    poll_s: float
    settle_s: float
    stuck_s: float
    log_bytes: int
    reach: str
    max_hops: int
    pair_per_hour: int
    max_unread: int
    team_agents: int
    team_set_aside: int
    team_refused_bytes: int

    def __init__(self) -> None:
        self.origins: dict[str, str] = {}
        self.ignored: list[str] = []
        for setting in _TABLE:
            setattr(self, setting.name, setting.default)
            self.origins[setting.name] = "default"

    def put(self, name: str, value: object, origin: str, shared: bool = False) -> None:
        """Set one value; raises `UnknownSetting`, `BadSetting`, or `NotForShared` if a `shared` file may not."""
        setting = SETTINGS.get(name)
        if setting is None:
            raise UnknownSetting(key=name, origin=origin, hint=hint(name, SETTINGS))
        if not setting.accepts(value):
            raise BadSetting(key=name, origin=origin, value=repr(value), wanted=setting.wanted)
        if shared and setting.is_loosened_by(value):
            raise NotForShared(key=name, origin=origin, own=user_file())
        setattr(self, name, float(value) if isinstance(setting.default, float) else value)  # type: ignore[arg-type]
        self.origins[name] = origin


def load(mailboxes: str, options: "Mapping[str, object] | None" = None) -> Settings:
    """Return the settings for the mailboxes at that path; of two values the later one counts.

    The order is: default, shared file, user's file, environment, `options`. Raises `BadSettingsFile`,
    `UnknownSetting` or `BadSetting`, each with the user's file or the variable at fault, and `DiskError` if a file
    cannot be read now. A mistake in the shared file stops nobody: it is ignored.
    """
    settings = Settings()
    _put_shared(settings, os.path.join(mailboxes, FILE_NAME))
    if os.path.isfile(own := user_file()):
        for name, value in _parsed(own, _read_own(own)).items():
            settings.put(name, value, own)
    for setting in _TABLE:
        text = os.environ.get(setting.variable)
        if text is not None and not setting.is_users_own:
            settings.put(setting.name, setting.from_text(text), setting.variable)
    for name, value in (options or {}).items():
        settings.put(name, value, "option")
    return settings


def user_file() -> str:
    """Return the path of the user's own settings file, which need not exist."""
    return os.path.join(config_base(), FILE_NAME)


def _put_shared(settings: Settings, path: str) -> None:
    """Take over the values of the shared file, and note those that are ignored."""
    try:
        found = _parsed(path, untrusted.read_file(path, _BYTES))
    except FileNotFoundError:
        return
    except OSError as error:
        raise disk_error(path, error) from None
    except (BadSettingsFile, Malformed) as refusal:
        settings.ignored.append(f"{refusal}; it is ignored")
        return
    for name, value in found.items():
        try:
            settings.put(name, value, path, shared=True)
        except BridgeError as refusal:
            settings.ignored.append(str(refusal))


def _read_own(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise disk_error(path, error) from None


def _parsed(path: str, raw: bytes) -> "dict[str, object]":
    import tomllib

    try:
        return tomllib.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # of TOML, or of UTF-8
        raise BadSettingsFile(path=path, why=str(error)) from None
