"""What a record of a client holds, as data alone: `ai-bridge send` imports the records each time it runs.

A client that needs code of its own names the module in its record; `clients.code` imports it when it is needed.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ai_bridge.clients.files import Files

# What a session is reached by if nothing more is known of its client.
_BY_ASKING = "peer_wait, or a subscription to the inbox"


class Hooks:
    """The events at which a client runs our hook, and the form of that hook in its files.

    `events`: those that install puts the hook on. `begins`, `turn_end`, `ends`: the events at which a session begins,
    a turn of it ends, and the session ends. `refusal`: the decision by which a hook on `turn_end` makes the model go
    on, '' if a text does. `chars`: how many characters an answer may have.
    `are_commands`: a hook runs `ai-bridge hook`; else the client calls a tool of our running server.
    `units_per_s`: how a hook's timeout is counted, 1000 for milliseconds. `every_tool`: the matcher of all tools.
    `trust`: the module that reads and gives the trust a client wants before it runs hooks, and `advice` how its
    person gives it; '' if it runs them at once.
    """

    __slots__ = (
        "advice",
        "are_commands",
        "begins",
        "chars",
        "ends",
        "events",
        "every_tool",
        "refusal",
        "trust",
        "turn_end",
        "units_per_s",
    )

    def __init__(
        self,
        events: tuple[str, ...] = (),
        turn_end: str = "",
        refusal: str = "",
        are_commands: bool = False,
        units_per_s: int = 1,
        every_tool: str = "*",
        trust: str = "",
        advice: str = "",
        begins: str = "SessionStart",
        ends: str = "SessionEnd",
        chars: int = 9_000,
    ) -> None:
        self.events = events
        self.turn_end = turn_end
        self.refusal = refusal
        self.are_commands = are_commands
        self.units_per_s = units_per_s
        self.every_tool = every_tool
        self.trust = trust
        self.advice = advice
        self.begins = begins
        self.ends = ends
        self.chars = chars


class Reach:
    """How a client's sessions are reached: `module` has the code for it, '' if nothing but hooks is needed.

    `idle` and `working`: by what a session is reached that waits for its person, and one that works, in words.
    `hooks_s`: for how many seconds a working session is left to its hooks, which tell it sooner than a push that
    waits for the turn's end.
    """

    __slots__ = ("hooks_s", "idle", "module", "working")

    def __init__(
        self, module: str = "", idle: str = _BY_ASKING, working: str = _BY_ASKING, hooks_s: float = 0.0
    ) -> None:
        self.module = module
        self.idle = idle
        self.working = working
        self.hooks_s = hooks_s


class Client:
    """One client. Whatever its record leaves out is as for a client of which nothing more is known.

    Names: `name` is what people call it, and what commands take; `title` is its full name. `own_names` are what it
    calls itself when it connects to a server; if `own_beginning` is given, so is each name that begins with it.
    `agent` is the address its agent has by default, and `program` its command: both are `name` unless given.

    Sessions: `shell_variables` are set in the shells of its models. `session_variables` hold what it calls the
    session, in the environment of its servers and shells; `request_key` is the key of that in the `_meta` of its
    requests. `session_is_process`: it says nothing of sessions, but each is a process that starts its own servers and
    shells. `project_variable` holds the folder of the project.

    Limits: it shows at most `reply_limit` characters of a tool's reply (None: all), counted as bytes if
    `limit_is_bytes`. `ignores_updates`: it passes updates of resources over, so that it is offered none.

    `files`, if given, makes what install and the doctor know of its files.
    """

    __slots__ = (
        "_files",
        "_make_files",
        "agent",
        "hooks",
        "ignores_updates",
        "limit_is_bytes",
        "name",
        "own_beginning",
        "own_names",
        "program",
        "project_variable",
        "reach",
        "reply_limit",
        "request_key",
        "session_is_process",
        "session_variables",
        "shell_variables",
        "title",
    )

    def __init__(
        self,
        name: str,
        title: str,
        own_names: tuple[str, ...] = (),
        own_beginning: str = "",
        agent: str = "",
        program: str = "",
        shell_variables: tuple[str, ...] = (),
        session_variables: tuple[str, ...] = (),
        request_key: str = "",
        session_is_process: bool = False,
        project_variable: str = "",
        reply_limit: int | None = None,
        limit_is_bytes: bool = False,
        ignores_updates: bool = False,
        hooks: Hooks | None = None,
        reach: Reach | None = None,
        files: "Callable[[], Files] | None" = None,
    ) -> None:
        self.name = name
        self.title = title
        self.own_names = own_names
        self.own_beginning = own_beginning
        self.agent = agent or name
        self.program = program or name
        self.shell_variables = shell_variables
        self.session_variables = session_variables
        self.request_key = request_key
        self.session_is_process = session_is_process
        self.project_variable = project_variable
        self.reply_limit = reply_limit
        self.limit_is_bytes = limit_is_bytes
        self.ignores_updates = ignores_updates
        self.hooks = hooks or Hooks()
        self.reach = reach or Reach()
        self._make_files = files
        self._files: Files | None = None

    @property
    def own_name(self) -> str:
        """What it calls itself, '' if that is not known."""
        return self.own_names[0] if self.own_names else ""

    def calls_itself(self, own_name: str) -> bool:
        """Tell whether that is a name by which it connects."""
        begins = bool(self.own_beginning) and own_name.startswith(self.own_beginning)
        return begins or own_name in self.own_names

    @property
    def is_registrable(self) -> bool:
        """Whether install knows its files."""
        return self._make_files is not None

    @property
    def files(self) -> "Files":
        """What install and the doctor know of its files, made at the first use; raises KeyError if they know none."""
        if self._make_files is None:
            raise KeyError(self.name)
        if self._files is None:
            self._files = self._make_files()
        return self._files
