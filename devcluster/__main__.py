"""`python -m devcluster build | up | down | image | find`."""

import argparse
import shutil
import sys
from pathlib import Path

from devcluster import cluster, go_build, images
from devcluster.find import find
from devcluster.folders import ClusterFolders, cache_root
from devcluster.project_images import IMAGES
from devcluster.system_packages import PackagesMissingError, require_node_packages


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m devcluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="build the programs into the cache")
    up = commands.add_parser("up", help="start a cluster; prints the path of its kubeconfig")
    for one in (build, up):
        one.add_argument("--api-only", action="store_true", help="etcd, API server and controller-manager, no node")
    down = commands.add_parser("down", help="remove a cluster and nothing else")
    down.add_argument("--purge", action="store_true", help="also remove the cache of programs and images")
    image = commands.add_parser("images", help="build the project's images and load them into the cluster")
    commands.add_parser("find", help="tell which cluster would be used")
    for one in (up, down, image):
        one.add_argument("--name", default="dev")
    arguments = parser.parse_args()
    try:
        return int(globals()[f"_{arguments.command}"](arguments) or 0)
    except (go_build.BuildError, cluster.ClusterError, images.ImageError, PackagesMissingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _build(arguments: argparse.Namespace) -> None:
    if not arguments.api_only:
        require_node_packages()  # runc links against one of them
    go_build.build_all(api_only=arguments.api_only)


def _up(arguments: argparse.Namespace) -> None:
    print(cluster.up(arguments.name, api_only=arguments.api_only).kubeconfig)


def _down(arguments: argparse.Namespace) -> None:
    cluster.down(arguments.name)
    if arguments.purge:
        for name in ("bin", "base", "wheels"):
            shutil.rmtree(cache_root() / name, ignore_errors=True)


def _images(arguments: argparse.Namespace) -> None:
    for image in IMAGES:
        images.build(image)
        loaded = images.load(ClusterFolders(arguments.name), image.tag)
        print(f"{image.tag}: {'loaded' if loaded else 'already there'}", file=sys.stderr)


def _find(_: argparse.Namespace) -> None:
    found = find()
    print(f"{found.kind}: {found.kubeconfig or Path('(to be built)')}{f' context {found.context}' if found.context else ''}")


if __name__ == "__main__":
    sys.exit(main())
