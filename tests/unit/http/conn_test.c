/* Connections: keep-alive, pipelining, splitting, bodies, the client's departure. */
#include "rig.h"

static void keep_alive(void **state) {
	(void)state;
	struct rig r = { 0 };
	rig_start(&r);
	struct peer p = peer_open(&r);
	struct answer a;
	for (int i = 0; i < 20; i++) {
		assert_true(peer_send(&p, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"));
		assert_true(peer_answer(&p, &a, false));
		assert_int_equal(a.status, 200);
		assert_string_equal(a.body, "hello");
		assert_null(strstr(a.head, "Connection:"));
		answer_free(&a);
	}
	assert_int_equal(rig_stats(&r).conns, 1);
	assert_int_equal(rig_stats(&r).idle, 1);
	assert_int_equal(rig_stats(&r).answered, 20);
	peer_close(&p);
	rig_stop(&r);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keep_alive),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
