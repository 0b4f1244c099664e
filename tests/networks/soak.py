"""`python -m tests.networks.soak` has two hosts write to each other over Syncthing for an hour, with 50 cuts."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.networks import run, software
from tests.networks.plan import soak


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ground", choices=("syncthing", "sshfs"), default="syncthing")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--messages", type=int, default=5000, help="both ways together")
    parser.add_argument("--flaps", type=int, default=50)
    chosen = parser.parse_args()
    if why := software.why_not(chosen.ground):
        print(f"error: {why}", file=sys.stderr)
        return 1
    plan = soak(chosen.seconds, chosen.messages, chosen.flaps)
    print(f"{plan}: ends in {plan.length_s / 60:.0f} minutes or a little more", flush=True)
    with tempfile.TemporaryDirectory(prefix="machines-") as base:
        return 0 if run.measure(chosen.ground, plan, Path(base), tell=True).is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
