"""The figures as people read them, and the bounds they are held against."""

ROWS = [
    ("seconds", "seconds", "{:.2f}"), ("of which backfill", "backfill_seconds", "{:.2f}"),
    ("rows/s", "rows_per_s", "{:,.0f}"), ("WAL MB", "wal_mb", "{:,.0f}"), ("heap", "heap", "{:.2f}x"),
    ("indexes", "index", "{:.2f}x"), ("HOT", "hot", "{:.0%}"), ("quiet p99 ms", "quiet_p99_ms", "{:.1f}"),
    ("application p50 ms", "p50_ms", "{:.1f}"), ("application p99 ms", "p99_ms", "{:.1f}"),
    ("longest wait ms", "max_ms", "{:.1f}"), ("application errors", "errors", "{:.0f}"),
    ("rows wrong", "wrong", "{:.0f}"), ("own memory MB", "peak_mb", "{:.1f}"),
    ("own CPU s", "cpu_seconds", "{:.2f}"), ("server CPU s", "server_cpu_seconds", "{:.2f}"),
]


def _value(figures, key):
    if key == "peak_mb":
        return None if figures["peak_kb"] is None else figures["peak_kb"] / 1024
    return figures[key]


def _text(figures, key, form):
    value = _value(figures, key)
    return "" if value is None else form.format(value)


def run_line(round_, name, figures):
    line = (f"run {round_}  {name:<7}{figures['seconds']:7.2f} s  server CPU "
            f"{figures['server_cpu_seconds']:6.2f} s  WAL {figures['wal_mb']:5.0f} MB  "
            f"heap {figures['heap']:.2f}x  indexes {figures['index']:.2f}x  HOT {figures['hot']:4.0%}  "
            f"p99 {figures['p99_ms']:6.1f}  max {figures['max_ms']:7.1f} ms  errors {figures['errors']}  "
            f"wrong {figures['wrong']}")
    return line + (f"  ({figures['first_error']})" if figures["first_error"] else "")


def table(medians):
    names = list(medians)
    lines = ["".join([f"{'median':<22}"] + [f"{name:>12}" for name in names])]
    for label, key, form in ROWS:
        lines.append("".join([f"{label:<22}"] + [f"{_text(medians[name], key, form):>12}" for name in names]))
    return "\n".join(lines) + "\n"


def bound(name, measured, most, unit=""):
    return {"name": name, "measured": measured, "bound": most, "unit": unit, "ok": measured <= most}


def bounds(medians, tenfold):
    """What Stoa promises; some of it against the keyset loop of the same run."""
    result = []
    stoa, keyset = medians.get("stoa"), medians.get("keyset")
    if stoa and keyset:
        for name, key, most in (("time against the keyset loop", "seconds", 0.60),
                                ("WAL against the keyset loop", "wal_mb", 0.70),
                                ("application p99 against the keyset loop", "p99_ms", 1.25)):
            result.append(bound(name, stoa[key] / keyset[key], most, "x"))
    if stoa:
        result += [bound("heap growth", stoa["heap"], 1.25, "x"), bound("index growth", stoa["index"], 1.50, "x"),
                   bound("longest wait of the application", stoa["max_ms"], 250, " ms"),
                   bound("application errors", stoa["errors"], 0), bound("rows wrong", stoa["wrong"], 0),
                   bound("own memory", stoa["peak_kb"] / 1024, 32, " MB"),
                   bound("own CPU against the server's", 100 * stoa["cpu_seconds"] / stoa["server_cpu_seconds"], 5,
                          " %")]
    if tenfold:
        result.append(bound(f"time per row with {tenfold['rows']:,} rows", tenfold["ratio"], 1.25, "x"))
    return result


def bound_line(bound):
    return (f"{'ok' if bound['ok'] else 'FAILED':<7} {bound['name']:<42} {bound['measured']:9.2f}{bound['unit']}"
            f"  (at most {bound['bound']:g}{bound['unit']})")
