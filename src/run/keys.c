/* A hash table of keys, queues through it, and a list of batches with how many keys each is waiting for. */
#include "run/keys.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

typedef struct Batch {
    struct Batch *next;
    uint64_t first_number, number; /* of those that became one */
    size_t waiting;                /* keys, and 1 for a hold */
    bool held;
    char *position; /* NULL: keys that nobody captured */
} Batch;

typedef struct Key {
    struct Key *chain; /* in the hash table */
    struct Key *next;  /* in its queue */
    Batch *since;      /* the oldest batch that waits for it */
    Batch *again;      /* came while it was taken; NULL */
    uint64_t hash;
    int64_t due_ms; /* while it rests */
    bool taken;
    bool owed;
    char text[];
} Key;

typedef struct Queue {
    Key *first, *last;
} Queue;

struct Keys {
    Key **slots;
    size_t slot_count, count, bytes, limit_bytes;
    size_t owed_count;
    Queue ready[KEYS_BUCKETS], resting[KEYS_BUCKETS];
    Batch *first, *last;
    size_t batch_count, join_at; /* where finished batches are joined */
    uint64_t number;
    char *position;
};

enum { SLOTS_FIRST = 1024, JOIN_BATCHES = 256 };

Keys *keys_new(size_t limit_bytes)
{
    Keys *keys = mem_zero(sizeof *keys);
    keys->limit_bytes = limit_bytes;
    keys->slot_count = SLOTS_FIRST;
    keys->join_at = JOIN_BATCHES;
    keys->slots = mem_zero(SLOTS_FIRST * sizeof *keys->slots);
    return keys;
}

/* ---- queues --------------------------------------------------------------------------------- */

static void queue_push(Queue *queue, Key *key)
{
    key->next = NULL;
    if (queue->last != NULL)
        queue->last->next = key;
    else
        queue->first = key;
    queue->last = key;
}

static Key *queue_pop(Queue *queue)
{
    Key *key = queue->first;
    if (key == NULL)
        return NULL;
    queue->first = key->next;
    if (queue->first == NULL)
        queue->last = NULL;
    key->next = NULL;
    return key;
}

static size_t bucket_of(const Key *key) { return (size_t)(key->hash >> 32) % KEYS_BUCKETS; }

/* ---- the table ------------------------------------------------------------------------------ */

/* FNV-1a, with its bits mixed once more: both halves of it are used. */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = 14695981039346656037u;
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++)
        hash = (hash ^ *at) * 1099511628211u;
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccdu;
    return hash ^ hash >> 33;
}

static Key *find(const Keys *keys, const char *text, uint64_t hash)
{
    for (Key *key = keys->slots[hash % keys->slot_count]; key != NULL; key = key->chain)
        if (key->hash == hash && strcmp(key->text, text) == 0)
            return key;
    return NULL;
}

static size_t cost_of(const Key *key) { return sizeof *key + strlen(key->text) + 1 + 2 * sizeof(void *); }

static void grow(Keys *keys)
{
    size_t count = keys->slot_count * 2;
    Key **slots = mem_zero(count * sizeof *slots);
    for (size_t i = 0; i < keys->slot_count; i++)
        for (Key *key = keys->slots[i], *next; key != NULL; key = next) {
            next = key->chain;
            key->chain = slots[key->hash % count];
            slots[key->hash % count] = key;
        }
    free(keys->slots);
    keys->slots = slots;
    keys->slot_count = count;
}

static Key *insert(Keys *keys, const char *text, uint64_t hash)
{
    if (keys->count >= keys->slot_count)
        grow(keys);
    size_t len = strlen(text);
    Key *key = mem_zero(sizeof *key + len + 1);
    memcpy(key->text, text, len + 1);
    key->hash = hash;
    Key **slot = &keys->slots[hash % keys->slot_count];
    key->chain = *slot;
    *slot = key;
    keys->count++;
    keys->bytes += cost_of(key);
    return key;
}

static void forget(Keys *keys, Key *key)
{
    Key **at = &keys->slots[key->hash % keys->slot_count];
    while (*at != key)
        at = &(*at)->chain;
    *at = key->chain;
    keys->count--;
    keys->owed_count -= key->owed;
    keys->bytes -= cost_of(key);
    free(key);
}

/* ---- batches -------------------------------------------------------------------------------- */

static Batch *batch_add(Keys *keys, const char *position)
{
    Batch *batch = mem_zero(sizeof *batch);
    batch->first_number = batch->number = ++keys->number;
    batch->position = position == NULL ? NULL : mem_dup(position);
    if (keys->last != NULL)
        keys->last->next = batch;
    else
        keys->first = batch;
    keys->last = batch;
    keys->batch_count++;
    return batch;
}

static void take_position(char **to, char **from)
{
    if (*from == NULL)
        return;
    free(*to);
    *to = *from;
    *from = NULL;
}

/* `batch`, which stands behind `before`, becomes a part of it. */
static void join(Keys *keys, Batch *before, Batch *batch)
{
    take_position(&before->position, &batch->position);
    before->number = batch->number;
    before->next = batch->next;
    if (keys->last == batch)
        keys->last = before;
    keys->batch_count--;
    free(batch->position);
    free(batch);
}

/* A single busy key holds all batches behind it: those that wait for nothing of their own are through
 * together with the one before them. */
static void join_finished(Keys *keys)
{
    for (Batch *batch = keys->first; batch != NULL; batch = batch->next)
        while (batch->next != NULL && batch->next->waiting == 0)
            join(keys, batch, batch->next);
    keys->join_at = keys->batch_count < JOIN_BATCHES / 2 ? JOIN_BATCHES : keys->batch_count * 2;
}

/* Batches that are through go, and leave their positions behind. */
static void trim(Keys *keys)
{
    while (keys->first != NULL && keys->first->waiting == 0) {
        Batch *batch = keys->first;
        keys->first = batch->next;
        if (keys->first == NULL)
            keys->last = NULL;
        take_position(&keys->position, &batch->position);
        keys->batch_count--;
        free(batch->position);
        free(batch);
    }
    if (keys->batch_count > keys->join_at)
        join_finished(keys);
}

static void wait_for(Batch **slot, Batch *batch)
{
    if (*slot != NULL && (*slot)->number <= batch->number)
        return;
    if (*slot != NULL)
        (*slot)->waiting--;
    *slot = batch;
    batch->waiting++;
}

/* Due by `batch`. */
static Key *add(Keys *keys, const char *text, Batch *batch)
{
    uint64_t hash = hash_of(text);
    Key *key = find(keys, text, hash);
    if (key != NULL) {
        wait_for(key->taken ? &key->again : &key->since, batch);
        return key;
    }
    key = insert(keys, text, hash);
    wait_for(&key->since, batch);
    queue_push(&keys->ready[bucket_of(key)], key);
    return key;
}

/* The last batch again, where nothing waits for it any more but what stands before it: so there are not many
 * while a single busy key holds them all. */
static Batch *batch_next(Keys *keys, const char *position)
{
    Batch *last = keys->last;
    if (last == NULL || last->waiting > 0)
        return batch_add(keys, position);
    last->first_number = last->number = ++keys->number;
    if (position != NULL) {
        free(last->position);
        last->position = mem_dup(position);
    }
    return last;
}

uint64_t keys_batch(Keys *keys, const KeyList *list, const char *position, bool hold)
{
    Batch *before = keys->last, *batch = batch_next(keys, position);
    for (size_t i = 0; i < list->count; i++)
        (void)add(keys, list->keys[i], batch);
    if (hold) {
        batch->held = true;
        batch->waiting++;
    }
    uint64_t number = batch->number;
    /* All its keys wait already: it is through together with the batch before. */
    if (batch->waiting == 0 && before != NULL && before != batch)
        join(keys, before, batch);
    trim(keys);
    return number;
}

void keys_release(Keys *keys, uint64_t number)
{
    for (Batch *batch = keys->first; batch != NULL; batch = batch->next)
        if (batch->held && batch->first_number <= number) {
            batch->held = false;
            batch->waiting--;
        }
    trim(keys);
}

void keys_add(Keys *keys, const KeyList *list)
{
    if (list->count == 0)
        return;
    Batch *batch = batch_next(keys, NULL);
    for (size_t i = 0; i < list->count; i++)
        (void)add(keys, list->keys[i], batch);
    trim(keys);
}

/* ---- what is there -------------------------------------------------------------------------- */

bool keys_full(const Keys *keys)
{
    return keys->bytes + keys->slot_count * sizeof(void *) >= keys->limit_bytes;
}

size_t keys_count(const Keys *keys) { return keys->count; }

bool keys_has(const Keys *keys, const char *text)
{
    const Key *key = find(keys, text, hash_of(text));
    return key != NULL && (!key->taken || key->again != NULL);
}

uint64_t keys_number(const Keys *keys) { return keys->number; }

uint64_t keys_through(const Keys *keys)
{
    return keys->first != NULL ? keys->first->first_number - 1 : keys->number;
}

const char *keys_position(const Keys *keys) { return keys->position; }

/* ---- taking and finishing ------------------------------------------------------------------- */

static Key *take_one(Keys *keys, size_t bucket, int64_t now_ms)
{
    Queue *resting = &keys->resting[bucket];
    if (resting->first != NULL && resting->first->due_ms <= now_ms)
        return queue_pop(resting);
    return queue_pop(&keys->ready[bucket]);
}

size_t keys_take(Keys *keys, size_t worker, size_t workers, size_t most, int64_t now_ms,
                 const char **ret_keys)
{
    size_t count = 0;
    bool more = true;
    while (more && count < most) {
        more = false;
        for (size_t bucket = worker; bucket < KEYS_BUCKETS && count < most; bucket += workers) {
            Key *key = take_one(keys, bucket, now_ms);
            if (key == NULL)
                continue;
            key->taken = true;
            ret_keys[count++] = key->text;
            more = true;
        }
    }
    return count;
}

/* Waits again, for the oldest of its batches. */
static void requeue(Key *key, Queue *queue)
{
    if (key->again != NULL) {
        key->again->waiting--; /* `since` is older */
        key->again = NULL;
    }
    key->taken = false;
    queue_push(&queue[bucket_of(key)], key);
}

static void finish_one(Keys *keys, Key *key)
{
    key->since->waiting--;
    key->since = NULL;
    if (key->again == NULL) {
        forget(keys, key);
        return;
    }
    key->since = key->again;
    key->again = NULL;
    key->taken = false;
    queue_push(&keys->ready[bucket_of(key)], key);
}

static Batch *oldest_of(const Keys *keys, const char *const *taken, size_t count)
{
    Batch *oldest = NULL;
    for (size_t i = 0; i < count; i++) {
        const Key *key = find(keys, taken[i], hash_of(taken[i]));
        if (key != NULL && (oldest == NULL || key->since->number < oldest->number))
            oldest = key->since;
    }
    return oldest;
}

void keys_owe(Keys *keys, const char *const *taken, size_t count, const KeyList *displaced)
{
    if (displaced->count == 0)
        return;
    Batch *oldest = oldest_of(keys, taken, count);
    if (oldest == NULL)
        oldest = batch_next(keys, NULL);
    for (size_t i = 0; i < displaced->count; i++) {
        Key *key = add(keys, displaced->keys[i], oldest);
        keys->owed_count += !key->owed;
        key->owed = true;
    }
}

size_t keys_owed(const Keys *keys, const char *const *taken, size_t count, const char **ret_owed)
{
    size_t owed = 0;
    for (size_t i = 0; i < count && keys->owed_count > 0; i++) {
        const Key *key = find(keys, taken[i], hash_of(taken[i]));
        if (key != NULL && key->owed)
            ret_owed[owed++] = key->text;
    }
    return owed;
}

void keys_finish(Keys *keys, const char *const *taken, size_t count, const KeyList *busy, int64_t now_ms)
{
    for (size_t i = 0; i < busy->count; i++) {
        Key *key = find(keys, busy->keys[i], hash_of(busy->keys[i]));
        if (key == NULL || !key->taken)
            continue;
        key->due_ms = now_ms + KEYS_BUSY_MS;
        requeue(key, keys->resting);
    }
    for (size_t i = 0; i < count; i++) {
        Key *key = find(keys, taken[i], hash_of(taken[i])); /* its text lives, or it is in `busy` */
        if (key != NULL && key->taken)
            finish_one(keys, key);
    }
    trim(keys);
}

void keys_give_back(Keys *keys, const char *const *taken, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        Key *key = find(keys, taken[i], hash_of(taken[i]));
        if (key != NULL && key->taken)
            requeue(key, keys->ready);
    }
}

void keys_clear(Keys *keys)
{
    for (size_t i = 0; i < keys->slot_count; i++)
        for (Key *key = keys->slots[i], *next; key != NULL; key = next) {
            next = key->chain;
            free(key);
        }
    memset(keys->slots, 0, keys->slot_count * sizeof(Key *));
    memset(keys->ready, 0, sizeof keys->ready);
    memset(keys->resting, 0, sizeof keys->resting);
    keys->count = keys->bytes = keys->owed_count = 0;
    for (Batch *batch = keys->first, *next; batch != NULL; batch = next) {
        next = batch->next;
        free(batch->position);
        free(batch);
    }
    keys->first = keys->last = NULL;
    keys->batch_count = 0;
    free(keys->position);
    keys->position = NULL;
}

void keys_free(Keys *keys)
{
    if (keys == NULL)
        return;
    keys_clear(keys);
    free(keys->slots);
    free(keys);
}
