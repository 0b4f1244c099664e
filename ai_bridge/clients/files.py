"""What a record says of a client's files: where they are, what we put into them, and what the doctor checks.

Install and the doctor alone need this, so a record makes it when it is asked for.
"""

# What our server is called in each client's files.
SERVER = "ai-bridge"
USER, PROJECT = "user", "project"
JSON, TOML = "json", "toml"

# Words or names in an order. As a place in a client's settings: the key in the whole, the key in what is there ….
Keys = tuple[str, ...]


class Folder:
    """The folder `name` in the home, and in a project, that a client reads; `skill` is the skill's file in it.

    `variable` moves it out of the home, to the path `moved` below what that variable names.
    """

    __slots__ = ("moved", "name", "skill", "variable")

    def __init__(
        self, name: str = "", variable: str = "", moved: str = "", skill: Keys = ("skills", "advisor", "SKILL.md")
    ) -> None:
        self.name = name
        self.variable = variable
        self.moved = moved
        self.skill = skill


class Server:
    """Our server's entry in a client's file, and what its process is given.

    `extra`: what this client's entry says besides command, arguments and environment. `told`: variables whose values
    the entry gives the server. `given`: the only variables of its own that the client gives a server; None for all.
    `notes`: keys under which the client keeps notes of its own in our entry.
    """

    __slots__ = ("extra", "given", "notes", "told")

    def __init__(
        self,
        extra: "dict[str, object] | None" = None,
        told: Keys = (),
        given: "Keys | None" = None,
        notes: Keys = (),
    ) -> None:
        self.extra = extra or {}
        self.told = told
        self.given = given
        self.notes = notes


class ConfigFile:
    """A file of a client into which install puts the entry of the server, the hooks, or both.

    `name` is the file's, `in_project` that of the one in a project if it is another. `is_beside`: it is in the
    directory that holds the client's folder, not in the folder. `private` are the scopes in which a new one is for
    its owner alone. `defaults` are settings to make if there are none, and `without` says in words what is missing
    if they have other values. `members` are to be in the lists at those places.
    """

    __slots__ = (
        "defaults",
        "form",
        "has_hooks",
        "has_server",
        "in_project",
        "is_beside",
        "members",
        "name",
        "private",
        "without",
    )

    def __init__(
        self,
        name: str,
        form: str = JSON,
        has_server: bool = False,
        has_hooks: bool = False,
        in_project: str = "",
        is_beside: bool = False,
        private: Keys = (),
        defaults: "dict[tuple[str | int, ...], object] | None" = None,
        without: str = "",
        members: "dict[tuple[str | int, ...], str] | None" = None,
    ) -> None:
        self.name = name
        self.form = form
        self.has_server = has_server
        self.has_hooks = has_hooks
        self.in_project = in_project or name
        self.is_beside = is_beside
        self.private = private
        self.defaults = defaults or {}
        self.without = without
        self.members = members or {}

    @property
    def what(self) -> str:
        """What of ours is in it, in words."""
        return " and ".join(["server"] * self.has_server + ["hooks"] * self.has_hooks)


class Switch:
    """A setting of a client that switches our server or hooks off; `words` says so.

    It is off if `keys` lead to the value `value`; to a list that has `member`; or, without both, to anything true.
    """

    __slots__ = ("keys", "member", "value", "words")

    def __init__(self, keys: Keys, words: str, value: "bool | None" = None, member: str = "") -> None:
        self.keys = keys
        self.words = words
        self.value = value
        self.member = member


class Checks:
    """What the doctor looks at besides the registration.

    `switches` may be in any of the client's files. `approval`: the module whose `is_approved(project)` tells whether
    the person let the client use what the project registers; '' if it does not ask. `probe`: words after the program
    that fail in a version that is too old to be reached, and `probe_trouble` says so. `quiet`: variables that keep
    the program from calling its vendor. `litters`: it writes into its folder even to tell its version.
    `extensions`: the folder, in its own, of its extensions. `unseen`: registrations that the doctor cannot see.
    """

    __slots__ = ("approval", "extensions", "litters", "probe", "probe_trouble", "quiet", "switches", "unseen")

    def __init__(
        self,
        switches: tuple[Switch, ...] = (),
        approval: str = "",
        probe: Keys = (),
        probe_trouble: str = "",
        quiet: "dict[str, str] | None" = None,
        litters: bool = False,
        extensions: str = "",
        unseen: str = "",
    ) -> None:
        self.switches = switches
        self.approval = approval
        self.probe = probe
        self.probe_trouble = probe_trouble
        self.quiet = quiet or {}
        self.litters = litters
        self.extensions = extensions
        self.unseen = unseen


class Plugin:
    """The folder by which our part of a client is handed on, in its own form; `kind` is what it calls that.

    `manifest`: the file in that folder that has the server. `extra`: what the manifest says besides. `server_name`:
    what the client calls the server of a plugin. `withheld`: keys of the server's entry that it refuses there.
    `context_key`: the key in the manifest that names a file of context; '' if it reads none.
    """

    __slots__ = ("context_key", "extra", "kind", "manifest", "server_name", "withheld")

    def __init__(
        self,
        kind: str,
        manifest: Keys,
        extra: "dict[str, object] | None" = None,
        server_name: str = SERVER,
        withheld: Keys = (),
        context_key: str = "",
    ) -> None:
        self.kind = kind
        self.manifest = manifest
        self.extra = extra or {}
        self.server_name = server_name
        self.withheld = withheld
        self.context_key = context_key


class Files:
    """A client's files, as install and the doctor know them.

    `config` are those that install changes, in the order in which they are of use. `plugin` is None if our part
    cannot be handed on as a folder.
    """

    __slots__ = ("checks", "config", "folder", "plugin", "server")

    def __init__(
        self,
        folder: Folder,
        config: tuple[ConfigFile, ...],
        server: "Server | None" = None,
        checks: "Checks | None" = None,
        plugin: "Plugin | None" = None,
    ) -> None:
        self.folder = folder
        self.config = config
        self.server = server or Server()
        self.checks = checks or Checks()
        self.plugin = plugin
