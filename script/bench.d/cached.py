"""A fully cached build of Slipway beside bare buildctl: same daemon, Dockerfile, files, cache and attestation."""

import base64
import json
import re
import subprocess
import time
from datetime import datetime, timezone

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

    def by_us(turn):
        # .dockerignore leaves the file out: another commit, the same image.
        ours.append(of_slipway(stage, stage.push({"README.md": f"Turn {turn}.\n"})))

    def by_them(turn):
        theirs.append(bare.build(f"{turn:040x}"))

    for turn in range(-1, ROUNDS):
        for one in (by_us, by_them) if turn % 2 else (by_them, by_us):
            one(turn + 1)
            time.sleep(SETTLE)
        if turn < 0:
            # The first of each fills its cache repository.
            ours.clear()
            theirs.clear()
    report(table, ours, theirs)


def report(table, ours, theirs):
    def middle(builds, part):
        return median([build[part] for build in builds])

    build, bare = middle(ours, "steps"), middle(theirs, "steps")
    ratio = build / bare
    measured = f"{ratio:.2f} x ({build:.0f} / {bare:.0f} ms)"
    table.goal("cached build, BuildKit's steps / buildctl's", measured, f"<= {GOAL_RATIO} x", ratio <= GOAL_RATIO)
    # All between claim and tags that is not BuildKit's.
    own = median([build["whole"] - build["steps"] for build in ours])
    table.goal("our own part: checkout, log, signing, rows", f"{own:.0f} ms", f"<= {GOAL_MS} ms", own <= GOAL_MS)
    for part, what in [
        ("before", "until BuildKit's first step: checkout / start"),
        ("after", "after its last: log, signing, tags / end"),
    ]:
        table.note(what, f"{middle(ours, part):.0f} / {middle(theirs, part):.0f} ms")
    table.note("claim to tags / buildctl, whole", f"{middle(ours, 'whole') / middle(theirs, 'whole'):.2f} x")
    table.note("claim to tags", spread([build["whole"] for build in ours]))
    table.note("buildctl", spread([build["whole"] for build in theirs]))


def of_slipway(stage, build):
    """The parts of a build in ms, by the clocks of server and BuildKit, which are one machine's."""
    query = """SELECT s.step, s.name, s.is_cached, s.started_at, s.completed_at FROM build_step s
        JOIN build_attempt a ON a.id = s.attempt_id JOIN build b ON b.id = a.build_id WHERE b.number = ?"""
    # The first step is the checkout, our own.
    steps = [tuple(row)[1:] for row in stage.rows(query, build["number"]) if row["step"] > 1]
    return parts(build["started_at"], steps, build["finished_at"])


def parts(began, steps, ended):
    """Of steps with name, cached, start and end."""
    for name, is_cached, _, _ in steps:
        if re.match(r"\[.*\d+/\d+\] ", name) and not is_cached:
            raise Unmeasured(f"a build was not fully cached: {name}")
    first = min(start for _, _, start, _ in steps)
    last = max(end for _, _, _, end in steps)
    return {"whole": ended - began, "before": first - began, "steps": last - first, "after": ended - last}


class Buildctl:
    """Pushes to a repository of the same server as mona, with the options that Slipway's builder uses."""

    def __init__(self, stage):
        sockets = list((stage.folder / "builder/daemons").glob("*/buildkitd.sock"))
        if len(sockets) != 1:
            raise Unmeasured(f"there are {len(sockets)} daemons, not one")
        self.files = stage.folder / "bare"
        # The name that the daemon was given for this registry: under another it would try TLS first.
        step = stage.rows("SELECT name FROM build_step WHERE name LIKE 'importing cache manifest from %'")[0]["name"]
        self.host = step.split(" from ")[1].split("/")[0]
        self.env = {**clean_env(), "DOCKER_CONFIG": str(self.credentials(stage))}
        clone = ["git", "clone", "--quiet", f"{stage.forge.url}/mona/hello.git", str(self.files)]
        run(clone, {**clean_env(), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"})
        self.source = f"{stage.forge.url}/mona/hello.git"
        self.command = [stage.programs.tool("buildctl"), "--addr", f"unix://{sockets[0]}", "build"]
        self.command.append("--progress=rawjson")

    def credentials(self, stage):
        admin = [str(stage.programs.path("slipway")), "admin", "token", "add", "--user", "mona"]
        admin += ["--scopes", "read,write"]
        token = run(admin, {**clean_env(), **stage.env}).stdout.strip()
        folder = stage.folder / "docker"
        folder.mkdir()
        login = {"auth": base64.b64encode(f"mona:{token}".encode()).decode()}
        (folder / "config.json").write_text(json.dumps({"auths": {self.host: login}}))
        return folder

    def build(self, revision):
        """The parts of one build in ms, buildctl's start and end among them."""
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
        began = time.time() * 1000
        told = run(self.command + more, self.env).stderr
        ended = time.time() * 1000
        return parts(began, steps_of(told), ended)


def steps_of(told):
    """Steps as buildctl tells them, a JSON document a line; the last word on each counts."""
    steps = {}
    for line in told.splitlines():
        for step in json.loads(line).get("vertexes") or []:
            steps[step["digest"]] = {**steps.get(step["digest"], {}), **step}
    ended = [step for step in steps.values() if step.get("completed")]
    return [(step["name"], step.get("cached"), clock(step["started"]), clock(step["completed"])) for step in ended]


def clock(text):
    """Milliseconds since 1970 of a time as Go writes it."""
    whole, _, rest = text.rstrip("Z").partition(".")
    seconds = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
    return (seconds + float(f"0.{rest or 0}")) * 1000


def run(command, env):
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        raise Unmeasured(f"{command[0]} failed: {done.stderr.strip()[-400:]}")
    return done
