"""The refusals that more than one module raises; every other one is beside the code that raises it.

A refusal carries facts as keyword arguments. Its class holds the exit code and the sentence into which the facts are
put (what happened, where, what to do). If that names commands, the class has another sentence for models. Only the
faces print a refusal.
"""

import errno

from ai_bridge.text import abridge, printable

# The most characters of one fact: for a person (more than a path has), and for a model.
_PERSONS, _MODELS = 8192, 200
# Facts with these names are this program's own sentences: a person sees all of one, a model so many characters.
_SENTENCES, _SENTENCE = ("what", "why"), 1000


class BridgeError(Exception):
    """A refusal: nothing was changed, or the change that had begun was undone.

    `sentence` is for people and may name commands. `for_model`, if there is one, says the same to a model: it names
    tools, and names a command only for the model to pass on to its user. A fact may itself be a refusal.
    """

    exit_code = 1
    sentence = "{what}"
    for_model = ""

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(self.sentence.format(**{name: _for_person(name, fact) for name, fact in facts.items()}))

    def __reduce__(self) -> "tuple[object, ...]":
        return _made_again, (type(self), self.facts)

    def to_model(self) -> str:
        """Return the sentence for a model."""
        sentence = self.for_model or self.sentence
        return sentence.format(**{name: _for_model(name, fact) for name, fact in self.facts.items()})


def _made_again(kind: "type[BridgeError]", facts: dict[str, object]) -> BridgeError:
    """Return a refusal that was copied, or that came from another process."""
    return kind(**facts)


def _for_person(name: str, fact: object) -> object:
    if not isinstance(fact, str):
        return fact
    return printable(fact) if name in _SENTENCES else _bounded(fact, _PERSONS)


def _for_model(name: str, fact: object) -> object:
    if isinstance(fact, BridgeError):
        return fact.to_model()
    return _bounded(fact, _SENTENCE if name in _SENTENCES else _MODELS) if isinstance(fact, str) else fact


def _bounded(fact: str, width: int) -> str:
    """Return the fact, printable and in at most `width` characters; no more than that of a huge one is looked at."""
    return abridge(printable(abridge(fact, width)), width)


class Malformed(BridgeError):
    """The dropped file is not a message that can be delivered."""

    sentence = "{what}"


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


class EmptyBody(BridgeError):
    sentence = "the body is empty: pipe text in or name a --file, or say --allow-empty"
    for_model = "the body is empty: say what the other agent should know"


class BadText(BridgeError):
    sentence = "{what} is not UTF-8 text (byte {offset}): convert it first, or send a file's path instead"


class NoSuchMessage(BridgeError):
    sentence = "there is no message {id}{where}: `ai-bridge history` lists the IDs, and the end of one is enough"
    for_model = "there is no message {id}{where}: peer_history() shows the IDs"


class BadDuration(BridgeError):
    """The text of an option or a setting is no duration."""

    sentence = (
        "{option}: {text!r} is no duration: give a whole number with s, m, h or d behind it, like 90m, 2h or 30d"
    )


class RouterRunning(BridgeError):
    sentence = "{what} already ({holder}): `{stop}` stops {it}"


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
    """The file system refused; `number` is its errno, 0 if it gave none."""

    sentence = "{path}: {why}"

    def __init__(self, path: str, number: int, why: str) -> None:
        self.number = number
        super().__init__(path=path, why=_REMEDIES.get(number, why))


def disk_error(path: object, error: OSError) -> DiskError:
    """Return the refusal for an `OSError` met at `path`."""
    return DiskError(str(error.filename or path), error.errno or 0, error.strerror or str(error))
