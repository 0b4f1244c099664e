"""The record of a client: data only, because `ai-bridge send` imports the records each time it runs.

A client that needs code of its own names the module in its record; `clients.code` imports it when it is needed.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ai_bridge.clients.files import Files

# How a session is reached if nothing more is known of its client.
_BY_ASKING = "peer_wait, or a subscription to the inbox"


class Hooks:
    """The events at which a client runs our hook, and the form of that hook in its files.

    `events`: the events on which install puts the hook. `begins`, `turn_end`, `ends`: the events at which a session
    begins, a turn of it ends, and the session ends. `after_tool`: the event between two tool calls of a turn.
    `prompt`: the event at which a turn begins, if its input holds the text that began the turn; else ''. With
    `shows_pushes`, that event runs for each text that a push brings, also within a turn.
    `refusal`: the decision by which a hook on `turn_end` makes the model go on; '' if a text is enough. `chars`: how
    many characters an answer may have.
    `by_tool`: the events on which the client calls a tool of our running server; on the others it runs
    `ai-bridge hook`.
    `have_names`: the client shows a hook by its name, else by its whole command.
    `units_per_s`: the unit of a hook's timeout, 1000 for milliseconds. `every_tool`: the matcher of all tools.
    `trust`: the module that reads and gives the trust that a client wants before it runs hooks; '' if the client runs
    them at once. `advice` tells the user how to give that trust.
    """

    __slots__ = (
        "advice",
        "after_tool",
        "begins",
        "by_tool",
        "chars",
        "ends",
        "events",
        "every_tool",
        "have_names",
        "prompt",
        "refusal",
        "shows_pushes",
        "trust",
        "turn_end",
        "units_per_s",
    )

    def __init__(
        self,
        events: tuple[str, ...] = (),
        turn_end: str = "",
        refusal: str = "",
        by_tool: tuple[str, ...] = (),
        have_names: bool = False,
        units_per_s: int = 1,
        every_tool: str = "*",
        trust: str = "",
        advice: str = "",
        begins: str = "SessionStart",
        ends: str = "SessionEnd",
        chars: int = 9_000,
        after_tool: str = "PostToolUse",
        prompt: str = "",
        shows_pushes: bool = False,
    ) -> None:
        self.shows_pushes = shows_pushes
        self.after_tool = after_tool
        self.prompt = prompt
        self.events = events
        self.turn_end = turn_end
        self.refusal = refusal
        self.by_tool = by_tool
        self.have_names = have_names
        self.units_per_s = units_per_s
        self.every_tool = every_tool
        self.trust = trust
        self.advice = advice
        self.begins = begins
        self.ends = ends
        self.chars = chars


class Reach:
    """How a client's sessions are reached: `module` has the code for it, '' if nothing but hooks is needed.

    `idle` and `working` say in words how a session is reached while it waits for its user, and while it works.
    `push` names the way in which the session's own server reaches it. `receipt_s`: for how many seconds a session may
    not show that it heard a push. `hooks_s`: for how many seconds a working session is left to its hooks. They are
    sooner than a push that waits for the turn's end. `reconnect`: what the user does if the session's server died, as
    words after "to"; '' if nothing is known to help.
    """

    __slots__ = ("hooks_s", "idle", "module", "push", "receipt_s", "reconnect", "working")

    def __init__(
        self,
        module: str = "",
        idle: str = _BY_ASKING,
        working: str = _BY_ASKING,
        hooks_s: float = 0.0,
        push: str = "a push",
        receipt_s: float = 0.0,
        reconnect: str = "",
    ) -> None:
        self.push = push
        self.receipt_s = receipt_s
        self.module = module
        self.idle = idle
        self.working = working
        self.hooks_s = hooks_s
        self.reconnect = reconnect


class Listing:
    """How much a client's list of tools says: its model pays for it with each request.

    At most `reading_tools` agents have a tool for their mail in the list. `is_short`: the client adds a long argument
    of its own to each tool, so our words are few.
    """

    __slots__ = ("is_short", "reading_tools")

    def __init__(self, reading_tools: int = 4, is_short: bool = False) -> None:
        self.reading_tools = reading_tools
        self.is_short = is_short


class Client:
    """One client. The defaults describe a client of which only the names are known.

    Names: `name` is the short name that people and commands use; `title` is the full name. `own_names` are the names
    under which it connects to a server. With `own_beginning`, so is each name that begins with it. `agent` is the
    default address of its agent, and `program` its command: both are `name` unless given.

    Sessions: `shell_variables` are set in the shells of its models. `session_variables` hold its name for the
    session, in the environment of its servers and shells. `request_key` is the key of that name in the `_meta` of its
    requests. `session_is_process`: it does not name its sessions, but each is a process that starts its own servers
    and shells. `project_variable` holds the folder of the project.

    Limits: it shows at most `reply_limit` characters of a tool's reply (None: all), counted as bytes if
    `limit_is_bytes`. `ignores_updates`: it ignores updates of resources, so none are offered to it.

    `files`, if given, is called at the first use to make the `Files` of this client.
    """

    __slots__ = (
        "_files",
        "_make_files",
        "agent",
        "hooks",
        "ignores_updates",
        "limit_is_bytes",
        "listing",
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
        listing: Listing | None = None,
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
        self.listing = listing or Listing()
        self.hooks = hooks or Hooks()
        self.reach = reach or Reach()
        self._make_files = files
        self._files: Files | None = None

    @property
    def own_name(self) -> str:
        """The first of `own_names`; '' if none is known."""
        return self.own_names[0] if self.own_names else ""

    def calls_itself(self, own_name: str) -> bool:
        """Tell whether the client connects under this name."""
        begins = bool(self.own_beginning) and own_name.startswith(self.own_beginning)
        return begins or own_name in self.own_names

    @property
    def is_registrable(self) -> bool:
        """Whether install knows its files."""
        return self._make_files is not None

    @property
    def files(self) -> "Files":
        """The client's files, as install and the doctor know them; raises KeyError if the record has none."""
        if self._make_files is None:
            raise KeyError(self.name)
        if self._files is None:
            self._files = self._make_files()
        return self._files
