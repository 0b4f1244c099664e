"""Makes Syncthing sync the mailboxes with other machines, with the settings that mail needs.

Running it again repairs the set-up.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from ai_bridge.errors import BridgeError
from ai_bridge.machines import this_machine
from ai_bridge.machines.syncthing.api import Api
from ai_bridge.machines.syncthing.nudge import FOLDER, SyncedFolder
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import address
from ai_bridge.system import state_files

FOLDER_ID = "ai-bridge"
# Seconds Syncthing's watcher collects changes before it looks; its default is 10.
_DELAY_S = 1
# One file after another, by names, which hold the time: else a burst comes in any order.
_IN_ORDER: dict[str, Any] = {"order": "alphabetic", "copiers": 1, "maxConcurrentWrites": 1}
# Files being written, and files that file servers and this program leave for a moment.
_LOCAL = ("*-outbox/.tmp", "**/*.new", "**/.nfs*", "**/.fuse_hidden*")
_DEVICE_PARTS, _DEVICE_PART = 8, 7


class BadDevice(BridgeError):
    sentence = "{device!r} is no device ID of Syncthing: on the other machine `ai-bridge sync setup` prints it"


class FolderElsewhere(BridgeError):
    sentence = "Syncthing's folder {id} is {path}, and these mailboxes are {wanted}: give another ID with --folder"


class Shared:
    """The folder of Syncthing that holds the mailboxes: its settings, and their path in it (`prefix`, maybe '')."""

    def __init__(self, folder: dict[str, Any], prefix: str) -> None:
        self.folder = folder
        self.prefix = prefix

    @property
    def id(self) -> str:
        """The folder's ID."""
        return str(self.folder["id"])

    @property
    def is_own(self) -> bool:
        """Whether the folder holds the mailboxes and nothing else."""
        return not self.prefix


def set_up(where: Tree, api: Api, devices: list[str], addresses: list[str], folder_id: str) -> Iterator[str]:
    """Make Syncthing sync the mailboxes, step by step as this is iterated; yields a sentence after each change.

    It adds the folder `folder_id` unless a folder already holds the mailboxes, and sets what mail needs. If the
    folder holds more than mail, it only says what to set. `devices` are the IDs of other machines: each may connect,
    and gets the folder. `addresses` are URLs at which Syncthing finds the devices, besides its own ways. It adds
    ignore patterns, and writes Syncthing's address and key to the state directory. Raises `BadDevice`,
    `FolderElsewhere`, `SyncthingRefused` or OSError.
    """
    devices = [_checked(device) for device in devices]
    own = str(api.get("/rest/system/status")["myID"])
    devices = [device for device in devices if device != own]
    shared = holding(where, api)
    if shared is None:
        shared = Shared(_new_folder(where, api, folder_id), "")
        yield f"Syncthing keeps {where.path} in step, as its folder {shared.id}"
    for device in devices:
        if _add_device(api, device, addresses):
            yield f"the machine {device[:_DEVICE_PART]} may connect"
    yield from _fit(api, shared, devices)
    if _ignore(api, shared):
        yield "files being written stay on this machine (.stignore)"
    _remember(where, api, shared)
    yield f"this machine, {this_machine.here()}, is the device {own}"


def _checked(device: str) -> str:
    parts = device.strip().upper().split("-")
    if len(parts) != _DEVICE_PARTS or any(len(part) != _DEVICE_PART or not part.isalnum() for part in parts):
        raise BadDevice(device=device)
    return "-".join(parts)


def holding(where: Tree, api: Api) -> Shared | None:
    """Return the folder of Syncthing that holds the mailboxes, None if none does; raises `SyncthingRefused`."""
    wanted = os.path.realpath(where.path)
    for folder in api.get("/rest/config/folders"):
        path = os.path.realpath(os.path.expanduser(str(folder["path"])))
        if wanted == path or wanted.startswith(path + os.sep):
            inside = os.path.relpath(wanted, path)
            return Shared(folder, "" if inside == "." else inside)
    return None


def _new_folder(where: Tree, api: Api, folder_id: str) -> dict[str, Any]:
    taken = [folder for folder in api.get("/rest/config/folders") if folder["id"] == folder_id]
    if taken:
        raise FolderElsewhere(id=folder_id, path=str(taken[0]["path"]), wanted=where.path)
    folder = {"id": folder_id, "label": "ai-bridge mailboxes", "path": os.path.realpath(where.path)}
    api.post("/rest/config/folders", folder | _wanted_settings())
    return dict(api.get(f"/rest/config/folders/{folder_id}"))


def _wanted_settings() -> dict[str, Any]:
    return {
        "type": "sendreceive",
        "fsWatcherEnabled": True,
        "fsWatcherDelayS": _DELAY_S,
        "ignorePerms": True,
        **_IN_ORDER,
    }


def _add_device(api: Api, device: str, addresses: list[str]) -> bool:
    known = {str(one["deviceID"]): one for one in api.get("/rest/config/devices")}
    wanted = [*addresses, "dynamic"]
    if device in known and (not addresses or set(addresses) <= set(known[device].get("addresses") or [])):
        return False
    settings = known.get(device, {"deviceID": device, "name": f"ai-bridge {device[:_DEVICE_PART]}"})
    api.put(f"/rest/config/devices/{device}", settings | {"addresses": wanted})
    return True


def _fit(api: Api, shared: Shared, devices: list[str]) -> Iterator[str]:
    """Share the folder with the devices, and set what mail needs; only say so if the folder holds more than mail."""
    folder = shared.folder
    known = {str(one["deviceID"]) for one in folder.get("devices") or []}
    new = [device for device in devices if device not in known]
    folder["devices"] = [*(folder.get("devices") or []), *({"deviceID": device} for device in new)]
    differs = unfit(shared)
    if shared.is_own:
        folder.update(_wanted_settings(), paused=False)
    if new or (differs and shared.is_own):
        api.put(f"/rest/config/folders/{shared.id}", folder)
    for device in new:
        yield f"the folder {shared.id} is shared with {device[:_DEVICE_PART]}"
    for name in differs:
        said = "was set" if shared.is_own else "is yours to set, for the folder holds more than mail:"
        yield f"{name}={str(_wanted_settings().get(name, False)).lower()} {said} in Syncthing's folder {shared.id}"


def unfit(shared: Shared) -> list[str]:
    """Return the names of the settings of the folder that keep mail from flowing well."""
    folder = shared.folder
    slow = not folder.get("fsWatcherEnabled") or float(folder.get("fsWatcherDelayS") or 0) > _DELAY_S
    found = {
        "type": folder.get("type") != "sendreceive",
        "fsWatcherDelayS": slow,
        "ignorePerms": not folder.get("ignorePerms"),
        "paused": bool(folder.get("paused")),
        **{name: folder.get(name) != value for name, value in _IN_ORDER.items()},
    }
    return [name for name, is_wrong in found.items() if is_wrong]


def _ignore(api: Api, shared: Shared) -> bool:
    """Add patterns of files that must stay on this machine to the folder's ignore file; False if they were there."""
    lines = list(api.get("/rest/db/ignores", folder=shared.id).get("ignore") or [])
    wanted = [f"(?d)/{os.path.join(shared.prefix, pattern)}" for pattern in _LOCAL]
    missing = [line for line in wanted if line not in lines]
    if missing:
        api.post("/rest/db/ignores", {"ignore": [*missing, *lines]}, folder=shared.id)
    return bool(missing)


def _remember(where: Tree, api: Api, shared: Shared) -> None:
    """Write down Syncthing's address and key, in a file that only this user can read."""
    path = where.memory(FOLDER)
    told = {"url": api.url, "key": api.key, "folder": shared.id, "prefix": shared.prefix}
    state_files.remember(path, json.dumps(told).encode())


def api_of(place: SyncedFolder, patience_s: float) -> Api:
    """Return the API that a set-up wrote down; each request waits at most `patience_s` seconds."""
    return Api(place.url, place.key, patience_s)


def default_folder(where: Tree) -> str:
    """Return the ID for a new folder, the same on every machine on which the mailboxes have the same name."""
    name = address.name_from(os.path.basename(os.path.realpath(where.path)))
    return FOLDER_ID if name in ("", "mailboxes") else f"{FOLDER_ID}-{name}"
