"""Who asks, for what, and how it is framed."""

from __future__ import annotations

import gzip

from refused.case import (
    ADMIN,
    BURST,
    DIGITS,
    INFER,
    JSON,
    PARSER,
    PNG,
    QUEUE_BYTES,
    ROWS,
    TIMEOUT,
    TOO_LARGE,
    Case,
    head,
    picture,
    tensor,
)

ACCESS = (
    Case("no token", 401, "unauthorized", "there is no Authorization header", "/v2", method="GET", key=None),
    Case("a token of nobody", 401, "unauthorized", "nobody has that token", ROWS, key="invented"),
    Case(
        "another scheme",
        401,
        "unauthorized",
        "holds no bearer token",
        "/v2",
        headers={"Authorization": "Basic YTpi"},
        method="GET",
        key=None,
    ),
    Case(
        "one key that asks too often",
        429,
        "rate_limited",
        "more requests came from key busy",
        "/v2",
        method="GET",
        key="busy",
        repeat=BURST + 100,
    ),
    Case(
        "loading on the port of inference",
        403,
        "admin_off",
        "models are loaded and unloaded on a port of their own",
        ADMIN["path"],
        key="admin",
    ),
    Case("unloading without an admin key", 403, "forbidden", "the key plain may not load or unload models", **ADMIN),
    Case(
        "unloading from a page of another origin",
        403,
        "forbidden",
        "a page of another origin",
        headers={"Origin": "https://a.example"},
        key="admin",
        **ADMIN,
    ),
    Case(
        "loading a model that is not there",
        404,
        "unknown_model",
        "below the bundles",
        "/v2/repository/models/nobody/load",
        key="admin",
        admin_port=True,
    ),
    Case(
        "a page of another origin that asks what it may send",
        405,
        "method_not_allowed",
        "does not take OPTIONS",
        headers={"Origin": "https://a.example", "Access-Control-Request-Method": "POST"},
        method="OPTIONS",
    ),
)

ROUTES = (
    Case("a path that is not served", 404, "unknown_path", "nothing is served at '/nowhere'", "/nowhere", method="GET"),
    Case("a path that climbs", 404, "unknown_path", "nothing is served", "/v2/models/..%2f..%2fetc/contract", method="GET"),
    Case("a model that is not served", 404, "unknown_model", "no model is called 'nobody'; the models are", "/predict/nobody"),
    Case(
        "a version that is not served",
        404,
        "unknown_model",
        "not served in version '2.0.0'; there are 1.0.0",
        "/v2/models/tiny_rows/versions/2.0.0/infer",
    ),
    Case("a method that the path does not take", 405, "method_not_allowed", "does not take GET, expected POST", method="GET"),
    Case("a text of a model that writes none", 400, "usage", "tiny_rows does not write texts", "/generate/tiny_rows", b'{"prompt": "a"}'),
    Case("a model that failed to load", 503, "not_ready", "broken 1.0.0 is not ready", "/predict/broken", b"{}"),
)

FRAMING = (
    Case("no HTTP", 400, "", PARSER, raw=b"hello\r\n\r\n"),
    Case("a chunk whose length is no number", 400, "", PARSER, raw=head(INFER, "Transfer-Encoding: chunked") + b"zz\r\n{}\r\n0\r\n\r\n"),
    Case(
        "a length and chunks at once",
        400,
        "",
        PARSER,
        raw=head(INFER, "Content-Length: 2", "Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n",
    ),
    Case("two lengths", 400, "", PARSER, raw=head(INFER, "Content-Length: 2", "Content-Length: 3") + b"{}"),
    Case("a length that is no number", 400, "", PARSER, raw=head(INFER, "Content-Length: -1") + b"{}"),
    Case(
        "a body that does not come whole",
        408,
        "slow_body",
        "1 bytes of the body came in 0.3 s",
        raw=head(INFER, "Content-Length: 9") + b"{",
    ),
    Case("a body over the limit, by its length", 413, "too_large", TOO_LARGE, raw=head(INFER, f"Content-Length: {10**12}") + b"{"),
    Case(
        "a body over the limit, in chunks",
        413,
        "too_large",
        TOO_LARGE,
        raw=head(INFER, "Transfer-Encoding: chunked") + b"11000\r\n" + b" " * 0x11000 + b"\r\n0\r\n\r\n",
    ),
    Case(
        "a body compressed with gzip",
        415,
        "unsupported_media",
        "Content-Encoding is 'gzip', expected an uncompressed body",
        body=gzip.compress(b"{}"),
        headers={"Content-Encoding": "gzip"},
    ),
    Case(
        "bodies of more bytes than are held at once",
        429,
        "queue_full",
        f"{QUEUE_BYTES} may be; send it again in 1 s",
        body=b" " * 60000,
        headers=JSON,
        held=head(INFER, "Content-Length: 60001") + b" " * 60000,
    ),
    Case(
        "a deadline that is no number",
        400,
        "bad_input",
        f"{TIMEOUT} is 'soon', expected whole milliseconds",
        body=tensor(),
        headers={TIMEOUT: "soon"},
    ),
    Case("a deadline that cannot be met", 504, "deadline", "deadline", DIGITS, picture("L", 1900), {**PNG, TIMEOUT: "1"}),
)
