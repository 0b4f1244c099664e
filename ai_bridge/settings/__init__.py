"""The settings: each value, and where it came from (default, shared file, user's file, environment, option).

If no settings file exists, nothing is parsed, and reading the settings costs two stat calls. A mistake in a file is
ignored and noted. One in a variable or an option is refused: it was meant for this very command.
"""

import os

from ai_bridge.errors import BridgeError, Malformed, disk_error
from ai_bridge.settings import toml_text
from ai_bridge.settings.setting import Seconds, Setting
from ai_bridge.system import untrusted
from ai_bridge.system.directories import config_base
from ai_bridge.text import hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME = "settings.toml"
_BYTES = 1_048_576
# Mistakes in the files that are told; the others are counted.
_SHOWN = 20


class BadSetting(BridgeError):
    sentence = "setting {key} in {origin} is {value}, but must be {wanted}"
    for_model = sentence + ": tell your user"


class UnknownSetting(BridgeError):
    sentence = "there is no setting {key} (in {origin}){hint}"
    for_model = sentence + ": tell your user"


class Unreadable(BridgeError):
    sentence = "{path} is ignored: {why}"


class BadSettingsFile(BridgeError):
    sentence = "{path} cannot be read as TOML: {why}: of it, only lines that make a guard stricter count"


class NotForShared(BridgeError):
    sentence = "setting {key} in {origin} would loosen a guard, so it is ignored: only your own {own} may do that"


OFF, NOTICE, SHORT, FULL = REACH = ("off", "notice", "short", "full")
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
    Setting("stuck_s", 60.0, 1, "seconds after which waiting mail is critical to `health`"),
    Setting("log_bytes", 1_000_000, 10_000, "size at which the router's log rotates"),
    Setting(
        "reach",
        SHORT,
        0,
        "what a running model is given when mail comes: nothing, a notice, or short mail or all mail by a hook",
        REACH,
        guard=True,
    ),
    Setting("carry_chars", 1_000, 1, "characters of a message that a hook may carry at reach = short", guard=True),
    Seconds("ring_after_s", "10,120,600", 0, "seconds after which a ring that was not heard is repeated", guard=True),
    Setting("wakes_per_hour", 30, 0, "turns per hour that mail may begin in a session; 0: any number", guard=True),
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
    Setting("archive_after", "", 0, "how old a thread is when the router archives it, such as 30d; empty: never"),
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
    """The values in force; `origins` says where each came from, `ignored` what is wrong in the files."""

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
    carry_chars: int
    ring_after_s: str
    wakes_per_hour: int
    max_hops: int
    pair_per_hour: int
    max_unread: int
    team_agents: int
    team_set_aside: int
    team_refused_bytes: int
    archive_after: str

    def __init__(self) -> None:
        self.origins: dict[str, str] = {}
        self._mistakes: list[_Mistake] = []
        for setting in _TABLE:
            setattr(self, setting.name, setting.default)
            self.origins[setting.name] = "default"

    @property
    def ignored(self) -> list[str]:
        """One sentence per mistake in the files, with file and line; the sentences are made when asked for."""
        shown = [one.sentence for one in self._mistakes[:_SHOWN]]
        more = len(self._mistakes) - len(shown)
        return [*shown, *([f"{more} more mistakes in the settings are ignored"] if more else [])]

    def put(self, name: str, value: object, origin: str) -> None:
        """Set one value; raises `UnknownSetting` or `BadSetting`."""
        setting = SETTINGS.get(name)
        if setting is None:
            raise UnknownSetting(key=name, origin=origin, hint=hint(name, SETTINGS))
        if not setting.accepts(value):
            raise BadSetting(key=name, origin=origin, value=repr(value), wanted=setting.wanted)
        setattr(self, name, float(value) if isinstance(setting.default, float) else value)  # type: ignore[arg-type]
        self.origins[name] = origin

    def put_file(self, path: str, raw: bytes, shared: bool) -> None:
        """Take over what the settings file at `path` says (`raw`); a mistake in it is ignored, and noted.

        A `shared` file cannot loosen a guard. If the file is no TOML, only its lines that make a guard stricter
        count, each by itself, because a slip elsewhere in the file must not loosen a guard.
        """
        found = toml_text.parsed(raw)
        if isinstance(found, ValueError):
            self.put_mistake(path, BadSettingsFile(path=path, why=str(found)))
            found = _strict_lines(raw)
        for name, value in found.items():
            setting = SETTINGS.get(name)
            if setting is None or not setting.accepts(value) or (shared and setting.is_loosened_by(value)):
                self._mistakes.append(_Mistake(path, raw, name, value))
            else:
                self.put(name, value, path)

    def put_mistake(self, path: str, refusal: BridgeError) -> None:
        """Note why the file at `path` is ignored as a whole."""
        self._mistakes.append(_Mistake(path, b"", "", refusal))


class _Mistake:
    """A part of a settings file that is ignored: the setting `name`, or the whole file if `name` is ''."""

    __slots__ = ("_name", "_path", "_raw", "_value")

    def __init__(self, path: str, raw: bytes, name: str, value: object) -> None:
        self._path = path
        self._raw = raw
        self._name = name
        self._value = value

    @property
    def sentence(self) -> str:
        """Says what is wrong, in which file and line."""
        if not self._name:
            return str(self._value)
        origin = f"{self._path}{toml_text.line_of(self._raw, self._name)}"
        try:
            Settings().put(self._name, self._value, origin)
        except BridgeError as refusal:
            return f"{refusal}: it is ignored"
        return str(NotForShared(key=self._name, origin=origin, own=user_file()))


def load(mailboxes: str, options: "Mapping[str, object] | None" = None) -> Settings:
    """Return the settings for the mailboxes at that path; of two values the later one counts.

    The order is: default, shared file, user's file, environment, `options`. A mistake in a file stops nobody: it is
    noted in `ignored`. Raises `BadSetting` or `UnknownSetting` for a variable or an option, and `DiskError` if a file
    cannot be read now.
    """
    settings = Settings()
    _put_file(settings, os.path.join(mailboxes, FILE_NAME), shared=True)
    if os.path.isfile(own := user_file()):
        _put_file(settings, own, shared=False)
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


def _put_file(settings: Settings, path: str, shared: bool) -> None:
    """Take over what a file says; a file that may not be read is a mistake, too. Raises `DiskError`."""
    try:
        settings.put_file(path, _read_shared(path) if shared else _read_own(path), shared)
    except FileNotFoundError:
        return
    except (Malformed, PermissionError) as trouble:
        settings.put_mistake(path, Unreadable(path=path, why=getattr(trouble, "strerror", "") or str(trouble)))
    except OSError as error:
        raise disk_error(path, error) from None


def _read_shared(path: str) -> bytes:
    return untrusted.read_file(path, _BYTES)


def _read_own(path: str) -> bytes:
    with open(path, "rb") as file:  # it may be a link to where a person keeps such files
        return file.read()


def _strict_lines(raw: bytes) -> "dict[str, object]":
    """Return the guards that single lines of a file make stricter, each line read by itself."""
    found: dict[str, object] = {}
    for said in map(toml_text.parsed, raw.splitlines()):
        found |= {} if isinstance(said, ValueError) else said
    known = [SETTINGS[name] for name in found if name in SETTINGS and SETTINGS[name].guard]
    return {
        one.name: found[one.name]
        for one in known
        if one.accepts(found[one.name]) and not one.is_loosened_by(found[one.name])
    }
