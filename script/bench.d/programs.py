"""Where the programs are: built here unless told otherwise."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from stage import Unmeasured

ROOT = Path(__file__).resolve().parent.parent.parent
CACHE = Path(os.environ.get("SLIPWAY_CACHE") or Path.home() / ".cache/slipway")


@dataclass
class Programs:
    """Folders of our own programs and of BuildKit's."""

    own: Path
    tools: Path
    profile: str

    def path(self, name):
        return self.own / name

    def tool(self, name):
        path = self.tools / name
        found = str(path) if path.exists() else shutil.which(name)
        if not found:
            raise Unmeasured(f"{name} is neither in {self.tools} nor in PATH: run script/bootstrap")
        return found


def find(options):
    """Builds what is to be built, and checks that all of it is there."""
    profile = "release" if options.release else "debug"
    target = Path(os.environ.get("CARGO_TARGET_DIR") or CACHE / "target")
    own = options.programs or target / profile
    if not (options.no_build or options.programs):
        build(target, options.release)
    for name in ["slipway", "slipway-builder", "slipway-forge"]:
        if not (own / name).exists():
            raise Unmeasured(f"{own / name} is not there: leave out --no-build and --programs to build it")
    if os.geteuid() != 0:
        raise Unmeasured("anything: builds need root, so run it as root")
    return Programs(own.resolve(), CACHE / "tools/bin", own.name)


def build(target, release):
    env = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    cargo = ["cargo", "build", "--quiet", "--locked", "--workspace", "--bins"] + (["--release"] if release else [])
    for command in ([str(ROOT / "script/bootstrap")], cargo):
        if subprocess.run(command, cwd=ROOT, env=env).returncode != 0:
            raise Unmeasured(f"anything: {' '.join(command)} failed")
