"""In a guest: `python -m tests.power_cuts.inside answer|unflushed|check ext4|xfs`, a disk for each case.

`answer` prepares all, has that written, then runs what is to be answered, says `CUT`, and waits for the cut.
`unflushed` does so too, but what is to be answered runs without the flushes that answer for it.
`check` mounts the disks again and says of each case whether what was answered is there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.power_cuts.cases import CASES, Case
from tests.power_cuts.site import Failed, Site

CUT = "CUT"
KEPT, LOST = "KEPT ", "LOST "
# Nothing is written before it is flushed: neither by a journal nor by the kernel, which would be some seconds later.
_OPTIONS = {"ext4": "commit=600", "xfs": "defaults"}
_LATER = {
    "/proc/sys/vm/dirty_writeback_centisecs": "0",
    "/proc/sys/vm/dirty_expire_centisecs": "100000",
    "/proc/sys/fs/xfs/xfssyncd_centisecs": "720000",
}


def _mount(number: int, fs: str) -> Site:
    root = Path("/mnt", str(number))
    root.mkdir()
    device = f"/dev/ubd{chr(ord('a') + number)}"
    subprocess.run(["mount", "-t", fs, "-o", _OPTIONS[fs], device, str(root)], check=True)
    return Site(root)


def _answer(sites: list[tuple[Case, Site]], program: str = "ai_bridge") -> None:
    for path, value in _LATER.items():
        if os.path.exists(path):
            Path(path).write_text(value)
    for case, site in sites:
        (site.root / "home").mkdir()
        case.prepare(site)
    os.sync()
    for case, site in sites:
        site.program = program
        case.answer(site)
    print(CUT, flush=True)
    signal.pause()


def _check(sites: list[tuple[Case, Site]]) -> None:
    for case, site in sites:
        try:
            said = "" if case.is_kept(site) else "it is not there"
        except (Failed, OSError) as trouble:
            said = str(trouble)
        print(f"{LOST}{case.name}: {said}" if said else f"{KEPT}{case.name}", flush=True)


if __name__ == "__main__":
    found = [(case, _mount(number, sys.argv[2])) for number, case in enumerate(CASES)]
    unflushed = partial(_answer, program="tests.power_cuts.unflushed")
    {"answer": _answer, "unflushed": unflushed, "check": _check}[sys.argv[1]](found)
