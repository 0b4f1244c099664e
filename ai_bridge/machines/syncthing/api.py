"""Syncthing's REST API on this machine: its address, its key, and one request. Source: its documentation, v1."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree

from ai_bridge.errors import BridgeError

PATIENCE_S = 10.0
_FILE = "config.xml"


class NoSyncthing(BridgeError):
    sentence = (
        "no Syncthing is set up on this machine: {why}; start it once, or name its folder of settings "
        "with --syncthing-home DIR"
    )


class SyncthingRefused(BridgeError):
    sentence = "Syncthing at {url} did not do it: {why}"


class Api:
    """Syncthing's API at `url`; each request raises `SyncthingRefused` if Syncthing does not answer it well."""

    def __init__(self, url: str, key: str, patience_s: float = PATIENCE_S) -> None:
        self.url = url.rstrip("/")
        self.key = key
        self._patience_s = patience_s

    def get(self, path: str, **words: str) -> Any:
        """Return the answer for `path`; `words` are the parameters of the query."""
        return self._request("GET", path, words, None)

    def post(self, path: str, body: object = None, **words: str) -> Any:
        """Send `body` as JSON to `path`, with `words` as parameters; returns the answer, None if it is empty."""
        return self._request("POST", path, words, body)

    def put(self, path: str, body: object) -> Any:
        """Put `body` as JSON at `path`; returns the answer, None if it is empty."""
        return self._request("PUT", path, {}, body)

    def _request(self, method: str, path: str, words: dict[str, str], body: object) -> Any:
        asked = f"{self.url}{quote(path)}" + (f"?{urlencode(words)}" if words else "")
        request = urllib.request.Request(asked, method=method, headers={"X-API-Key": self.key})
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with _opener(self.url).open(request, timeout=self._patience_s) as answer:
                raw = answer.read()
            return json.loads(raw) if raw.strip() else None
        except urllib.error.HTTPError as error:
            said = error.read(400).decode("utf-8", "replace").strip() or error.reason
            raise SyncthingRefused(url=self.url, why=f"{error.code} {said}") from None
        except (OSError, ValueError, http.client.HTTPException) as trouble:
            why = getattr(trouble, "reason", trouble)
            raise SyncthingRefused(url=self.url, why=f"{why}; is it running?") from None


def _opener(url: str) -> urllib.request.OpenerDirector:
    """Return an opener that uses no proxy, so that the key goes to this machine's own address only."""
    direct = urllib.request.ProxyHandler({})
    if urlsplit(url).scheme != "https":
        return urllib.request.build_opener(direct)
    # Syncthing signs its certificate itself.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return urllib.request.build_opener(direct, urllib.request.HTTPSHandler(context=context))


def found(home: str | None) -> Api:
    """Return the API of the Syncthing with its settings in `home`, or in its usual folders; raises `NoSyncthing`."""
    tried = [os.path.join(folder, _FILE) for folder in ([home] if home else _homes())]
    path = next(filter(os.path.isfile, tried), None)
    if path is None:
        raise NoSyncthing(why=f"there is no {' nor '.join(tried)}")
    try:
        gui = ElementTree.parse(path).getroot().find("gui")
    except (OSError, ElementTree.ParseError) as trouble:
        raise NoSyncthing(why=f"{path}: {trouble}") from None
    address, key = (gui.findtext(name, "").strip() if gui is not None else "" for name in ("address", "apikey"))
    if gui is None or not address or not key:
        raise NoSyncthing(why=f"{path} names no address and key of its API")
    return Api(f"{'https' if gui.get('tls') == 'true' else 'http'}://{_local(address)}", key)


def _homes() -> list[str]:
    home = os.path.expanduser("~")
    named = os.environ.get("STHOMEDIR")
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(home, ".local", "state")
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    mac = os.path.join(home, "Library", "Application Support", "Syncthing")
    return [*([named] if named else []), os.path.join(state, "syncthing"), os.path.join(config, "syncthing"), mac]


def _local(address: str) -> str:
    """Return the address to connect to; loopback, if Syncthing listens at all of this machine's addresses."""
    host, _, port = address.rpartition(":")
    return f"127.0.0.1:{port}" if host in ("", "0.0.0.0", "[::]", "::") else address
