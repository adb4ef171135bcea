/* How long steps take, as ranges: rates measured on 2 cores with PostgreSQL 15 and widened for slower disks.
 */
#include "plan/maker.h"

enum {
    SCAN_FAST_BYTES_MS = 2000000, /* 2 GB/s: in cache */
    SCAN_SLOW_BYTES_MS = 100000,  /* 100 MB/s: from a slow disk */
    SCAN_FAST_ROWS_MS = 20000,
    SCAN_SLOW_ROWS_MS = 2000,
    STALL_BYTES_MS = 1000000, /* 1 GB/s */
    STALL_ROWS_MS = 10000,    /* 10 M rows/s, narrow rows */
    FILL_FAST_ROWS_MS = 300,  /* waves reached 160,000 to 400,000 rows/s */
    FILL_SLOW_ROWS_MS = 50,
    INDEX_FAST_ROWS_MS = 2000,
    INDEX_SLOW_ROWS_MS = 200,
};

static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

static Span span(int64_t low, int64_t high)
{
    low = most(low, 1);
    return (Span){.low = low, .high = most(high, low + 1)};
}

Span estimate_scan(const Table *table)
{
    return span(most(table->heap_bytes / SCAN_FAST_BYTES_MS, table->row_estimate / SCAN_FAST_ROWS_MS),
                table->heap_bytes / SCAN_SLOW_BYTES_MS + table->row_estimate / SCAN_SLOW_ROWS_MS);
}

Span estimate_backfill(const Table *table)
{
    return span(table->row_estimate / FILL_FAST_ROWS_MS,
                table->row_estimate / FILL_SLOW_ROWS_MS + table->heap_bytes / SCAN_SLOW_BYTES_MS);
}

Span estimate_vacuum(const Table *table)
{
    int64_t bytes = table->heap_bytes + table->index_bytes;
    return span(bytes / SCAN_FAST_BYTES_MS, 2 * bytes / SCAN_SLOW_BYTES_MS);
}

/* Two scans and a sort. */
Span estimate_index(const Table *table)
{
    Span scan = estimate_scan(table);
    return span(2 * scan.low + table->row_estimate / INDEX_FAST_ROWS_MS,
                2 * scan.high + table->row_estimate / INDEX_SLOW_ROWS_MS);
}

int64_t estimate_stall_ms(const Table *table)
{
    return most(table->heap_bytes / STALL_BYTES_MS, table->row_estimate / STALL_ROWS_MS);
}
