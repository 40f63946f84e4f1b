/* show: the commands that only print what the program knows of itself. */
#include "cli/internal.h"

#include <stdio.h>

#include "app/app.h"
#include "core/config.h"
#include "telemetry/telemetry.h"

int cli_version(int argc, char **argv) {
	if (argc > 1) return cli_wrong("version takes nothing, not \"%s\"", argv[1]);
	puts("softfactory " SF_VERSION);
	return 0;
}

/* Takes a flag out of argv; true when it was there. */
int cli_config(int argc, char **argv) {
	bool json = cli_take_flag(&argc, argv, "--json");
	int code = cli_settings(&argc, argv);
	if (code) return code;
	if (argc > 1) return cli_wrong("config takes no argument \"%s\"", argv[1]);
	struct sf_buf b = { 0 };
	sf_config_print(&b, json);
	cli_print(&b);
	return 0;
}

static const char *who(const struct sf_route *r) {
	if (r->auth.who) return r->auth.who;
	switch (r->auth.kind) {
	case SF_ACCESS_PUBLIC: return "public";
	case SF_ACCESS_ANYONE: return "anyone";
	case SF_ACCESS_USER: return "user";
	case SF_ACCESS_ADMIN: return "admin";
	case SF_ACCESS_SUB: return r->auth.product;
	default: return "?";
	}
}

struct listing {
	struct sf_buf *out;
	struct sf_json json;
	bool as_json;
	const struct sf_service *service;
};

static bool list_route(const struct sf_service *s, const struct sf_route *r, void *arg) {
	struct listing *l = arg;
	if (l->as_json) {
		sf_json_obj(&l->json);
		sf_json_add(&l->json, SF_KV("method", sf_method_name(r->method)), SF_KV("path", r->path),
					SF_KV("service", s->name), SF_KV("who", who(r)), SF_KV("summary", r->summary));
		sf_json_obj_end(&l->json);
		return true;
	}
	if (l->service != s) sf_buf_printf(l->out, "%s%s\n", l->service ? "\n" : "", s->title);
	l->service = s;
	sf_buf_printf(l->out, "  %-7s %-46s %s%-15s %s\n", sf_method_name(r->method), r->path,
				  r->auth.kind == SF_ACCESS_SUB ? "sub:" : "    ", who(r), r->summary);
	return true;
}

int cli_routes(int argc, char **argv) {
	bool json = cli_take_flag(&argc, argv, "--json");
	int code = cli_settings(&argc, argv);
	if (code) return code;
	if (argc > 1) return cli_wrong("routes takes --json or nothing, not \"%s\"", argv[1]);
	struct sf_app *app;
	if (cli_app_new(NULL, NULL, &app) != 0) return 1;
	struct sf_buf b = { 0 };
	struct listing l = { .out = &b, .json = sf_json(&b), .as_json = json };
	if (json) sf_json_arr(&l.json);
	sf_app_each(app, list_route, &l);
	if (json) sf_json_arr_end(&l.json), sf_buf_char(&b, '\n');
	cli_print(&b);
	sf_app_free(app);
	return 0;
}

int cli_openapi(int argc, char **argv) {
	int code = cli_settings(&argc, argv);
	if (code) return code;
	if (argc > 1) return cli_wrong("openapi takes nothing, not \"%s\"", argv[1]);
	struct sf_app *app;
	if (cli_app_new(NULL, NULL, &app) != 0) return 1;
	struct sf_buf b = { 0 };
	sf_app_openapi(app, &b);
	sf_buf_char(&b, '\n');
	cli_print(&b);
	sf_app_free(app);
	return 0;
}
