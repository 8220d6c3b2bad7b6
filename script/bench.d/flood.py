"""20,000 log lines in 3 s to an open page: all of them, in order, and the server's memory meanwhile."""

import re
from datetime import datetime

from memory import Peak, resident
from stage import Unmeasured

LINES = 20_000
ROUNDS = 3
GOAL_MIB = 150
# Without news for so many seconds, a page has all there is.
STILL = 2

# 50 bursts of 400 lines, 50 ms between them; what is printed takes the rest of the three seconds.
DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
COPY greeting.txt /srv/greeting.txt
RUN awk 'BEGIN { for (burst = 0; burst < 50; burst++) { for (i = 1; i <= 400; i++) \\
    printf "flood %d: Compiling something-or-other v1.0.%d (/srv/some/where)\\n", burst * 400 + i, i; \\
    fflush(); system("usleep 50000") } }'
"""
BUILDS = "/mona/hello/-/builds"
LINE = re.compile(r'class="ln[^"]*" id="s\d+-L\d+">.*?<time>([^<]*)</time><span>flood (\d+): ')


def measure(stage, table):
    peaks, lost, ended, took, shown = [], 0, 0, [], []
    for turn in range(ROUNDS):
        with Peak(stage.server.pid) as peak:
            messages = one(stage, turn)
        peaks.append(peak.most)
        lines = [(when, *found) for when, text in messages for found in LINE.findall(text)]
        if not lines:
            raise Unmeasured("no line of the flood reached the page")
        numbers = [int(number) for _, _, number in lines]
        lost += LINES - len(set(numbers))
        if sorted(numbers) != numbers or len(set(numbers)) != len(numbers):
            raise Unmeasured("lines of the flood came out of order or twice")
        ended += any(text.startswith("event: finished") for _, text in messages)
        took.append((clock(lines[-1][1]) - clock(lines[0][1])).total_seconds())
        shown.append(lines[-1][0] - lines[0][0])
    total = LINES * ROUNDS
    table.goal("flood: lines lost on the way to the page", f"{lost} of {total:,}", "0", lost == 0)
    table.note("written in, each round", ", ".join(f"{secs:.1f} s" for secs in took))
    table.note("first to last line on the page", ", ".join(f"{secs:.1f} s" for secs in shown))
    table.note("pages that were told of the end", f"{ended} of {ROUNDS}")
    most = max(peaks)
    table.goal("flood: server's memory, peak", f"{most:.0f} MiB", f"< {GOAL_MIB} MiB", most < GOAL_MIB)
    each = [*peaks, resident(stage.server.pid)]
    table.note("each round, and afterwards", ", ".join(f"{mib:.0f}" for mib in each) + " MiB")


def one(stage, turn):
    """All messages of the page of one build."""
    number = stage.rows("SELECT max(number) AS number FROM build")[0]["number"] + 1
    try:
        with stage.site.follow(f"{BUILDS}/events") as builds:
            files = {"Dockerfile": DOCKERFILE, "greeting.txt": f"Flood {turn}.\n"}
            commit = stage.forge.commit("mona/hello", files, quiet=False)
            builds.wait_for(f"{BUILDS}/{number}\\b")
        with stage.site.follow(f"{BUILDS}/{number}/events") as page:
            stage.finished("commit_hash = ?", commit)
            # A reader that lags behind gets the rest after the build's end.
            page.wait_until_still(STILL)
            return page.messages
    except (TimeoutError, OSError) as why:
        raise Unmeasured(f"build {number} was not seen: {why}") from why


def clock(text):
    return datetime.strptime(text.strip(), "%H:%M:%S.%f")
