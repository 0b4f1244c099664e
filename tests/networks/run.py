"""`python -m tests.networks.run GROUND` runs a plan on a ground, here, and prints its verdict.

It needs root, and for some grounds what only the guest's kernel has: see `tests.networks.guest`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from dataclasses import fields, replace
from pathlib import Path

from tests.networks import evidence, workload
from tests.networks.ground import Ground
from tests.networks.nfs import Nfs, QuickNfs
from tests.networks.plan import FULL, SHORT, Plan
from tests.networks.smb import Smb
from tests.networks.sshfs import CachingSshfs, Sshfs
from tests.networks.syncthing import Syncthing
from tests.networks.verdict import Verdict, judge

GROUNDS: dict[str, type[Ground]] = {
    "syncthing": Syncthing,
    "sshfs": Sshfs,
    "sshfs-caching": CachingSshfs,
    "nfs": Nfs,
    "nfs-quick": QuickNfs,
    "smb": Smb,
}
# Before the figures, for who reads them from a console.
MARK = "VERDICT "


def measure(name: str, plan: Plan, base: Path, tell: bool = False) -> Verdict:
    """Run the plan on the ground of that name, with all its files in `base`; prints and returns the verdict.

    If `tell`, or where it is not clean, what there is to look at is printed, too.
    """
    with GROUNDS[name](base) as ground:
        plan = replace(plan, per_second=min(plan.per_second, ground.most_per_second))
        course = workload.run(ground, plan)
        verdict = judge(course)
        if tell or not verdict.is_clean:
            evidence.show(course)
    print(verdict.line(ground.name), flush=True)
    return verdict


def chosen_plan() -> Plan:
    """Return the plan the environment asks for."""
    return FULL if os.environ.get("MACHINES_FULL") else SHORT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ground", choices=GROUNDS)
    parser.add_argument("--full", action="store_true", help="the full form unless other options say otherwise")
    parser.add_argument("--keep", action="store_true", help="keep all files, and say where")
    parser.add_argument("--tell", action="store_true", help="show the evidence of a clean run, too")
    for field in fields(Plan):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(field.default))
    chosen = vars(parser.parse_args())
    ground, keep, tell = (chosen.pop(name) for name in ("ground", "keep", "tell"))
    base = Path(tempfile.mkdtemp(prefix="machines-"))
    usual = FULL if chosen.pop("full") else chosen_plan()
    said = {name: value for name, value in chosen.items() if value is not None}
    try:
        verdict = measure(ground, Plan(**{**vars(usual), **said}), base, tell)
    finally:
        if keep:
            print(f"files: {base}", file=sys.stderr)
        else:
            shutil.rmtree(base, ignore_errors=True)
    print(MARK + json.dumps(verdict.as_dict()), flush=True)
    return 0 if verdict.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
