"""Hostile logs, images, readers and uploads, all at once: the server's memory, and how long others wait."""

import multiprocessing
import os
import time

import attackers
from builder import Builder
from figures import percentile
from memory import Peak, resident
from registry import Registry
from stage import Stage, Unmeasured, sealed
from web import Site

GOAL_MIB = 300
GOAL_MS = 1000
READERS = 300
UPLOADS = 500
LOG_BYTES = 400_000_000
BLOB_BYTES = 256 << 20
TAGS = 3_000
# Readers are given up after 30 s and come again once.
AT_LEAST = 45
PAUSE = 0.05
PATIENCE = 60
SETTINGS = {"SLIPWAY_UPLOADS_OPEN": str(UPLOADS)}


def measure(programs, keep, table):
    with Stage(programs, builder=False, keep=keep, settings=SETTINGS) as stage:
        stage.sign_in()
        stage.site.connect("mona/hello")
        registry = Registry(stage.url, stage.token(), ["mona/hostile", "mona/calm"])
        blob = prepare(registry, table)
        builder = Builder(stage.url, stage.builder_token)
        number = begin(stage, builder)
        before = resident(stage.server.pid)
        over = multiprocessing.Event()
        cookie = stage.site.cookie()
        page = f"/mona/hello/-/builds/{number}"
        crowd = [
            (attackers.stalled_readers, (stage.port, registry.authorization, f"/v2/mona/hostile/blobs/{blob}", READERS)),
            (attackers.left_uploads, (stage.port, registry.authorization, UPLOADS)),
            *[(attackers.viewers, (stage.url, cookie, paths)) for paths in views(page)],
            (attackers.slow_downloads, (stage.url, cookie, [f"{page}/raw"])),
        ]
        processes = [multiprocessing.Process(target=attack, args=(run, *args, over), daemon=True) for run, args in crowd]
        with Peak(stage.server.pid) as peak:
            with Others(stage, registry) as others:
                for process in processes:
                    process.start()
                started = time.monotonic()
                sent, ended = builder.flood(LOG_BYTES)
                builder.finish()
                sealed(stage, number)
                time.sleep(max(0, AT_LEAST - (time.monotonic() - started)))
                took = time.monotonic() - started
            over.set()
        for process in processes:
            process.join(30)
        report(table, peak.most, before, others, took, f"{sent >> 20} MiB, {ended or 'all of it kept'}")
        table.note("afterwards", f"{resident(stage.server.pid):.0f} MiB")


def attack(run, *args):
    """Attackers have machines of their own: here they get what server and clients leave."""
    os.nice(10)
    run(*args)


def prepare(registry, table):
    """An image of very many tags, four indexes over one large child, and a blob for readers."""
    small = registry.push_image("mona/hostile", ["v1"])
    for turn in range(TAGS):
        registry.tag("mona/hostile", f"alias-{turn}", small)
    child = registry.push_large_child("mona/hostile")
    for turn in range(4):
        registry.push_index("mona/hostile", f"index-{turn}", child, times=9_990 + turn)
    started = time.monotonic()
    blob = registry.push_blob_of("mona/hostile", BLOB_BYTES)
    table.note("siege: a blob of 256 MiB pushed in", f"{time.monotonic() - started:.1f} s")
    return blob


def begin(stage, builder):
    """The number of a build that this builder has taken."""
    builder.claim()
    return stage.rows("SELECT max(number) AS number FROM build")[0]["number"]


def views(page):
    """Pages that cost the most, for one viewer each."""
    return [
        [page, f"{page}?from=s1-L3000", f"{page}/lines?step=1&from=1&to=500"],
        [f"{page}?q=a", f"{page}?q=%2F.%2F"],
        ["/mona/hostile", "/mona/hostile/-/tags", "/mona/hostile/-/tags/v1", "/mona"],
        [f"/mona/hostile/-/tags/index-{turn}" for turn in range(4)],
    ]


class Others:
    """People and clients who do what they always do, in a process of their own; how long each request takes, in ms, and when
    it began, in seconds."""

    def __init__(self, stage, registry):
        small = registry.push_image("mona/calm", ["v1"])
        self.asks = {
            "a manifest": lambda: registry.get("/v2/mona/calm/manifests/v1"),
            "a missing blob": lambda: registry.missing("mona/calm"),
            "a new tag": lambda: registry.tag("mona/calm", "v2", small),
            "a page": lambda: stage.site.open("/mona/calm"),
            "a stranger's page": lambda: Site(stage.url).open("/"),
            "readiness": lambda: registry.get("/readyz"),
        }
        self.took = {}
        self.over = multiprocessing.Event()
        self.answers, self.answer = multiprocessing.Pipe(duplex=False)

    def __enter__(self):
        self.process = multiprocessing.Process(target=self.run, daemon=True)
        self.process.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        if not self.answers.poll(PATIENCE):
            raise Unmeasured("siege: those who ask beside it did not come to their end")
        self.took = self.answers.recv()
        self.process.join()
        if self.process.exitcode:
            raise Unmeasured("siege: a request of somebody else failed, see above")

    def run(self):
        took = {what: [] for what in self.asks}
        begun = time.monotonic()
        try:
            while not self.over.is_set():
                for what, ask in self.asks.items():
                    started = time.monotonic()
                    ask()
                    took[what].append(((time.monotonic() - started) * 1000, started - begun))
                    time.sleep(PAUSE)
        finally:
            self.answer.send(took)


def report(table, most, before, others, took, log):
    table.goal("siege: server's memory, peak", f"{most:.0f} MiB", f"< {GOAL_MIB} MiB", most < GOAL_MIB)
    table.note("before, and how long it went on", f"{before:.0f} MiB, {took:.0f} s")
    table.note("the log", log)
    every = [ms for each in others.took.values() for ms, _ in each]
    if not every:
        raise Unmeasured("siege: nobody else was answered")
    worst = max(every)
    table.goal("siege: other requests, longest", f"{worst:.0f} ms", f"< {GOAL_MS} ms", worst < GOAL_MS)
    for what, each in others.took.items():
        longest, at = max(each)
        p95 = percentile([ms for ms, _ in each], 0.95)
        table.note(what, f"p95 {p95:.0f} ms, longest {longest:.0f} ms at {at:.0f} s, n={len(each)}")
