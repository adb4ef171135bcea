/* The page: files from memory, with headers that let nothing but them in. */
#include "serve/page.h"

#include "serve/serve.h"

/* No inline scripts or styles, nothing from elsewhere, no frames around it. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static void get_file(void *context, const HttpRequest *request, HttpReply *reply)
{
    const PageFile *file = context;
    http_reply_header(reply, "Cache-Control", "no-cache"); /* it may be kept, and is asked for again */
    http_reply_header(reply, "Content-Security-Policy", policy);
    http_reply_header(reply, "X-Frame-Options", "DENY");
    http_reply_header(reply, "Referrer-Policy", "no-referrer");
    http_reply_header(reply, "Cross-Origin-Opener-Policy", "same-origin");
    if (http_not_modified(request, reply, file->etag))
        return;
    reply->type = file->type;
    reply->body = (const char *)file->bytes;
    reply->len = file->len;
}

void page_routes(Serve *serve, Arena *arena, Routes *routes)
{
    (void)serve;
    for (size_t i = 0; i < page_file_count; i++)
        *vec_push(arena, routes) = (HttpRoute){"GET", page_files[i].path, HTTP_READS,
                                               false, get_file,           (void *)(uintptr_t)&page_files[i]};
}
