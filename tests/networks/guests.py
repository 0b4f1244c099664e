"""A plan run on a ground in a guest, and its verdict read from the guest's console."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

from tests.networks.guest import boot
from tests.networks.hosts import ROOT
from tests.networks.plan import Plan
from tests.networks.run import GROUNDS, MARK
from tests.networks.verdict import Verdict

# Beside what the plan takes: to boot, to found, to end.
_BESIDE_S = 120.0


def measure(ground: str, plan: Plan) -> Verdict:
    """Run the plan on the ground of that name in a guest; prints and returns the verdict.

    Fails where the guest told none, with the end of what its console showed.
    """
    slow = replace(plan, per_second=min(plan.per_second, GROUNDS[ground].most_per_second))
    words = [sys.executable, "-m", "tests.networks.run", ground, *plan.words()]
    code, shown = boot.run(words, 2 * (slow.length_s + plan.patience_s) + _BESIDE_S, directory=str(ROOT))
    lines = shown.splitlines()
    told = [line.removeprefix(MARK) for line in lines if line.startswith(MARK)]
    print("\n".join(line for line in lines if not line.startswith(MARK)))
    assert told, f"the guest ended with {code} and told no verdict: {shown[-1000:]}"
    return Verdict(**json.loads(told[-1]))
