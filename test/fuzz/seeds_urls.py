#!/usr/bin/env python3
"""Seeds for fuzz_urls."""
import pathlib
import sys

out = pathlib.Path(sys.argv[2])
URLS = ["https://user:secret@hooks.example.com:8443/T0/secret?token=secret#x", "http://localhost:4318", "http://[::1]:4318/v1/traces/",
        "https://hooks.example.com", "ftp://x", "http://", "//x", "http://a%40b/", "HTTP://A", "http://a b", "http://x:99999/", "http://é/", "http://1.2.3/"]
for number, url in enumerate(URLS):
    (out / f"seed{number}").write_text(url)
