"""A site on 127.0.0.1 as tests of gathering need it: stock months, pictures, reviews, in good and in bad moods."""

import contextlib
import io
import json
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
from PIL import Image

HEADER = '"日期","成交股數","成交金額","開盤價","最高價","最低價","收盤價","漲跌價差","成交筆數",'
FIELDS = ["日期", "成交股數", "成交金額", "開盤價", "最高價", "最低價", "收盤價", "漲跌價差", "成交筆數"]


@dataclass
class Asked:
    """One request: its path with the query, its headers, and when it came."""

    path: str
    headers: dict[str, str]
    at: float


@dataclass
class Site:
    """The site's mood, and what it was asked."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    robots: str | None = None
    referer: str = ""  # wanted for everything but robots.txt
    least_pause_s: float = 0.0  # asked sooner, it answers 429
    retry_after: str = ""
    troubles: list[str] = field(default_factory=list)  # one for each of the next requests: 500, drop, cut, slow …
    pages: int = 3  # of items; the last is repeated for ever if endless, else an empty one follows
    endless: bool = False
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)  # by path, before anything else
    slow_s: float = 1.0

    def paths(self) -> list[str]:
        """What was asked, robots.txt left out."""
        return [one.path for one in self.asked if one.path != "/robots.txt"]


def picture(number: int, form: str = "PNG", size: int = 12) -> bytes:
    """A picture that no other number gives."""
    content = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (size, size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(content, form)
    return content.getvalue()


def bomb(side: int = 12_000) -> bytes:
    """A PNG of few bytes that says it has side × side pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def month_rows(year: int, month: int) -> list[list[str]]:
    """Three days of a month, one without a trade, in the calendar of the Republic of China."""
    day = f"{year - 1911}/{month:02d}/"
    traded = ["27,997,826", "16,616,497,024", "590.00", "1,593.00", "589.00", "593.00"]
    return [
        [f"{day}02", *traded, "X0.00", "26,383"],
        [f"{day}03", "0", "0", "--", "--", "--", "--", " 0.00", "0"],
        [f"{day}04", *traded, "+3.00", f"{month},000"],
    ]


def month_csv(year: int, month: int) -> bytes:
    """A month as such sites write it: a title, trailing commas, a footer, Big5."""
    rows = ['"' + '","'.join(row) + '",' for row in month_rows(year, month)]
    title = f'"{year - 1911}年{month:02d}月 2330 台積電           各日成交資訊"'
    return "\r\n".join([title, HEADER, *rows, '"說明:"', '"符號說明:+/-/X表示漲/跌/不比價"', ""]).encode("cp950")


def _content(site: Site, path: str, query: dict[str, str]) -> tuple[str, bytes]:
    if path == "/stock.csv":
        return "text/csv", month_csv(int(query["y"]), int(query["m"]))
    if path == "/stock.json":
        page = {"stat": "OK", "title": "113年", "fields": FIELDS, "data": month_rows(int(query["y"]), int(query["m"])), "notes": ["說明"]}
        return "application/json", json.dumps(page).encode()
    if path.startswith("/picture/"):
        return "text/plain", picture(int(path.split("/")[-1].split(".")[0]))
    number = int(query.get("page", "1"))
    number = min(number, site.pages) if site.endless else number
    start = (number - 1) * 4
    numbers = range(start, start + 4) if number <= site.pages else ()
    if path == "/pictures":
        items = [{"id": n, "image": {"url": f"/picture/{n}.gif"}, "what": "cat" if n % 2 else "dog"} for n in numbers]
        return "application/json", json.dumps({"data": {"items": items}}).encode()
    items = [
        {"id": n, "body": f"<p>Text&nbsp;{n} &amp; <b>more</b></p>", "stars": 1 + n % 5, "day": f"2024-01-{28 - n:02d}"} for n in numbers
    ]
    return "application/json", json.dumps({"reviews": items}).encode()


class _Handler(BaseHTTPRequestHandler):
    site: Site

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        site, parts = self.site, urlsplit(self.path)
        before = site.asked[-1].at if site.asked else 0.0
        site.asked.append(Asked(self.path, dict(self.headers), time.monotonic()))
        if parts.path == "/robots.txt":
            self._send(404 if site.robots is None else 200, (site.robots or "").encode(), {})
        elif site.troubles and self._trouble(site.troubles.pop(0)):
            pass
        elif site.asked[-1].at - before < site.least_pause_s:
            self._send(429, b"", {"Retry-After": site.retry_after})
        elif site.referer and self.headers.get("Referer") != site.referer:
            self._send(403, b"no", {})
        elif parts.path in site.answers:
            status, headers, content = site.answers[parts.path]
            self._send(status, content, headers)
        else:
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            kind, content = _content(site, parts.path, query)
            self._send(200, content, {"Content-Type": kind})

    def _trouble(self, kind: str) -> bool:
        if kind == "drop":
            self.close_connection = True
            self.connection.shutdown(2)
        elif kind == "cut":
            self._send(200, b"[{", {"Content-Length": "500"})
        elif kind == "slow":
            time.sleep(self.site.slow_s)
            return False
        elif kind == "drip":
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(200):
                    self.wfile.write(b" ")
                    time.sleep(0.02)
        elif kind != "ok":
            self._send(int(kind), b"", {"Retry-After": self.site.retry_after} if self.site.retry_after else {})
        return kind != "ok"

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content)


@contextlib.contextmanager
def running() -> Iterator[Site]:
    """A site that answers for as long as the block runs."""
    site = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"site": site}))
    server.daemon_threads = True
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
