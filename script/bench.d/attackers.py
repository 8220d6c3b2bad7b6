"""Processes that do one harmful thing again and again until they are told to stop."""

import http.client
import select
import socket
import time
import urllib.parse

# An address of their own: what is bounded for each address shall not hide what is bounded together.
FROM = "127.0.0.2"
SMALL_BUFFER = 4 << 10
COME_AGAIN = 1


def stalled_readers(port, authorization, path, count, over):
    """Ask for a large blob and take nothing; who is given up asks again."""
    head = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: {authorization}\r\n\r\n".encode()
    open_ones = [ask(port, head) for _ in range(count)]
    while not over.wait(COME_AGAIN):
        for at, one in enumerate(open_ones):
            if is_over(one):
                one.close()
                open_ones[at] = ask(port, head)


def ask(port, head):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    one.bind((FROM, 0))
    one.connect(("127.0.0.1", port))
    one.sendall(head)
    return one


def is_over(one):
    """Whether the server has closed it, found without reading what was sent."""
    watch = select.poll()
    watch.register(one, select.POLLRDHUP)
    return bool(watch.poll(0))


def left_uploads(port, authorization, count, over):
    """Begin uploads and send a part of each: every second one is left in the middle of its body."""
    left = []
    for turn in range(count):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(FROM, 0))
        headers = {"Authorization": authorization, "Host": f"localhost:{port}"}
        try:
            connection.request("POST", "/v2/mona/hostile/blobs/uploads/", headers=headers)
            answer = connection.getresponse()
            answer.read()
            place = urllib.parse.urlsplit(answer.getheader("Location") or "")
            if answer.status != 202:
                continue
            size = 1 << 20
            connection.putrequest("PATCH", f"{place.path}?{place.query}", skip_host=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.putheader("Content-Type", "application/octet-stream")
            connection.putheader("Content-Length", str(size))
            connection.endheaders()
            connection.send(b"u" * (size if turn % 2 else size // 2))
            if turn % 2:
                connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            continue
        left.append(connection)
    over.wait()


def viewers(url, cookie, paths, over):
    """Open pages one after the other, and take all of them."""
    download(url, cookie, paths, over, lambda answer: answer.read())


def slow_downloads(url, cookie, paths, over):
    """Take a raw log in small pieces."""

    def take(answer):
        while answer.read(1 << 16) and not over.wait(0.01):
            pass

    download(url, cookie, paths, over, take)


def download(url, cookie, paths, over, take):
    host = urllib.parse.urlsplit(url).netloc
    while not over.is_set():
        for path in paths:
            connection = http.client.HTTPConnection(host, timeout=60, source_address=(FROM, 0))
            try:
                connection.request("GET", path, headers={"Cookie": cookie})
                take(connection.getresponse())
            except (OSError, http.client.HTTPException):
                time.sleep(COME_AGAIN)
            finally:
                connection.close()
