"""Pages that have much to show: the time to their first byte, and the memory that they take."""

import http.client
import time
import urllib.parse

from builder import Builder
from figures import median
from memory import Peak, resident
from registry import Registry, bearer
from stage import Stage, sealed

LINES = 50_000
REPOSITORIES = 40_000
VIEWS = 10
LOG_MS = 100
TAGS_MS = 500
TAGS_MIB = 50
HOME_MS = 200
# As many as one namespace may hold.
A_NAMESPACE = 10_000

def measure(programs, keep, table):
    with Stage(programs, builder=False, keep=keep) as stage:
        stage.sign_in()
        stage.site.connect("mona/hello")
        log(stage, table)
        token = stage.token()
        tags(stage, Registry(stage.url, token, ["mona/hostile"]), table)
        fill(stage)
        catalog = {"Authorization": bearer(host(stage), token, ["registry:catalog:*"])}
        for path, headers in {"/": None, "/mona": None, "/v2/_catalog?n=100": catalog}.items():
            each = first_bytes(stage, path, headers)
            what = f"first byte of {path}, {REPOSITORIES:,} repositories"
            table.goal(what, f"{median(each):.0f} ms", f"< {HOME_MS} ms", median(each) < HOME_MS)


def log(stage, table):
    builder = Builder(stage.url, stage.builder_token)
    builder.claim()
    number = stage.rows("SELECT max(number) AS number FROM build")[0]["number"]
    builder.print(LINES)
    builder.finish()
    sealed(stage, number)
    each = first_bytes(stage, f"/mona/hello/-/builds/{number}")
    what = f"first byte of a log of {LINES:,} lines"
    table.goal(what, f"{median(each):.0f} ms", f"< {LOG_MS} ms", median(each) < LOG_MS)
    table.note("slowest", f"{max(each):.0f} ms, n={len(each)}")


def tags(stage, registry, table):
    child = registry.push_large_child("mona/hostile")
    for turn in range(4):
        registry.push_index("mona/hostile", f"index-{turn}", child, times=9_990 + turn)
    before = resident(stage.server.pid)
    with Peak(stage.server.pid) as peak:
        for path in ["/mona/hostile", "/mona/hostile/-/tags", "/mona/hostile/-/tags/index-0"]:
            each = first_bytes(stage, path)
            what = f"{path}: four tags over 3.6 MB"
            table.goal(what, f"{median(each):.0f} ms", f"< {TAGS_MS} ms", median(each) < TAGS_MS)
    more = peak.most - before
    table.goal("memory for these", f"{more:.0f} MiB", f"< {TAGS_MIB} MiB", more < TAGS_MIB)


def fill(stage):
    """Repositories beside mona/hello, in namespaces of mona's."""
    namespace = stage.rows("SELECT namespace_id AS id FROM repository LIMIT 1")[0]["id"]
    more = stage.copy("namespace", namespace, REPOSITORIES // A_NAMESPACE - 1, {"forge_account_id": None})
    grant = stage.rows("SELECT id FROM namespace_grant WHERE namespace_id = ?", namespace)[0]["id"]
    repository = stage.rows("SELECT id FROM repository LIMIT 1")[0]["id"]
    for home in more:
        stage.copy("namespace_grant", grant, 1, {"namespace_id": home})
    for home in [namespace, *more]:
        stage.copy("repository", repository, A_NAMESPACE, {"namespace_id": home})


def host(stage):
    return urllib.parse.urlsplit(stage.url).netloc


def first_bytes(stage, path, headers=None):
    """Milliseconds until the first byte of each view, over one connection; as whoever signed in, unless headers say it."""
    connection = http.client.HTTPConnection(host(stage), timeout=60)
    took = []
    for _ in range(VIEWS):
        started = time.monotonic()
        connection.request("GET", path, headers=headers or {"Cookie": stage.site.cookie()})
        answer = connection.getresponse()
        took.append((time.monotonic() - started) * 1000)
        answer.read()
        if answer.status != 200:
            raise http.client.HTTPException(f"{path} answered {answer.status}")
    connection.close()
    return took
