"""What a measurement runs on: a forge, a server and a builder of their own, connected by a person."""

import os
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import web
from forge import Forge

FORGE_PATIENCE = 30
SERVER_PATIENCE = 60
BUILD_PATIENCE = 180
STOP_PATIENCE = 40


class Unmeasured(Exception):
    """Why there is no figure."""


class Stage:
    """Server and builder are processes of their own, so that memory is told apart; both die with the block."""

    def __init__(self, programs, embedded=False, builder=True, settings=None, keep=False):
        self.programs = programs
        self.embedded = embedded
        self.builder = builder
        self.settings = settings or {}
        self.keep = keep
        self.children = []

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="slipway-bench-"))
        # Git without rights reads checkouts below it.
        self.folder.chmod(0o711)
        self.port, forge_port = free_port(), free_port()
        self.url = f"http://localhost:{self.port}"
        self.forge = Forge(f"http://localhost:{forge_port}")
        try:
            self.start_forge(forge_port)
            self.server = self.start_server()
            if self.builder and not self.embedded:
                self.start_builder()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # The builder first: it stops its daemons and hands builds back.
        for child in reversed(self.children):
            child.terminate()
            try:
                child.wait(STOP_PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if self.keep:
            print(f"kept: {self.folder}", file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name, args, env):
        with open(self.folder / f"{name}.log", "ab") as log:
            command = [str(self.programs.path(name)), *args]
            env = {**clean_env(), **env}
            child = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.children.append(child)
        return child

    def start_forge(self, port):
        self.oauth_secret = secrets.token_hex(16)
        args = ["serve", "--listen", f"127.0.0.1:{port}", "--data", str(self.folder / "forge")]
        args += ["--public-url", self.forge.url, "--demo", "--control", "--client-id", "bench"]
        child = self.start("slipway-forge", args, {"SLIPWAY_FORGE_CLIENT_SECRET": self.oauth_secret})
        self.wait_for("slipway-forge", child, self.forge.url, FORGE_PATIENCE)

    def start_server(self):
        self.builder_token = secrets.token_hex(32)
        self.env = {
            "SLIPWAY_DATA_DIR": str(self.folder / "data"),
            "SLIPWAY_LISTEN": f"127.0.0.1:{self.port}",
            "SLIPWAY_PUBLIC_URL": self.url,
            "SLIPWAY_BUILDKIT_BIN_DIR": str(self.programs.tools),
            "SLIPWAY_BUILDER_EMBEDDED": "true" if self.embedded else "false",
            "SLIPWAY_BUILDER_TOKENS": self.builder_token,
            "SLIPWAY_GITHUB_URL": self.forge.url,
            "SLIPWAY_GITHUB_CLIENT_ID": "bench",
            "SLIPWAY_GITHUB_CLIENT_SECRET": self.oauth_secret,
            "SLIPWAY_SIGN_IN_USERS": "mona",
            **self.settings,
        }
        child = self.start("slipway", ["serve"], self.env)
        self.wait_for("slipway", child, f"http://127.0.0.1:{self.port}/readyz", SERVER_PATIENCE)
        return child

    def start_builder(self):
        env = {
            "SLIPWAY_BUILDER_SERVER": f"http://127.0.0.1:{self.port}",
            "SLIPWAY_BUILDER_TOKEN": self.builder_token,
            "SLIPWAY_BUILDER_WORK_DIR": str(self.folder / "builder"),
            "SLIPWAY_BUILDER_BIN_DIR": str(self.programs.tools),
        }
        self.start("slipway-builder", [], env)

    def wait_for(self, name, child, url, patience):
        end = time.monotonic() + patience
        while time.monotonic() < end and child.poll() is None:
            try:
                with urllib.request.urlopen(url, timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        raise Unmeasured(f"anything: {name} did not start: {self.last_words(name)}")

    def last_words(self, name):
        lines = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()
        return " | ".join(lines[-3:]) or "it said nothing"

    def sign_in(self):
        self.site = web.Site(self.url)
        self.site.sign_in()

    def token(self):
        """A new token of mona, who has signed in before."""
        command = [str(self.programs.path("slipway")), "admin", "token", "add", "--user", "mona", "--scopes", "read,write"]
        made = subprocess.run(command, env={**clean_env(), **self.env}, capture_output=True, text=True, check=True)
        return made.stdout.strip()

    def connect(self):
        """Signs mona in, connects mona/hello and waits for its first build, which warms daemon and cache."""
        self.sign_in()
        self.site.connect("mona/hello")
        self.finished("number = 1")

    def push(self, files, quiet=False):
        """Commits to mona/hello. Unless `quiet`, the forge sends its webhook, and the build is waited for."""
        commit = self.forge.commit("mona/hello", files, quiet)
        return commit if quiet else self.finished("commit_hash = ?", commit)

    def finished(self, where, *values):
        """The build of the condition, once it succeeded."""
        query = f"SELECT number, state, detail, started_at, finished_at FROM build WHERE {where} AND finished_at > 0"
        end = time.monotonic() + BUILD_PATIENCE
        while time.monotonic() < end:
            for row in self.rows(query, *values):
                if row["state"] != "succeeded":
                    raise Unmeasured(f"build {row['number']} ended as {row['state']}: {row['detail']}")
                return row
            time.sleep(0.1)
        said = self.last_words("slipway-builder")
        raise Unmeasured(f"a build did not end within {BUILD_PATIENCE} s; the builder: {said}")

    def rows(self, query, *values):
        """Reads the server's database beside it."""
        database = sqlite3.connect(f"file:{self.folder}/data/slipway.db?mode=ro", uri=True, timeout=10)
        database.row_factory = sqlite3.Row
        try:
            return database.execute(query, values).fetchall()
        finally:
            database.close()


    def copy(self, table, row, times, changes=None):
        """Ids of copies of a row, with numbers behind their names: thousands of them by requests would take hours."""
        database = sqlite3.connect(self.folder / "data" / "slipway.db", timeout=10)
        try:
            names = [column[1] for column in database.execute(f"PRAGMA table_info({table})")]
            made = {"id": "randomblob(16)", "name": "name || '-' || n.i", **{name: "?" for name in changes or {}}}
            values = ", ".join(made.get(name, name) for name in names)
            numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            sql = f"{numbers} INSERT INTO {table} SELECT {values} FROM n, {table} WHERE {table}.id = ? RETURNING id"
            given = [changes[name] for name in names if name in (changes or {})]
            ids = [made[0] for made in database.execute(sql, (times, *given, row))]
            database.commit()
            return ids
        finally:
            database.close()


def sealed(stage, number):
    """Waits until the log of a build lies in storage."""
    query = "SELECT count(*) AS count FROM sealed_log"
    end = time.monotonic() + 120
    while stage.rows(query)[0]["count"] == 0:
        if time.monotonic() > end:
            raise Unmeasured(f"the log of build {number} was not sealed")
        time.sleep(0.2)


def clean_env():
    """The environment without settings of a Slipway elsewhere."""
    return {key: value for key, value in os.environ.items() if not key.startswith("SLIPWAY_")}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
