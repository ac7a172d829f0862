"""A certificate authority of the cluster's own, by the openssl program."""

import secrets
import subprocess
from pathlib import Path

from devcluster.folders import ClusterFolders


def make_certificates(folders: ClusterFolders, addresses: list[str]) -> None:
    """CA, the API server's certificate for `addresses`, its client certificate for the kubelet, and the token key."""
    pki = folders.certificates
    if (pki / "complete").exists():
        return
    make_authority(pki)
    names = ["DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc", "DNS:localhost", *(f"IP:{ip}" for ip in addresses)]
    make_signed(pki, "apiserver", "/CN=kube-apiserver", f"subjectAltName={','.join(names)}")
    make_signed(pki, "kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client", "extendedKeyUsage=clientAuth")
    _openssl(pki, "genrsa", "-out", "sa.key", "2048")
    _openssl(pki, "rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")
    (pki / "complete").touch()


def make_tokens(folders: ClusterFolders, node: str) -> dict[str, str]:
    """Bearer tokens of the administrator and the components, kept in the API server's token file."""
    users = {
        "admin": '"system:masters"',
        "system:kube-controller-manager": '""',
        "system:kube-scheduler": '""',
        "system:kube-proxy": '""',
        f"system:node:{node}": '"system:nodes"',
    }
    path = folders.certificates / "tokens.csv"
    if not path.exists():
        lines = [f"{secrets.token_hex(24)},{user},{index},{groups}" for index, (user, groups) in enumerate(users.items())]
        path.touch(mode=0o600)
        path.write_text("\n".join(lines) + "\n")
    rows = (line.split(",") for line in path.read_text().splitlines())
    return {row[1]: row[0] for row in rows}


def make_authority(pki: Path) -> None:
    """`ca.crt`, of an authority that nobody else knows, and its `ca.key`."""
    _openssl(pki, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=devcluster-ca", "-keyout", "ca.key", "-out", "ca.crt")


def make_signed(pki: Path, name: str, subject: str, extension: str) -> None:
    """`<name>.crt` and `<name>.key`, signed by the authority of this folder."""
    (pki / f"{name}.ext").write_text(extension + "\n")
    _openssl(pki, "req", "-newkey", "rsa:2048", "-nodes", "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
    _openssl(
        pki, "x509", "-req", "-days", "3650", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
        "-in", f"{name}.csr", "-extfile", f"{name}.ext", "-out", f"{name}.crt",
    )  # fmt: skip


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
