"""From a webhook's POST to the first line of output in an open page."""

import time
import urllib.request

from figures import median, percentile, spread
from forge import signed_push
from stage import Unmeasured

ROUNDS = 20
GOAL_MS = 1000

DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
COPY greeting.txt /srv/greeting.txt
RUN cat /srv/greeting.txt
"""
BUILDS = "/mona/hello/-/builds"
STEP = r'hx-partial hx-target="#steps"'
# Alone, or inside of the step that has just begun.
LINE = r'class="ln[^"]*" id="s\d+-L\d+"'


def measure(stage, table):
    stage.push({"Dockerfile": DOCKERFILE})
    hook, template = stage.forge.hook("mona/hello"), stage.forge.last_push()
    newest = stage.rows("SELECT max(number) AS number FROM build")[0]["number"]
    head = template["after"]
    steps, lines = [], []
    # The page of all builds is open before; a new row there opens the page of the build.
    with stage.site.follow(f"{BUILDS}/events") as builds:
        for turn in range(ROUNDS):
            commit = stage.push({"greeting.txt": f"Hello for the {turn}th time.\n"}, quiet=True)
            newest += 1
            post = signed_push(hook, template, head, commit)
            step, line = one(stage, builds, post, newest)
            steps.append(step)
            lines.append(line)
            head = commit
            stage.finished("commit_hash = ?", commit)
    late = percentile(lines, 0.95)
    table.goal("webhook to first line of output, p95", f"{late:.0f} ms", f"<= {GOAL_MS} ms", late <= GOAL_MS)
    table.note("median", f"{median(lines):.0f} ms, {spread(lines)}")
    table.note("to the first step, median and p95", f"{median(steps):.0f} and {percentile(steps, 0.95):.0f} ms")


def one(stage, builds, post, number):
    """Milliseconds to the first step and to the first line."""
    started = time.monotonic()
    try:
        with urllib.request.urlopen(post, timeout=30) as answer:
            if answer.status != 202:
                raise Unmeasured(f"the webhook was answered with {answer.status}")
        builds.wait_for(f"{BUILDS}/{number}\\b")
        with stage.site.follow(f"{BUILDS}/{number}/events") as page:
            step = page.wait_for(STEP)
            # The step's first lines may have come with it.
            page.seen -= 1
            line = page.wait_for(LINE)
    except (TimeoutError, OSError) as why:
        raise Unmeasured(f"build {number} was not seen: {why}") from why
    return (step - started) * 1000, (line - started) * 1000
