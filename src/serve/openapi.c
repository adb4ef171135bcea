/* /api/v1/openapi.json, as src/serve/openapi.json has it. */
#include "serve/serve.h"

#include <string.h>

extern const char openapi_json[];

static void get_openapi(void *context, const HttpRequest *request, HttpReply *reply)
{
    (void)context;
    if (http_not_modified(request, reply, "\"" STOA_VERSION "\""))
        return;
    reply->type = "application/json; charset=utf-8";
    reply->body = openapi_json;
    reply->len = strlen(openapi_json);
}

void openapi_routes(Serve *serve, Arena *arena, Routes *routes)
{
    *vec_push(arena, routes) =
        (HttpRoute){"GET", "/api/v1/openapi.json", HTTP_READS, true, get_openapi, serve};
}
