"""Writes the unit tests' logs, without checksums, as seeds for the fuzzer: seeds_binlog.py ROOT CORPUS."""
import hashlib
import pathlib
import sys

root, corpus = (pathlib.Path(arg) for arg in sys.argv[1:])


def keep(first, events):
    seed = bytes([first]) + b"".join(len(event).to_bytes(2, "little") + event for event in events)
    (corpus / hashlib.sha1(seed).hexdigest()).write_bytes(seed)


for file in (root / "test" / "unit" / "binlog").glob("*.hex"):
    events = [bytes.fromhex(line) for line in file.read_text().split()]
    if events[0][-5] == 1:
        events = [event[:-4] for event in events[1:]]
    else:
        events = events[1:]
    events = [event for event in events if len(event) < 1500]
    maps = [at for at, event in enumerate(events) if event[4] == 19]
    for at, event in enumerate(events):
        keep(0, [event])
        if at - 1 in maps:
            keep(0, [events[at - 1], event])
for text in ("mysql://u:p@[::1]:3306/d?ssl-mode=required", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7:tag:1", "0-1-2,3-1-4"):
    (corpus / hashlib.sha1(text.encode()).hexdigest()).write_bytes(b"\x03" + text.encode())
