"""What a browser does: signing in, forms, and following a page's stream of events."""

import http.client
import http.cookiejar
import re
import threading
import time
import urllib.parse
import urllib.request

PATIENCE = 60


class Site:
    """Slipway as a person sees it; cookies are kept."""

    def __init__(self, url):
        self.url = url
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        self.opener.addheaders = [("Sec-Fetch-Site", "same-origin")]

    def open(self, url, form=None):
        """Where it led to, and the page."""
        data = None if form is None else urllib.parse.urlencode(form).encode()
        with self.opener.open(urllib.parse.urljoin(self.url, url), data, timeout=PATIENCE) as answer:
            return answer.geturl(), answer.read().decode()

    def sign_in(self):
        """Through the forge's consent page, and back."""
        consent, _ = self.open("/login/github?purpose=get-started&next=/new/import")
        self.open(consent, {"decision": "authorize"})

    def connect(self, repository):
        """Presses "Build" beside a code repository; the list of them may take a moment."""
        end = time.monotonic() + PATIENCE
        while True:
            _, page = self.open("/new/import")
            for form in re.findall(r"<form.*?</form>", page, re.DOTALL):
                found = re.search(r'name="repository" value="([0-9a-f-]{36})"', form)
                if found and repository in form:
                    return self.open("/new/import", {"repository": found[1], "dockerfile": "Dockerfile"})
            if time.monotonic() > end:
                raise TimeoutError(f"{repository} is not on the import page")
            time.sleep(0.5)

    def follow(self, path):
        return Stream(self, path)

    def cookie(self):
        """The `Cookie` header of whoever signed in."""
        request = urllib.request.Request(self.url)
        self.cookies.add_cookie_header(request)
        return request.get_header("Cookie") or ""


class Stream(threading.Thread):
    """Reads an event stream as an open page does, and notes when each message came."""

    def __init__(self, site, path):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(site.url).netloc, timeout=PATIENCE)
        self.connection.request("GET", path, headers={"Cookie": site.cookie()})
        self.answer = self.connection.getresponse()
        if self.answer.status != 200:
            raise http.client.HTTPException(f"{path} answered {self.answer.status}")
        self.messages = []
        self.seen = 0
        self.news = threading.Condition()
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Not `close`: that waits for the thread, which waits for the server.
        if self.connection.sock:
            self.connection.sock.shutdown(2)
        self.join()
        self.connection.close()

    def run(self):
        rest = b""
        try:
            while part := self.answer.read1(1 << 16):
                *whole, rest = (rest + part).split(b"\n\n")
                now = time.monotonic()
                with self.news:
                    self.messages += [(now, message.decode()) for message in whole]
                    self.news.notify_all()
        except (OSError, http.client.HTTPException, AttributeError, ValueError):
            pass

    def wait_for(self, pattern, patience=PATIENCE):
        """When the next message came that matches; each is looked at once."""
        end = time.monotonic() + patience
        with self.news:
            while True:
                while self.seen < len(self.messages):
                    when, message = self.messages[self.seen]
                    self.seen += 1
                    if re.search(pattern, message):
                        return when
                left = end - time.monotonic()
                if left <= 0 or not self.news.wait(left):
                    raise TimeoutError(f"no message of the stream matched {pattern} within {patience} s")

    def wait_until_still(self, pause):
        """Waits until nothing came for so many seconds."""
        with self.news:
            while self.news.wait(pause):
                pass
