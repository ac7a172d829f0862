"""What a node puts on the machine outside its cluster's folder, and how it goes again.

containerd, kubelet and kube-proxy clean up behind pods that end while they run. What is there when they are ended themselves, and what they
never take back, is removed here. All of it belongs to one node: `up` refuses a second on the same machine.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from devcluster import node
from devcluster.folders import ClusterFolders, program

CNI_RESULTS = Path("/var/lib/cni/results")
POD_LOGS = Path("/var/log/containers")
CGROUPS = Path("/sys/fs/cgroup")
PROC_SYS = Path("/proc/sys")
# What kubelet and kube-proxy set on a machine, and `node.prepare` itself.
SETTINGS = (
    "kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys", "kernel/panic", "kernel/panic_on_oops",
    "net/ipv4/conf/all/route_localnet", "net/ipv4/ip_forward", "net/netfilter/nf_conntrack_tcp_timeout_close_wait",
    "net/netfilter/nf_conntrack_tcp_timeout_established", "vm/overcommit_memory", "vm/panic_on_oom",
)  # fmt: skip
SHIM_SECONDS = 5.0
CHAINS = ("KUBE-FIREWALL", "KUBE-KUBELET-CANARY", "KUBE-IPTABLES-HINT")
TABLES = tuple((family, table) for family in ("iptables", "ip6tables") for table in ("mangle", "filter", "nat"))


def remember_settings(folders: ClusterFolders) -> None:
    """Write down, the first time, what the machine's settings were."""
    record = folders.root / "settings.json"
    if not record.exists():
        values = {name: _read(PROC_SYS / name) for name in SETTINGS if (PROC_SYS / name).exists()}
        record.write_text(json.dumps(values))


def restore_settings(folders: ClusterFolders) -> None:
    """Give the machine's settings their values back."""
    record = folders.root / "settings.json"
    values: dict[str, str] = json.loads(record.read_text()) if record.exists() else {}
    for name, value in values.items():
        if _read(PROC_SYS / name) != value:
            (PROC_SYS / name).write_text(value)


def remove_traces(folders: ClusterFolders) -> None:
    """Remove everything that the node made outside its folder; its processes and containers have ended."""
    bridge = node.bridge_name(folders)
    _end_shims(folders)
    remove_pod_networks(bridge)
    _quietly("ip", "link", "delete", bridge)
    _quietly(str(program("kube-proxy")), "--cleanup")
    _remove_masquerade(bridge)
    for family, table in TABLES:
        _remove_chains(family, table, CHAINS)
    remove_log_links(folders)
    _remove_empty_cgroups()
    restore_settings(folders)


def left_behind(folders: ClusterFolders) -> list[str]:
    """What is there all the same; empty when `remove_traces` did its work."""
    bridge = node.bridge_name(folders)
    found = [str(path) for path in (*_pod_results(bridge), *_log_links(folders), *_pod_cgroups())]
    found += [f"containerd-shim {pid}" for pid in _shims(folders)]
    found += [bridge] if Path(f"/sys/class/net/{bridge}").exists() else []
    return found + [f"{family} {table} {chain}" for family, table in TABLES for chain in _chains(family, table) if chain in CHAINS]


def _end_shims(folders: ClusterFolders) -> None:
    """containerd's helper of a pod outlives containerd by design; one whose pod has gone at the wrong moment would wait for ever."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in _shims(folders):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + SHIM_SECONDS
        while _shims(folders) and time.monotonic() < deadline:
            time.sleep(0.05)


def _shims(folders: ClusterFolders) -> list[int]:
    """Processes that serve this cluster's containerd, known by the address that they were started with."""
    address = node.socket_path(folders).encode()
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if _serves(path, address)]


def _serves(path: Path, address: bytes) -> bool:
    try:
        words = path.read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False  # it has just ended
    return words[0].endswith(b"containerd-shim-runc-v2") and address in words


def remove_pod_networks(network: str) -> None:
    """Network namespaces of pods that still ran (their end of the cable goes with them), and what CNI keeps about them."""
    for result in _pod_results(network):
        known = json.loads(result.read_text())
        namespace = Path(known["netns"])
        _quietly("umount", "-l", str(namespace))
        try:
            namespace.unlink(missing_ok=True)
        except OSError:
            continue  # held by somebody else: `left_behind` names it
        result.unlink()
        (CNI_RESULTS / f"cni-loopback-{known['containerId']}-lo").unlink(missing_ok=True)


def remove_log_links(folders: ClusterFolders) -> None:
    """kubelet's links to the logs of this cluster's pods."""
    for link in _log_links(folders):
        link.unlink()


def _pod_results(network: str) -> list[Path]:
    return sorted(CNI_RESULTS.glob(f"{network}-*-eth0"))


def _log_links(folders: ClusterFolders) -> list[Path]:
    links = POD_LOGS.iterdir() if POD_LOGS.exists() else ()
    return [link for link in links if link.is_symlink() and str(link.readlink()).startswith(f"{folders.root}/")]


def _pod_cgroups() -> list[Path]:
    """The kubelet's branch in every hierarchy, v1 and v2."""
    return [path for path in (CGROUPS / "kubepods", *CGROUPS.glob("*/kubepods")) if path.is_dir()]


def _remove_empty_cgroups() -> None:
    """Deepest first; one that holds a process stays."""
    for branch in _pod_cgroups():
        for folder, _, _ in os.walk(branch, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()


def _remove_masquerade(network: str) -> None:
    """Rules and chains that the bridge plugin made for pods of this network (it names the network in a comment)."""
    mark = f'name: \\"{network}\\"'
    chains = {rule[rule.index("-j") + 1] for rule in _rules("iptables", "nat", mark) if rule[1] == "POSTROUTING"}
    _remove_chains("iptables", "nat", sorted(chains))


def _remove_chains(family: str, table: str, chains: Sequence[str]) -> None:
    """Every rule that leads into these chains, then the chains."""
    for chain in set(chains) & set(_chains(family, table)):
        for rule in _rules(family, table, f"-j {chain}"):
            if rule[rule.index("-j") + 1] == chain:
                _quietly(family, "-t", table, "-D", *rule[1:])
        for flag in ("-F", "-X"):
            _quietly(family, "-t", table, flag, chain)


def _rules(family: str, table: str, mark: str) -> Iterator[list[str]]:
    return (shlex.split(line) for line in _saved(family, table) if line.startswith("-A") and mark in line)


def _chains(family: str, table: str) -> list[str]:
    return [line[1:].split()[0] for line in _saved(family, table) if line.startswith(":")]


def _saved(family: str, table: str) -> list[str]:
    if shutil.which(f"{family}-save") is None:
        return []
    return subprocess.run([f"{family}-save", "-t", table], capture_output=True, text=True, check=False).stdout.splitlines()


def _read(path: Path) -> str:
    return path.read_text().strip()


def _quietly(*command: str) -> None:
    """Run a command whose object may be gone already; `left_behind` tells whether it did its work."""
    subprocess.run(command, check=False, capture_output=True)
