"""The state of the sync with other machines, as Syncthing reports it: connections, missing files, errors."""

from __future__ import annotations

import time
from typing import Any

from ai_bridge.errors import BridgeError
from ai_bridge.machines.syncthing import nudge, setup
from ai_bridge.machines.syncthing.api import Api
from ai_bridge.machines.syncthing.nudge import SyncedFolder
from ai_bridge.mailboxes.tree import Tree

_PATIENCE_S = 2.0
_LOOK_S = 0.2


class SyncStatus:
    """A folder of Syncthing: the names of the `devices` that share it, by ID, and of those that are `connected`.

    `state` is Syncthing's word for the folder's state. `missing` is the number of files still to come here.
    `troubles` are sentences for a person.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.devices: dict[str, str] = {}
        self.connected: list[str] = []
        self.missing = 0
        self.state = "unknown"
        self.troubles: list[str] = []

    def as_json(self) -> dict[str, object]:
        return {
            "kind": "syncthing",
            "folder": self.folder,
            "machines": sorted(self.devices.values()),
            "connected": sorted(self.connected),
            "state": self.state,
            "missing": self.missing,
            "troubles": self.troubles,
        }

    def __str__(self) -> str:
        said = f"Syncthing folder {self.folder}: {len(self.connected)} of {len(self.devices)} machines connected"
        step = "in step" if self.state == "idle" and not self.missing else f"{self.state}, {self.missing} to come"
        return f"{said}, {step}"


def status_of(where: Tree) -> SyncStatus | None:
    """Return the state of the sync; None if `ai-bridge sync setup` was not run here.

    It asks Syncthing; if that fails, `troubles` says so, and nothing is raised.
    """
    place = nudge.place(where.path)
    if place is None:
        return None
    link = SyncStatus(place.folder)
    try:
        _fill(link, place, setup.api_of(place, _PATIENCE_S))
    except (BridgeError, AttributeError, KeyError, TypeError, ValueError) as trouble:
        link.troubles.append(f"{trouble}: run `ai-bridge sync setup` again")
    return link


def _fill(link: SyncStatus, place: SyncedFolder, api: Api) -> None:
    folder = dict(api.get(f"/rest/config/folders/{place.folder}"))
    me = str(api.get("/rest/system/status")["myID"])
    names = {str(one["deviceID"]): str(one.get("name") or one["deviceID"]) for one in api.get("/rest/config/devices")}
    ids = [str(one["deviceID"]) for one in folder.get("devices") or [] if one["deviceID"] != me]
    link.devices = {device: names.get(device, device) for device in ids}
    _note_connections(link, api.get("/rest/system/connections").get("connections") or {})
    status = api.get("/rest/db/status", folder=place.folder)
    link.state, link.missing = str(status["state"]), int(status.get("needTotalItems") or status.get("needFiles") or 0)
    for name in setup.unfit(setup.Shared(folder, place.prefix)):
        link.troubles.append(f"{name} of Syncthing's folder {place.folder} is not as mail wants it")
    errors = api.get("/rest/folder/errors", folder=place.folder).get("errors") or []
    link.troubles += [f"{one.get('path')}: {one.get('error')}" for one in errors[:5]]


def _note_connections(link: SyncStatus, connections: dict[str, Any]) -> None:
    link.connected = [name for device, name in link.devices.items() if connections.get(device, {}).get("connected")]
    if not link.devices:
        link.troubles.append("the folder is shared with no other machine: `ai-bridge sync setup --with DEVICE`")


def is_all_out(where: Tree, patience_s: float) -> bool:
    """Wait until every connected machine has all changes made here; False if not within `patience_s` seconds.

    The result is also False if Syncthing does not answer or no machine is connected. It is True at once if Syncthing
    was not set up: on a share there is nothing to wait for.
    """
    place = nudge.place(where.path)
    if place is None:
        return True
    deadline, api = time.monotonic() + patience_s, setup.api_of(place, _PATIENCE_S)
    try:
        api.post("/rest/db/scan", folder=place.folder, sub=place.prefix)
        while not _has_all(api, place):
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_S)
    except (BridgeError, AttributeError, KeyError, TypeError, ValueError):
        return False
    return True


def _has_all(api: Api, place: SyncedFolder) -> bool:
    devices = [str(one["deviceID"]) for one in api.get(f"/rest/config/folders/{place.folder}").get("devices") or []]
    connections = api.get("/rest/system/connections").get("connections") or {}
    connected = [device for device in devices if connections.get(device, {}).get("connected")]
    told = (api.get("/rest/db/completion", folder=place.folder, device=device) for device in connected)
    return bool(connected) and all(not one.get("needItems") and not one.get("needDeletes") for one in told)
