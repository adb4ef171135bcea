/* Values of a row image: how long each type's are, and what they are in SQL. */
#include "engine/mysql/binlog_parts.h"

#include "base/str.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* How a type's metadata stands in TABLE_MAP (Table_map_event, "The table column_type metadata"). */
typedef enum MetaForm {
    META_UNKNOWN,
    META_NONE,
    META_BYTE,      /* one byte */
    META_SHORT,     /* two bytes, little-endian */
    META_BIT,       /* bits beyond whole bytes, then whole bytes */
    META_DECIMAL,   /* precision, scale */
    META_STRING,    /* real type and length, folded into each other */
    META_REAL_TYPE, /* real type, bytes */
} MetaForm;

static MetaForm meta_form(uint8_t type)
{
    static const uint8_t forms[256] = {
        [COLUMN_TINY] = META_NONE,
        [COLUMN_SHORT] = META_NONE,
        [COLUMN_LONG] = META_NONE,
        [COLUMN_FLOAT] = META_BYTE,
        [COLUMN_DOUBLE] = META_BYTE,
        [COLUMN_NULL] = META_NONE,
        [COLUMN_TIMESTAMP] = META_NONE,
        [COLUMN_LONGLONG] = META_NONE,
        [COLUMN_INT24] = META_NONE,
        [COLUMN_DATE] = META_NONE,
        [COLUMN_TIME] = META_NONE,
        [COLUMN_DATETIME] = META_NONE,
        [COLUMN_YEAR] = META_NONE,
        [COLUMN_NEWDATE] = META_NONE,
        [COLUMN_VARCHAR] = META_SHORT,
        [COLUMN_BIT] = META_BIT,
        [COLUMN_TIMESTAMP2] = META_BYTE,
        [COLUMN_DATETIME2] = META_BYTE,
        [COLUMN_TIME2] = META_BYTE,
        [COLUMN_BLOB_COMPRESSED] = META_BYTE,
        [COLUMN_VARCHAR_COMPRESSED] = META_SHORT,
        [COLUMN_VECTOR] = META_BYTE,
        [COLUMN_JSON] = META_BYTE,
        [COLUMN_NEWDECIMAL] = META_DECIMAL,
        [COLUMN_ENUM] = META_REAL_TYPE,
        [COLUMN_SET] = META_REAL_TYPE,
        [COLUMN_TINY_BLOB] = META_BYTE,
        [COLUMN_MEDIUM_BLOB] = META_BYTE,
        [COLUMN_LONG_BLOB] = META_BYTE,
        [COLUMN_BLOB] = META_BYTE,
        [COLUMN_VAR_STRING] = META_SHORT,
        [COLUMN_STRING] = META_STRING,
        [COLUMN_GEOMETRY] = META_BYTE,
    };
    return (MetaForm)forms[type];
}

/* CHAR, BINARY, ENUM and SET share a type. Lengths over 255 have their two high bits, inverted, in the bits 4
 * and 5 of the first byte, which are both set in each of the real types. */
static void read_string(uint64_t first, uint64_t second, BinlogType *type)
{
    bool is_long = (first & 0x30) != 0x30;
    type->type = (uint8_t)(is_long ? first | 0x30 : first);
    type->meta = (uint32_t)(is_long ? second | ((first & 0x30) ^ 0x30) << 4 : second);
}

static bool type_is_sound(const BinlogType *type)
{
    switch (type->type) {
    case COLUMN_TIMESTAMP2:
    case COLUMN_DATETIME2:
    case COLUMN_TIME2:
        return type->meta <= 6;
    case COLUMN_BIT:
        return type->meta >= 1 && type->meta <= 64;
    case COLUMN_ENUM:
        return type->meta == 1 || type->meta == 2;
    case COLUMN_SET:
        return type->meta >= 1 && type->meta <= 8;
    case COLUMN_NEWDECIMAL:
        return type->meta >> 8 >= 1 && type->meta >> 8 <= 65 && (type->meta & 0xff) <= type->meta >> 8;
    case COLUMN_FLOAT:
    case COLUMN_DOUBLE:
        return type->meta == 4 || type->meta == 8;
    case COLUMN_BLOB_COMPRESSED:
    case COLUMN_VECTOR:
    case COLUMN_JSON:
    case COLUMN_TINY_BLOB:
    case COLUMN_MEDIUM_BLOB:
    case COLUMN_LONG_BLOB:
    case COLUMN_BLOB:
    case COLUMN_GEOMETRY:
        return type->meta >= 1 && type->meta <= 4;
    case COLUMN_STRING:
        return true;
    default:
        return meta_form(type->type) == META_NONE || meta_form(type->type) == META_SHORT;
    }
}

bool binlog_type_read(uint8_t type, Bytes *meta, BinlogType *ret_type)
{
    BinlogType res = {.type = type};
    uint64_t first, second;
    switch (meta_form(type)) {
    case META_UNKNOWN:
        return false;
    case META_NONE:
        break;
    case META_BYTE:
        res.meta = (uint32_t)bytes_little(meta, 1);
        break;
    case META_SHORT:
        res.meta = (uint32_t)bytes_little(meta, 2);
        break;
    case META_BIT:
        first = bytes_little(meta, 1);
        second = bytes_little(meta, 1);
        res.meta = (uint32_t)(second * 8 + first);
        break;
    case META_DECIMAL:
        res.meta = (uint32_t)bytes_big(meta, 2);
        break;
    case META_STRING:
        first = bytes_little(meta, 1);
        second = bytes_little(meta, 1);
        read_string(first, second, &res);
        if (res.type != COLUMN_STRING && res.type != COLUMN_ENUM && res.type != COLUMN_SET)
            return false;
        break;
    case META_REAL_TYPE:
        (void)bytes_little(meta, 1);
        res.meta = (uint32_t)bytes_little(meta, 1);
        break;
    }
    if (!meta->bad && !type_is_sound(&res))
        return false;
    *ret_type = res;
    return true;
}

bool binlog_type_is_integer(const BinlogType *type)
{
    return type->type == COLUMN_TINY || type->type == COLUMN_SHORT || type->type == COLUMN_INT24 ||
           type->type == COLUMN_LONG || type->type == COLUMN_LONGLONG;
}

bool binlog_type_has_sign(const BinlogType *type, bool *ret_sure)
{
    if (type->type == COLUMN_YEAR)
        *ret_sure = false;
    return binlog_type_is_integer(type) || type->type == COLUMN_FLOAT || type->type == COLUMN_DOUBLE ||
           type->type == COLUMN_NEWDECIMAL;
}

/* ---- lengths ---------------------------------------------------------------------------------------------
 */

/* Bytes of so many decimal digits (strings/decimal.c: nine digits are four bytes). */
static size_t digit_bytes(size_t digits)
{
    static const uint8_t rest[] = {0, 1, 1, 2, 2, 3, 3, 4, 4};
    return digits / 9 * 4 + rest[digits % 9];
}

static size_t decimal_bytes(const BinlogType *type)
{
    size_t scale = type->meta & 0xff;
    return digit_bytes((type->meta >> 8) - scale) + digit_bytes(scale);
}

static size_t fraction_bytes(const BinlogType *type) { return (type->meta + 1) / 2; }

const uint8_t *binlog_value_take(const BinlogType *type, Bytes *row, size_t *ret_len)
{
    size_t len = 0;
    switch (type->type) {
    case COLUMN_NULL:
        break;
    case COLUMN_TINY:
    case COLUMN_YEAR:
        len = 1;
        break;
    case COLUMN_SHORT:
        len = 2;
        break;
    case COLUMN_INT24:
    case COLUMN_DATE:
    case COLUMN_NEWDATE:
    case COLUMN_TIME:
        len = 3;
        break;
    case COLUMN_LONG:
    case COLUMN_TIMESTAMP:
        len = 4;
        break;
    case COLUMN_LONGLONG:
    case COLUMN_DATETIME:
        len = 8;
        break;
    case COLUMN_FLOAT:
    case COLUMN_DOUBLE:
    case COLUMN_ENUM:
    case COLUMN_SET:
        len = type->meta;
        break;
    case COLUMN_TIMESTAMP2:
        len = 4 + fraction_bytes(type);
        break;
    case COLUMN_DATETIME2:
        len = 5 + fraction_bytes(type);
        break;
    case COLUMN_TIME2:
        len = 3 + fraction_bytes(type);
        break;
    case COLUMN_BIT:
        len = (type->meta + 7) / 8;
        break;
    case COLUMN_NEWDECIMAL:
        len = decimal_bytes(type);
        break;
    case COLUMN_STRING:
    case COLUMN_VARCHAR:
    case COLUMN_VAR_STRING:
    case COLUMN_VARCHAR_COMPRESSED:
        len = (size_t)bytes_little(row, type->meta < 256 ? 1 : 2);
        break;
    default: /* the BLOBs, JSON, GEOMETRY, VECTOR: a length of so many bytes */
        len = (size_t)bytes_little(row, type->meta);
        break;
    }
    *ret_len = len;
    return bytes_take(row, len);
}

/* ---- literals --------------------------------------------------------------------------------------------
 */

static const char *integer_literal(Arena *arena, bool is_unsigned, const uint8_t *from, size_t len)
{
    Bytes bytes = bytes_of(from, len);
    uint64_t value = bytes_little(&bytes, len);
    if (is_unsigned)
        return arena_printf(arena, "%" PRIu64, value);
    uint64_t sign = (uint64_t)1 << ((8 * len - 1) & 63);
    int64_t number = (int64_t)((value ^ sign) - sign);
    return arena_printf(arena, "%" PRId64, number);
}

/* Adds `digits` decimal digits of a big-endian group, inverted for negative numbers. */
static bool add_digits(Str *str, Bytes *bytes, size_t digits, uint8_t flip)
{
    uint8_t group[4] = {0};
    size_t len = digit_bytes(digits);
    const uint8_t *from = bytes_take(bytes, len);
    for (size_t i = 0; from != NULL && i < len; i++)
        group[i] = from[i] ^ flip;
    Bytes number = bytes_of(group, len);
    uint64_t value = bytes_big(&number, len), most = 1;
    for (size_t i = 0; i < digits; i++)
        most *= 10;
    if (value >= most)
        return false;
    str_addf(str, "%0*" PRIu64, (int)digits, value);
    return true;
}

/* The integer part begins, the fraction ends with the group that is not whole; the highest bit tells the
 * sign. */
static bool add_decimal(Str *str, const BinlogType *type, const uint8_t *from, size_t len)
{
    uint8_t copy[32];
    memcpy(copy, from, len);
    uint8_t flip = (copy[0] & 0x80) != 0 ? 0 : 0xff;
    copy[0] ^= 0x80;
    Bytes bytes = bytes_of(copy, len);
    size_t scale = type->meta & 0xff, whole = (type->meta >> 8) - scale;
    CLEANUP(str_donep) Str digits = STR_INIT;
    if (whole % 9 != 0 && !add_digits(&digits, &bytes, whole % 9, flip))
        return false;
    for (size_t i = 0; i < whole / 9; i++)
        if (!add_digits(&digits, &bytes, 9, flip))
            return false;
    const char *first = digits.buf + strspn(digits.buf, "0");
    str_addf(str, "%s%s", flip != 0 ? "-" : "", *first == '\0' ? "0" : first);
    if (scale == 0)
        return true;
    str_add(str, ".");
    for (size_t i = 0; i < scale / 9; i++)
        if (!add_digits(str, &bytes, 9, flip))
            return false;
    return scale % 9 == 0 || add_digits(str, &bytes, scale % 9, flip);
}

/* `value` counts the smallest unit that so many bytes keep: hundredths, ten-thousandths, millionths. */
static bool add_fraction(Str *str, const BinlogType *type, uint64_t value)
{
    static const uint64_t limits[] = {1, 100, 10000, 1000000};
    if (type->meta == 0)
        return value == 0;
    size_t bytes = fraction_bytes(type);
    if (value >= limits[bytes])
        return false;
    str_addf(str, ".%0*" PRIu64, (int)type->meta, type->meta % 2 == 1 ? value / 10 : value);
    return type->meta % 2 == 0 || value % 10 == 0;
}

static bool add_date(Str *str, uint64_t year, uint64_t month, uint64_t day)
{
    if (year > 9999 || month > 12 || day > 31)
        return false;
    str_addf(str, "%04u-%02u-%02u", (unsigned)year, (unsigned)month, (unsigned)day);
    return true;
}

static bool add_clock(Str *str, uint64_t hour, uint64_t minute, uint64_t second)
{
    if (minute > 59 || second > 59)
        return false;
    str_addf(str, "%02u:%02u:%02u", (unsigned)hour, (unsigned)minute, (unsigned)second);
    return true;
}

static bool add_datetime2(Str *str, const BinlogType *type, Bytes bytes)
{
    uint64_t packed = bytes_big(&bytes, 5);
    if ((packed & 0x8000000000) == 0)
        return false; /* datetimes are never negative */
    packed &= 0x7fffffffff;
    uint64_t month = packed >> 22;
    bool good = add_date(str, month / 13, month % 13, packed >> 17 & 31);
    str_add(str, " ");
    return good && (packed >> 12 & 31) < 24 &&
           add_clock(str, packed >> 12 & 31, packed >> 6 & 63, packed & 63) &&
           add_fraction(str, type, bytes_big(&bytes, fraction_bytes(type)));
}

/* The whole, fraction included, is one number around an offset. */
static bool add_time2(Str *str, const BinlogType *type, Bytes bytes)
{
    size_t shift = 8 * fraction_bytes(type);
    int64_t packed = (int64_t)bytes_big(&bytes, 3 + fraction_bytes(type)) - ((int64_t)0x800000 << shift);
    uint64_t size = (uint64_t)(packed < 0 ? -packed : packed), whole = size >> shift;
    if (packed < 0)
        str_add(str, "-");
    return whole >> 12 <= 838 && add_clock(str, whole >> 12, whole >> 6 & 63, whole & 63) &&
           add_fraction(str, type, size & (((uint64_t)1 << shift) - 1));
}

/* In UTC: whoever uses it has time_zone = '+00:00'. All zeros is the zero date. */
static bool add_timestamp(Str *str, const BinlogType *type, Bytes bytes, bool is_old)
{
    uint64_t seconds = is_old ? bytes_little(&bytes, 4) : bytes_big(&bytes, 4);
    uint64_t fraction = is_old ? 0 : bytes_big(&bytes, fraction_bytes(type));
    time_t when = (time_t)seconds;
    struct tm parts = {0};
    if (seconds == 0 && fraction == 0) {
        str_add(str, "0000-00-00 00:00:00");
    } else {
        (void)gmtime_r(&when, &parts);
        str_addf(str, "%04d-%02d-%02d %02d:%02d:%02d", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                 parts.tm_hour, parts.tm_min, parts.tm_sec);
    }
    return is_old || add_fraction(str, type, fraction);
}

static bool add_old_datetime(Str *str, Bytes bytes)
{
    uint64_t value = bytes_little(&bytes, 8), date = value / 1000000, clock = value % 1000000;
    bool good = add_date(str, date / 10000, date / 100 % 100, date % 100);
    str_add(str, " ");
    return good && clock / 10000 < 24 && add_clock(str, clock / 10000, clock / 100 % 100, clock % 100);
}

static bool add_old_time(Str *str, Bytes bytes)
{
    int64_t value = (int64_t)((bytes_little(&bytes, 3) ^ 0x800000)) - 0x800000;
    uint64_t size = (uint64_t)(value < 0 ? -value : value);
    if (value < 0)
        str_add(str, "-");
    return size / 10000 <= 838 && add_clock(str, size / 10000, size / 100 % 100, size % 100);
}

static bool add_temporal(Str *str, const BinlogType *type, Bytes bytes)
{
    uint64_t value;
    switch (type->type) {
    case COLUMN_DATE:
    case COLUMN_NEWDATE:
        value = bytes_little(&bytes, 3);
        return add_date(str, value >> 9, value >> 5 & 15, value & 31);
    case COLUMN_DATETIME2:
        return add_datetime2(str, type, bytes);
    case COLUMN_TIME2:
        return add_time2(str, type, bytes);
    case COLUMN_TIMESTAMP:
    case COLUMN_TIMESTAMP2:
        return add_timestamp(str, type, bytes, type->type == COLUMN_TIMESTAMP);
    case COLUMN_DATETIME:
        return add_old_datetime(str, bytes);
    default:
        return add_old_time(str, bytes);
    }
}

/* Hexadecimal with the column's character set, so that neither the session's nor the mode's matters. The log
 * has CHAR and BINARY without the padding at their end; of BINARY the zeros belong to the value. */
static Err *string_literal(Arena *arena, const BinlogType *type, const BinlogColumn *column,
                           const uint8_t *from, size_t len, const char *where, const char **ret_literal)
{
    if (column->charset == NULL)
        return err_new(ERR_BUG, "column \"%s\" of %s has no character set, and its values are strings",
                       column->name, where);
    CLEANUP(str_donep) Str str = STR_INIT;
    str_addf(&str, "_%s x'", column->charset);
    for (size_t i = 0; i < len; i++)
        str_addf(&str, "%02x", from[i]);
    bool is_padded = type->type == COLUMN_STRING && str_eq(column->charset, "binary");
    for (size_t i = len; is_padded && i < type->meta; i++)
        str_add(&str, "00");
    str_add(&str, "'");
    *ret_literal = arena_dupn(arena, str.buf, str.len);
    return NULL;
}

static Err *value_damaged(const BinlogColumn *column, const char *where)
{
    return err_new(ERR_IO, "the binary log is damaged: the value of column \"%s\" of %s is none of its type",
                   column->name, where);
}

/* What is written as a number, or in quotes as a time. */
static Err *plain_literal(Arena *arena, const BinlogType *type, const BinlogColumn *column,
                          const uint8_t *from, size_t len, const char *where, const char **ret_literal)
{
    CLEANUP(str_donep) Str str = STR_INIT;
    bool is_temporal = type->type != COLUMN_NEWDECIMAL;
    str_add(&str, is_temporal ? "'" : "");
    if (!(is_temporal ? add_temporal(&str, type, bytes_of(from, len)) : add_decimal(&str, type, from, len)))
        return value_damaged(column, where);
    str_add(&str, is_temporal ? "'" : "");
    *ret_literal = arena_dupn(arena, str.buf, str.len);
    return NULL;
}

Err *binlog_value_literal(Arena *arena, const BinlogType *type, const BinlogColumn *column,
                          const uint8_t *from, size_t len, const char *where, const char **ret_literal)
{
    Bytes bytes = bytes_of(from, len);
    switch (type->type) {
    case COLUMN_TINY:
    case COLUMN_SHORT:
    case COLUMN_INT24:
    case COLUMN_LONG:
    case COLUMN_LONGLONG:
        *ret_literal = integer_literal(arena, column->is_unsigned, from, len);
        return NULL;
    case COLUMN_YEAR:
        *ret_literal = from[0] == 0 ? "0" : arena_printf(arena, "%d", 1900 + from[0]);
        return NULL;
    case COLUMN_ENUM:
    case COLUMN_SET:
        *ret_literal = arena_printf(arena, "%" PRIu64, bytes_little(&bytes, len));
        return NULL;
    case COLUMN_BIT:
        *ret_literal = arena_printf(arena, "%" PRIu64, bytes_big(&bytes, len));
        return NULL;
    case COLUMN_STRING:
    case COLUMN_VARCHAR:
    case COLUMN_VAR_STRING:
    case COLUMN_TINY_BLOB:
    case COLUMN_MEDIUM_BLOB:
    case COLUMN_LONG_BLOB:
    case COLUMN_BLOB:
        return string_literal(arena, type, column, from, len, where, ret_literal);
    case COLUMN_NEWDECIMAL:
    case COLUMN_DATE:
    case COLUMN_NEWDATE:
    case COLUMN_TIME:
    case COLUMN_DATETIME:
    case COLUMN_TIMESTAMP:
    case COLUMN_TIMESTAMP2:
    case COLUMN_DATETIME2:
    case COLUMN_TIME2:
        return plain_literal(arena, type, column, from, len, where, ret_literal);
    default:
        return err_new(ERR_UNSAFE, "column \"%s\" of %s has a type (%u) that cannot be part of a key here",
                       column->name, where, type->type);
    }
}
