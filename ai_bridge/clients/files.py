"""A client's files, as part of its record: where they are, what install puts into them, what the doctor checks.

Only install and the doctor need this, so a record makes it at the first use.
"""

# The name of our server in each client's files.
SERVER = "ai-bridge"
USER, PROJECT = "user", "project"
JSON, TOML = "json", "toml"

# Words or names in an order. A place in a client's settings is the outermost key first, then the next one inside.
Keys = tuple[str, ...]


class Folder:
    """The folder `name` that a client reads, in the home directory and in projects; `skill` is the skill's file.

    If the environment variable `variable` is set, the folder is the path `moved` below the directory it names.
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
    """Our server's entry in a client's file, and the environment of its process.

    `extra`: keys of this client's entry besides command, arguments and environment. `retired`: keys that an older
    install wrote with these values, which install removes. `told`: variables whose values
    the entry gives the server. `given`: the only variables of its own that the client gives a server; None for all.
    `notes`: keys under which the client keeps notes of its own in our entry.
    """

    __slots__ = ("extra", "given", "notes", "retired", "told")

    def __init__(
        self,
        extra: "dict[str, object] | None" = None,
        retired: "dict[str, object] | None" = None,
        told: Keys = (),
        given: "Keys | None" = None,
        notes: Keys = (),
    ) -> None:
        self.extra = extra or {}
        self.retired = retired or {}
        self.told = told
        self.given = given
        self.notes = notes


class ConfigFile:
    """A file of a client into which install puts the entry of the server, the hooks, both, or only settings.

    `name` is the file's name, `in_project` its name in a project ('': the same). `is_beside`: the file is in the
    directory that holds the client's folder, not in the folder. `private`: the scopes in which only the owner may
    read a new file. `defaults`: settings that install makes if they are missing. `without` says in words what does
    not work if they have other values. `members`: words that install adds to the lists at those places.
    `roots`: the place of the list of directories that the client's sandbox lets its shell write; () if there is none.
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
        "roots",
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
        roots: Keys = (),
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
        self.roots = roots

    @property
    def what(self) -> str:
        """The parts of ai-bridge in the file, in words: server, hooks, both, or the permission to use them."""
        return " and ".join(["server"] * self.has_server + ["hooks"] * self.has_hooks) or "permission"


class Policy:
    """A file of ours alone by which the client runs one command of ours without asking; for the user only.

    `place`: the file, below the client's folder. `text`: its text in TOML, with {} for the beginning of the line of
    shell. `words` follow the program in that line. `without` says what does not work without the file, and
    `in_project` what a person does if a project registers us.
    """

    __slots__ = ("in_project", "place", "text", "without", "words")

    def __init__(self, place: Keys, text: str, words: Keys, without: str, in_project: str) -> None:
        self.place = place
        self.text = text
        self.words = words
        self.without = without
        self.in_project = in_project


class Switch:
    """A setting of a client that switches our server or hooks off; `words` says in a sentence that it does.

    They are off if `keys` lead to the value `value`, or to a list that has `member`. Without both, any true value
    switches them off.
    """

    __slots__ = ("keys", "member", "value", "words")

    def __init__(self, keys: Keys, words: str, value: "bool | None" = None, member: str = "") -> None:
        self.keys = keys
        self.words = words
        self.value = value
        self.member = member


class Checks:
    """The things that the doctor looks at besides the registration.

    `switches` may be in any of the client's files. `approval`: the module whose `is_approved(project)` tells whether
    the user let the client use what the project registers; '' if the client does not ask. `asks_for_all`: without
    this approval it does not use what is registered for the user either. `probe`: arguments with which the program
    fails if its version is too old to be reached; `probe_trouble` says so in words. `quiet`: variables that keep the
    program from calling its vendor. `litters`: the program writes into its folder even if it only prints its version.
    `extensions`: the name of the folder of extensions in the client's folder. `unseen`: a sentence about
    registrations that the doctor cannot see. `reach`: the module whose `reach_findings()` yields what else keeps the
    client's sessions from being reached; '' for none.
    """

    __slots__ = (
        "approval",
        "asks_for_all",
        "extensions",
        "litters",
        "probe",
        "probe_trouble",
        "quiet",
        "reach",
        "switches",
        "unseen",
    )

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
        asks_for_all: bool = False,
        reach: str = "",
    ) -> None:
        self.switches = switches
        self.approval = approval
        self.probe = probe
        self.probe_trouble = probe_trouble
        self.quiet = quiet or {}
        self.litters = litters
        self.extensions = extensions
        self.unseen = unseen
        self.asks_for_all = asks_for_all
        self.reach = reach


class Plugin:
    """A folder that holds our part for a client, in the client's own form; `kind` is the client's word for it.

    `manifest`: the path, in that folder, of the file that registers the server. `extra`: more keys of the manifest.
    `withheld`: keys of the server's entry that the client refuses there. `context_key`: the key in the manifest that
    names a file of context; '' if it reads none. `place`: where, below the client's folder, the client looks for such
    a folder by itself, so that install puts server, hooks and skill there; () if it does not.
    """

    __slots__ = ("context_key", "extra", "kind", "manifest", "place", "withheld")

    def __init__(
        self,
        kind: str,
        manifest: Keys,
        extra: "dict[str, object] | None" = None,
        withheld: Keys = (),
        context_key: str = "",
        place: Keys = (),
    ) -> None:
        self.kind = kind
        self.manifest = manifest
        self.extra = extra or {}
        self.withheld = withheld
        self.context_key = context_key
        self.place = place


class Files:
    """A client's files, as install and the doctor know them.

    `config`: the files that install changes, in the order of the changes. `plugin` is None if the client reads no
    such folder. `former`: the files into which an older install put the server and hooks that call its tool, and the
    folder with the older skill; install takes both out. None if there was no other way. `policy` is None if the
    client needs none.
    """

    __slots__ = ("checks", "config", "folder", "former", "plugin", "policy", "server")

    def __init__(
        self,
        folder: Folder,
        config: tuple[ConfigFile, ...],
        server: "Server | None" = None,
        checks: "Checks | None" = None,
        plugin: "Plugin | None" = None,
        former: "Files | None" = None,
        policy: "Policy | None" = None,
    ) -> None:
        self.folder = folder
        self.config = config
        self.server = server or Server()
        self.checks = checks or Checks()
        self.plugin = plugin
        self.former = former
        self.policy = policy
