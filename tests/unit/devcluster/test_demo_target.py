"""Which cluster the demo uses, and which commands it gives where it is kind; the programs are stand-ins that write down how they were called."""

from pathlib import Path

import pytest

from devcluster.demo_record import recorded, recorded_at, state_folder, write_down
from devcluster.demo_target import DemoError, prepare, take_down
from devcluster.find import Found, find


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of stand-ins first in PATH; gives the file in which they write their calls."""
    log = tmp_path / "called"
    for name in ("kind", "docker"):
        stand_in = tmp_path / "bin" / name
        stand_in.parent.mkdir(exist_ok=True)
        stand_in.write_text(f'#!/bin/sh\necho "{name} $*" >> {log}\n')
        stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("LABELPLANE_KUBECONFIG", "LABELPLANE_CONTEXT", "KUBEBUILDER_ASSETS"):
        monkeypatch.delenv(name, raising=False)
    return log


def test_a_cluster_is_used_only_when_it_is_named(called: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KUBECONFIG alone names nothing: it is whatever the shell last worked with."""
    monkeypatch.setenv("KUBECONFIG", "/somewhere/production")
    assert find().kind == "kind"
    monkeypatch.setenv("LABELPLANE_CONTEXT", "staging")
    assert find() == Found("named", Path("/somewhere/production"), "staging")


def test_assets_come_after_kind(called: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets/kube-apiserver").touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    assert find().kind == "kind"
    (tmp_path / "bin/kind").unlink()
    assert find().kind == "assets"
    monkeypatch.delenv("KUBEBUILDER_ASSETS")
    assert find().kind == "built"


def test_kind_gets_a_cluster_and_a_kubeconfig_of_its_own(called: Path, tmp_path: Path) -> None:
    target = prepare(Found("kind"))
    assert target.kubeconfig == tmp_path / "state/labelplane/demo/kind.kubeconfig"
    lines = called.read_text().splitlines()
    assert f"kind create cluster --name labelplane --kubeconfig {target.kubeconfig} --wait 120s" in lines
    assert sum(line.startswith("docker build ") for line in lines) == 2
    assert sum(line.startswith("kind load docker-image ") for line in lines) == 2


def test_kind_is_deleted_by_its_name(called: Path, tmp_path: Path) -> None:
    prepare(Found("kind"))
    called.unlink()
    assert take_down() == ["cluster labelplane (kind)"]
    kubeconfig = tmp_path / "state/labelplane/demo/kind.kubeconfig"
    assert called.read_text().splitlines() == [f"kind delete cluster --name labelplane --kubeconfig {kubeconfig}"]
    assert not state_folder().exists()
    assert take_down() == []


def test_a_kind_cluster_that_was_there_is_used_and_stays(called: Path, tmp_path: Path) -> None:
    """Somebody else's, under the name that ours would have."""
    kind = tmp_path / "bin/kind"
    kind.write_text(kind.read_text() + 'if [ "$1 $2" = "get clusters" ]; then echo labelplane; fi\n')
    prepare(Found("kind"))
    take_down()
    assert "create" not in called.read_text()
    assert "delete" not in called.read_text()


def test_every_cluster_that_the_demo_ran_on_is_remembered(called: Path) -> None:
    """Contexts of one kubeconfig are clusters of their own: what was made on one is never looked for on the other."""
    for context in ("blue", "green"):
        made = recorded_at("named", Path("/k"), context)
        made.namespaces.append(f"of-{context}")
        write_down(made)
    again = recorded_at("named", Path("/k"), "blue")
    again.release = "system"
    write_down(again)
    assert {made.context: (made.namespaces, made.release) for made in recorded()} == {"green": (["of-green"], None), "blue": (["of-blue"], "system")}


def test_a_named_cluster_needs_named_images(called: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LABELPLANE_OPERATOR_IMAGE", raising=False)
    with pytest.raises(DemoError, match="LABELPLANE_OPERATOR_IMAGE"):
        prepare(Found("named", Path("/k")))


