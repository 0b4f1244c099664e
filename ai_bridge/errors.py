"""Every refusal, with the one sentence that says what, where and what to do, and its exit code.

A refusal carries facts as keyword arguments; its class holds the sentence they are put into, and where that names
commands another one for models. Only the faces (command line, MCP server) print it.
"""

import errno

from ai_bridge.refusal import BridgeError as BridgeError

# --- where things are ------------------------------------------------------------------------------


class NoMailboxes(BridgeError):
    sentence = (
        "no mailboxes found from {start} upwards nor in {user}: "
        "run `ai-bridge init` here, or name them with --mailboxes DIR"
    )
    for_model = "no mailboxes found from {start} upwards nor in {user}: tell your user to run `ai-bridge init` there"


class NotMailboxes(BridgeError):
    sentence = (
        "{path} is not a mailboxes directory (no README.md and no outbox in it): "
        "if it is a share, mount it; if it is new, run `ai-bridge init --mailboxes {path}`"
    )
    for_model = (
        "{path} is not a mailboxes directory: tell your user to mount it, if it is a share, "
        "or to run `ai-bridge init --mailboxes {path}`"
    )


class NoAgents(BridgeError):
    sentence = "{path} has no agents yet: run `ai-bridge init`"
    for_model = "{path} has no agents yet: tell your user to run `ai-bridge init`"


class NoIdentity(BridgeError):
    sentence = "it is not known which agent you are: give --agent ADDRESS or set AI_BRIDGE_AGENT (known: {known})"
    for_model = "it is not known which agent you are: tell your user to set AI_BRIDGE_AGENT (known: {known})"


class BadSetting(BridgeError):
    sentence = "setting {key} in {origin} is {value}, but must be {wanted}"
    for_model = sentence + ": tell your user"


class UnknownSetting(BridgeError):
    sentence = "there is no setting {key} (in {origin}){hint}"
    for_model = sentence + ": tell your user"


class BadSettingsFile(BridgeError):
    sentence = "{path} cannot be read as TOML: {why}"
    for_model = sentence + ": tell your user"


# --- addresses --------------------------------------------------------------------------------------


class BadAddress(BridgeError):
    sentence = (
        "{address!r} is not an address: an address is name or name@project, "
        "each a lower-case letter followed by at most 31 of a-z, 0-9, _ and -"
    )


class UnknownAgent(BridgeError):
    sentence = "there is no agent {address}{hint}; known: {known} (add one with `ai-bridge init {address}`)"
    for_model = "there is no agent {address}{hint}; known: {known} (peer_list() tells more of them)"


class NobodyElse(BridgeError):
    sentence = "To: * reaches nobody: {sender} is the only agent (add one with `ai-bridge init ADDRESS`)"
    for_model = "To: * reaches nobody: {sender} is the only agent; tell your user to run `ai-bridge init ADDRESS`"


class ReservedAddress(BridgeError):
    sentence = "{address} only writes notices: it reads no mail and nobody sends in its name"


# --- the text of a message: each of these makes a dropped file malformed ----------------------------


class Malformed(BridgeError):
    """What was dropped is not a message that can be delivered."""

    sentence = "{what}"


class NotUtf8(Malformed):
    sentence = "the text is not UTF-8: byte {byte} at offset {offset} does not belong there; save it as UTF-8"


class NoBlankLine(Malformed):
    sentence = "no blank line ends the headers: put an empty line between the headers and the body"


class BadHeaderLine(Malformed):
    sentence = "header line {number} is not `Name: value`: {line!r}"


class CrlfHeaders(Malformed):
    sentence = "the header lines end in CR LF: save the headers with plain line feeds (the body may hold any)"


class ControlCharacter(Malformed):
    sentence = "header {name} holds the control character {code}: remove it"


class DuplicateHeader(Malformed):
    sentence = "header {name} stands there twice: keep one"


class MissingHeader(Malformed):
    sentence = "the required header {name} is missing: add a line `{name}: …`"


class BadId(Malformed):
    sentence = (
        "{id!r} is not a message ID: it begins with a letter or digit "
        "and holds at most 128 of letters, digits, `@`, `.`, `_` and `-`"
    )


class BadHeaderAddress(Malformed):
    sentence = "header {name} holds {address!r}, which is not an address (name or name@project, lower case)"


class ForgedSender(Malformed):
    sentence = "From is {sender}, but the file lies in the outbox of {owner}: only {owner} sends from there"


class Undeliverable(Malformed):
    sentence = "To cannot be served: {why}"


class ConflictCopy(Malformed):
    sentence = (
        "{name} is a conflict copy that a sync tool made of {original}: it was not delivered; "
        "if it says anything new, send that as a message of its own"
    )


class IdReused(Malformed):
    sentence = "the ID {id} was already used for another message to {recipient}: give this one a new ID"


class TooLarge(Malformed):
    sentence = (
        "{what} is {size} bytes, over the limit of {limit} (setting max_message_bytes): send a file's path instead"
    )


class NotAFile(Malformed):
    sentence = "{name} is {kind}, not a regular file: only regular files are delivered"


class ReleasedTooOften(Malformed):
    sentence = "the router died {times} times while it held this message: restore it once the cause is found"


# --- sending ----------------------------------------------------------------------------------------


class EmptyBody(BridgeError):
    sentence = "the body is empty: pipe text in or name a --file, or say --allow-empty"
    for_model = "the body is empty: say what the other agent should know"


class BadSubject(BridgeError):
    sentence = "the subject holds {what}: a subject is one line of text"


class BadText(BridgeError):
    sentence = "{what} is not UTF-8 text (byte {offset}): convert it first, or send a file's path instead"


class BadBatchLine(BridgeError):
    sentence = "line {number} of the batch {why}; nothing was sent"


class PartlySent(BridgeError):
    sentence = "{id} was dropped for {done} and not for {missing}: {why}"


# --- looking things up ------------------------------------------------------------------------------


class NoSuchMessage(BridgeError):
    sentence = "there is no message {id}{where}: `ai-bridge history` lists the IDs"
    for_model = "there is no message {id}{where}: peer_history() shows the IDs"


class CannotRestore(BridgeError):
    sentence = (
        "{id} is {state}, not read or malformed: there is nothing to restore (a person's `allow` is for held mail)"
    )


class NameTaken(BridgeError):
    sentence = "{name} cannot be restored: a message of that name is {state}; deal with that one first"


class NotUnread(BridgeError):
    sentence = "{ids} {verb} not unread for {agent}: nothing was acknowledged"


# --- routers and locks ------------------------------------------------------------------------------


class RouterRunning(BridgeError):
    sentence = "{agent} already has a router: {holder}; stop it with `{stop}`"


class ReaderBusy(BridgeError):
    sentence = "another session is reading {agent}'s mail just now ({holder}): try again in a moment"


class RouterFailed(BridgeError):
    sentence = "the router did not start: {why}; see {log}"


class RouterServesAll(BridgeError):
    sentence = "{agent} is served by the router of all agents ({holder}): stop that with `ai-collab stop`"


class RouterStays(BridgeError):
    sentence = (
        "the router ({holder}) did not end within {seconds} s: it may be finishing a slow disk operation; try again"
    )


class UnitDiffers(BridgeError):
    sentence = "{path} exists with other content: look at it, then use --force to replace it"


# --- the disk ---------------------------------------------------------------------------------------

_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space and try again",
    errno.EDQUOT: "the disk quota is used up; free some space and try again",
    errno.EROFS: "the file system is read-only; make it writable or choose other mailboxes",
    errno.EACCES: "permission denied; check who owns it and its mode",
    errno.EPERM: "the operation is not permitted there; check who owns it and its mode",
    errno.ENOENT: "it does not exist; check the path",
    errno.ENOTDIR: "a part of the path is not a directory; check the path",
    errno.EISDIR: "it is a directory; name a file",
    errno.EMFILE: "too many files are open; close some and try again",
    errno.EIO: "the disk reported an error; look at the system log",
    errno.ESTALE: "the share was lost; mount it again",
    errno.ENAMETOOLONG: "the name is too long; use a shorter one",
    errno.ELOOP: "it is a symbolic link, which is not followed; name the real file, or put a real directory there",
}


class DiskError(BridgeError):
    """The file system refused; `number` is its errno."""

    sentence = "{path}: {why}"

    def __init__(self, path: str, number: int, why: str) -> None:
        self.number = number
        super().__init__(path=path, why=_REMEDIES.get(number, why))


def disk_error(path: object, error: OSError) -> DiskError:
    """Return the refusal for an `OSError` met at `path`."""
    return DiskError(str(error.filename or path), error.errno or 0, error.strerror or str(error))
