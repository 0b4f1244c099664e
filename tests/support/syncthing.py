"""A real Syncthing with a throw-away home, which speaks to nobody but its own address."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

from ai_bridge.machines.syncthing import nudge
from ai_bridge.machines.syncthing.api import Api, found
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system.directories import memory_of

Start = Callable[[str], "Syncthing"]


QUIET = {
    "globalAnnounceEnabled": "false",
    "localAnnounceEnabled": "false",
    "relaysEnabled": "false",
    "natEnabled": "false",
    "crashReportingEnabled": "false",
    "autoUpgradeIntervalH": "0",
    "urAccepted": "-1",
    "startBrowser": "false",
    "reconnectionIntervalS": "1",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Syncthing:
    """One instance: its `home`, its `api`, its device's `id` and the address others may reach it at."""

    def __init__(self, home: Path) -> None:
        self.home = home
        environment = {**os.environ, "HOME": str(home), "STNOUPGRADE": "1", "STNODEFAULTFOLDER": "1"}
        generate = ["syncthing", "generate", f"--home={home}"]
        subprocess.run(generate, env=environment, check=True, capture_output=True, timeout=60)
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self._configure(f"127.0.0.1:{free_port()}")
        words = ["syncthing", "serve", f"--home={home}", "--no-browser", "--no-restart", "--logfile=-"]
        self._log = (home / "log").open("wb")
        self.process = subprocess.Popen(words, env=environment, stdout=self._log, stderr=self._log)
        self.api: Api = found(str(home))
        self._await()
        self.id = str(self.api.get("/rest/system/status")["myID"])

    def _configure(self, gui: str) -> None:
        path = self.home / "config.xml"
        tree = ElementTree.parse(path)
        root = tree.getroot()
        for folder in root.findall("folder"):
            root.remove(folder)
        address = root.find("gui/address")
        options = root.find("options")
        assert address is not None
        assert options is not None
        address.text = gui
        for name in ("listenAddress", *QUIET):
            for element in options.findall(name):
                options.remove(element)
        for name, value in {"listenAddress": self.address, **QUIET}.items():
            ElementTree.SubElement(options, name).text = value
        tree.write(path)

    def _await(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"{self.api.url}/rest/noauth/health", timeout=5):
                    return
            except urllib.error.HTTPError:  # an older one has no such page, and answers
                return
            except OSError:
                assert self.process.poll() is None, (self.home / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()


def set_up(where: Tree, url: str, prefix: str = "", folder: str = "f 1") -> Path:
    """Write down what `ai-bridge sync setup` does."""
    path = Path(memory_of(nudge.FOLDER, where.path))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"url": url, "key": "secret", "folder": folder, "prefix": prefix}))
    return path
