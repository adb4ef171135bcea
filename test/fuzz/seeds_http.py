#!/usr/bin/env python3
"""Seeds for fuzz_http: requests as browsers, probes and scripts make them; the first byte is how they are cut."""
import json
import pathlib
import sys

root, out = map(pathlib.Path, sys.argv[1:3])
paths = json.loads((root / "src/serve/openapi.json").read_text())["paths"]
token = b"Authorization: Bearer a-token-that-is-long-enough\r\n"
requests = []
for path, methods in paths.items():
    for method in methods:
        body = b"" if method != "post" else b'{"context": {"targetingKey": "u1"}}' if "ofrep" in path else b'{"max-lag": "2s"}'
        requests.append(b"%s %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s"
                        % (method.upper().encode(), path.replace("{change}", "a%20b").replace("{key}", "orders.c.write").encode(), token, len(body), body))
requests += [
    b"OPTIONS /ofrep/v1/evaluate/flags HTTP/1.1\r\nHost: localhost\r\nOrigin: http://app.example\r\nAccess-Control-Request-Headers: if-none-match\r\n\r\n",
    b"POST /ofrep/v1/evaluate/flags/schema.public.orders.c.write?flagConfigEtag=1 HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Prefix: /p/\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /api/v1/flags/orders.c.write/25%25 HTTP/1.1\r\nHost: localhost\r\nX-API-Key: a-token-that-is-long-enough\r\nContent-Length: 14\r\n\r\n{\"reason\":\"x\"}",
    b"GET /ofrep/v1/stream HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: abc\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: application/openmetrics-text\r\n\r\n",
    b"GET /api/v1/events?after=3 HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nLast-Event-ID: 9\r\n\r\n",
    b"POST /api/v1/changes/w/pause HTTP/1.1\r\nHost: [::1]:1\r\nOrigin: http://evil\r\nX-API-Key: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"OPTIONS /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n",
    b"GET /%00%ff%2e%2e HTTP/1.0\r\n\r\n",
    b"HEAD /healthz HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n",
    b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1:80\r\nIf-None-Match: W/\"1\", \"fuzz\"\r\nExpect: 100-continue\r\n\r\n",
]
for number, request in enumerate(requests):
    (out / f"seed{number}").write_bytes(b"\x00" + request)
    (out / f"cut{number}").write_bytes(b"\x90" + request)
(out / "two").write_bytes(b"\x00" + requests[0] + requests[1] + requests[-1])
