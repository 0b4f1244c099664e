"""A refusal: facts put into one sentence, which may have another form for a model, and an exit code.

A fact may be a wrong value of any length: no refusal repeats all of it.
"""

from ai_bridge.text import abridge, printable

# Characters of one fact that a person is shown, more than a path has, and a model.
_PERSONS, _MODELS = 8192, 200
# Facts of these names are sentences of this program's own: a person is shown all of one, a model so many characters.
_SENTENCES, _SENTENCE = ("what", "why"), 1000


class BridgeError(Exception):
    """A refusal: nothing was changed, or what was begun has been undone.

    `sentence` is for people and may name commands. `for_model`, if there is one, says the same to a model: it names
    tools, and a command only where the model is to tell its user of it. A fact may be a refusal itself.
    """

    exit_code = 1
    sentence = "{what}"
    for_model = ""

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(self.sentence.format(**{name: _for_person(name, fact) for name, fact in facts.items()}))

    def to_model(self) -> str:
        """Return the sentence as a model is to read it."""
        sentence = self.for_model or self.sentence
        return sentence.format(**{name: _for_model(name, fact) for name, fact in self.facts.items()})


def _for_person(name: str, fact: object) -> object:
    if not isinstance(fact, str):
        return fact
    return printable(fact) if name in _SENTENCES else abridge(printable(fact), _PERSONS)


def _for_model(name: str, fact: object) -> object:
    if isinstance(fact, BridgeError):
        return fact.to_model()
    return abridge(printable(fact), _SENTENCE if name in _SENTENCES else _MODELS) if isinstance(fact, str) else fact
