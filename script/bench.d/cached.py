"""A fully cached build of Slipway beside bare buildctl: same daemon, Dockerfile, files, cache and attestation."""

import base64
import json
import subprocess
import time

from figures import median, spread
from stage import Unmeasured, clean_env

ROUNDS = 10
GOAL_RATIO = 1.05
GOAL_MS = 150
# Statuses and sealed logs of one round are not to weigh on the next.
SETTLE = 0.5


def measure(stage, table):
    bare = Buildctl(stage)
    ours, theirs = [], []

    def of_slipway(turn):
        # .dockerignore leaves the file out: another commit, the same image.
        ours.append(dissect(stage, stage.push({"README.md": f"Turn {turn}.\n"})))

    def of_buildctl(turn):
        theirs.append(bare.build(f"{turn:040x}"))

    for turn in range(-1, ROUNDS):
        for one in (of_slipway, of_buildctl) if turn % 2 else (of_buildctl, of_slipway):
            one(turn + 1)
            time.sleep(SETTLE)
        if turn < 0:
            # The first of each fills its cache repository.
            ours.clear(), theirs.clear()
    report(table, ours, theirs)


def report(table, ours, theirs):
    whole, bare = median([one["whole"] for one in ours]), median(theirs)
    ratio, more = whole / bare, whole - bare
    measured = f"{ratio:.2f} x ({whole:.0f} / {bare:.0f} ms)"
    table.goal("cached build, claim to tags / buildctl", measured, f"<= {GOAL_RATIO} x", ratio <= GOAL_RATIO)
    table.goal("cached build, claim to tags - buildctl", f"{more:.0f} ms", f"<= {GOAL_MS} ms", more <= GOAL_MS)
    solve = median([one["solve"] for one in ours])
    table.note("BuildKit's part / buildctl", f"{solve / bare:.2f} x ({solve:.0f} / {bare:.0f} ms)")
    table.note("before it: claim, checkout", f"{median([one['before'] for one in ours]):.0f} ms")
    table.note("after it: last log, checks, signing, tags", f"{median([one['after'] for one in ours]):.0f} ms")
    table.note("claim to tags", spread([one["whole"] for one in ours]))
    table.note("buildctl", spread(theirs))


def dissect(stage, build):
    """The parts of a build in ms, by the clocks of server and BuildKit, which are one machine's."""
    query = """SELECT s.step, s.name, s.is_cached, s.started_at, s.completed_at FROM build_step s
        JOIN build_attempt a ON a.id = s.attempt_id JOIN build b ON b.id = a.build_id WHERE b.number = ?"""
    steps = stage.rows(query, build["number"])
    for step in steps:
        if step["name"].startswith("[") and "/" in step["name"].split("]")[0] and not step["is_cached"]:
            raise Unmeasured(f"build {build['number']} was not fully cached: {step['name']}")
    began = max(step["completed_at"] for step in steps if step["step"] == 1)
    ended = max(step["completed_at"] for step in steps)
    return {
        "whole": build["finished_at"] - build["started_at"],
        "before": began - build["started_at"],
        "solve": ended - began,
        "after": build["finished_at"] - ended,
    }


class Buildctl:
    """Pushes to a repository of the same server as mona, with the options that Slipway's builder uses."""

    def __init__(self, stage):
        sockets = list((stage.folder / "builder/daemons").glob("*/buildkitd.sock"))
        if len(sockets) != 1:
            raise Unmeasured(f"there are {len(sockets)} daemons, not one")
        self.files = stage.folder / "bare"
        self.host = f"127.0.0.1:{stage.port}"
        self.env = {**clean_env(), "DOCKER_CONFIG": str(self.credentials(stage))}
        clone = ["git", "clone", "--quiet", f"{stage.forge.url}/mona/hello.git", str(self.files)]
        run(clone, {**clean_env(), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"})
        self.source = f"{stage.forge.url}/mona/hello.git"
        self.command = [stage.programs.tool("buildctl"), "--addr", f"unix://{sockets[0]}", "build", "--progress=plain"]

    def credentials(self, stage):
        admin = [str(stage.programs.path("slipway")), "admin", "token", "add", "--user", "mona", "--scopes", "read,write"]
        token = run(admin, {**clean_env(), **stage.env}).strip()
        folder = stage.folder / "docker"
        folder.mkdir()
        login = {"auth": base64.b64encode(f"mona:{token}".encode()).decode()}
        (folder / "config.json").write_text(json.dumps({"auths": {self.host: login}}))
        return folder

    def build(self, revision):
        """Milliseconds of one build, buildctl's start among them."""
        options = {
            "filename": "Dockerfile",
            "attest:provenance": "mode=max",
            "label:org.opencontainers.image.revision": revision,
            "vcs:source": self.source,
            "vcs:revision": revision,
        }
        plain = "registry.insecure=true"
        cache = f"type=registry,ref={self.host}/mona/bare-cache:cache,{plain}"
        image = f"type=image,name={self.host}/mona/bare,push=true,push-by-digest=true,oci-mediatypes=true,{plain}"
        more = ["--frontend=dockerfile.v0", f"--local=context={self.files}", f"--local=dockerfile={self.files}"]
        more += [f"--opt={name}={value}" for name, value in options.items()]
        more += [f"--output={image}", f"--import-cache={cache}"]
        more += [f"--export-cache={cache},mode=max,image-manifest=true,oci-mediatypes=true,ignore-error=true"]
        started = time.monotonic()
        run(self.command + more, self.env)
        return (time.monotonic() - started) * 1000


def run(command, env):
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        raise Unmeasured(f"{command[0]} failed: {done.stderr.strip()[-400:]}")
    return done.stdout
