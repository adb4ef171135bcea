/* Whom requests are made to, and that each route is described. */
#include "serve/host.h"
#include "serve/page.h"
#include "serve/serve.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

extern const char openapi_json[];

static void test_hosts(void **state)
{
    (void)state;
    static const char *const here[] = {"localhost", "LocalHost:8686", "127.0.0.1:1",
                                       "127.9.9.9", "[::1]",          "[::1]:80"};
    static const char *const there[] = {
        "",      "example.com", "localhost.example.com", "127.0.0.1.example.com", "10.0.0.1:1", "[::2]:80",
        "127.1", "0.0.0.0"};
    for (size_t i = 0; i < ARRAY_LEN(here); i++)
        assert_true(host_is_loopback(here[i]));
    for (size_t i = 0; i < ARRAY_LEN(there); i++)
        assert_false(host_is_loopback(there[i]));
    static const char *const names[] = {"stoa.example.com", "other:8443"};
    assert_true(host_is_listed("Stoa.example.com:443", names, 2) && host_is_listed("other:8443", names, 2));
    assert_false(host_is_listed("other:1", names, 2) || host_is_listed("example.com", names, 2));
    assert_true(host_is_address("192.0.2.1:80") && host_is_address("[2001:db8::1]:80"));
    assert_false(host_is_address("192.0.2.1.example.com"));
    assert_true(origin_is_host("https://a.example:8443", "a.example:8443"));
    assert_false(origin_is_host("null", "a") || origin_is_host("http://a:1", "a") ||
                 origin_is_host("http://a", NULL));
}

/* "/api/v1/changes/{change}/pause" is one of "/api/v1/changes/" and a star; parameters are words. */
static bool fits(const HttpRoute *route, const char *path)
{
    size_t len = strlen(route->path);
    bool star = route->path[len - 1] == '*';
    return star ? strncmp(route->path, path, len - 1) == 0 : str_eq(route->path, path);
}

static bool described(const json_t *paths, const HttpRoute *route)
{
    const char *path = NULL, *method = str_eq(route->method, "GET")    ? "get"
                                       : str_eq(route->method, "POST") ? "post"
                                                                       : "?";
    json_t *methods = NULL;
    json_object_foreach((json_t *)(uintptr_t)paths, path,
                        methods) if (fits(route, path) &&
                                     json_object_get(methods, method) != NULL) return true;
    return false;
}

static bool there(const Routes *routes, const char *path)
{
    for (size_t i = 0; i < routes->len; i++)
        if (fits(&routes->items[i], path))
            return true;
    return false;
}

/* Files of the page are no part of the API. */
static bool is_of_page(const HttpRoute *route)
{
    for (size_t i = 0; i < page_file_count; i++)
        if (str_eq(page_files[i].path, route->path))
            return true;
    return false;
}

static void test_every_route_is_described(void **state)
{
    (void)state;
    Serve serve = {0};
    Routes routes = {0};
    Arena *arena = arena_new();
    serve_routes(&serve, arena, &routes);
    json_t *api = json_loads(openapi_json, 0, NULL), *paths = json_object_get(api, "paths"), *methods = NULL;
    assert_true(routes.len > 5);
    for (size_t i = 0; i < routes.len; i++)
        if (!is_of_page(&routes.items[i]) && !described(paths, &routes.items[i]))
            fail_msg("%s %s is not described in src/serve/openapi.json", routes.items[i].method,
                     routes.items[i].path);
    const char *path = NULL;
    json_object_foreach(paths, path, methods) if (!there(&routes, path))
        fail_msg("there is no route for %s", path);
    json_decref(api);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hosts),
                                       cmocka_unit_test(test_every_route_is_described)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
