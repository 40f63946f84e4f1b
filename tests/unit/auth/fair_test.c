/* fair: the order in which those who wait are served, by client and name; the foretold place; who gives way. */
#include "auth/test.h"

#include <stdlib.h>

static struct sf_auth__fair queue;
static struct sf_auth__place places[1024];
static char served[1024]; /* client letters in the order of serving */

static int empty(void **state) {
	(void)state;
	sf_auth__fair_init(&queue);
	return 0;
}

/* "aab": places of clients a, a, b; the name is the letter's case: 'A' is another name of client a */
static void push_all(const char *who) {
	for (size_t i = 0; who[i]; i++)
		sf_auth__fair_push(&queue, (uint64_t)(who[i] | 0x20), (uint64_t)who[i], &places[i]);
}

static const char *pop_all(const char *who) {
	size_t n = 0;
	for (struct sf_auth__place *p; (p = sf_auth__fair_pop(&queue)); n++) served[n] = who[p - places];
	served[n] = 0;
	assert_int_equal(queue.n, 0);
	assert_true(sf_list_empty(&queue.clients));
	return served;
}

static void clients_take_turns(void **state) {
	(void)state;
	static const char one[] = "aaaaaaaab", three[] = "aaaabbbc";
	push_all(one);
	assert_string_equal(pop_all(one), "abaaaaaaa");
	push_all(three);
	assert_string_equal(pop_all(three), "abcababa");
}

static void names_of_a_client_take_turns(void **state) {
	(void)state;
	static const char who[] = "aaaaAb";
	push_all(who);
	assert_string_equal(pop_all(who), "abAaaa"); /* the second name after one turn of the first */
}

static void first_come_first_served_within_a_name(void **state) {
	(void)state;
	push_all("aaaa");
	for (size_t i = 0; i < 4; i++) assert_ptr_equal(sf_auth__fair_pop(&queue), &places[i]);
}

static void who_has_had_a_turn_goes_to_the_end(void **state) {
	(void)state;
	push_all("aab");
	assert_ptr_equal(sf_auth__fair_pop(&queue), &places[0]);
	sf_auth__fair_push(&queue, 'c', 'c', &places[3]);
	assert_ptr_equal(sf_auth__fair_pop(&queue), &places[2]);
	assert_ptr_equal(sf_auth__fair_pop(&queue), &places[1]);
	assert_ptr_equal(sf_auth__fair_pop(&queue), &places[3]);
}

static void those_who_leave_are_passed_over(void **state) {
	(void)state;
	push_all("aabbc");
	sf_auth__fair_drop(&queue, &places[0]);
	sf_auth__fair_drop(&queue, &places[4]);
	sf_auth__fair_drop(&queue, &places[2]);
	assert_int_equal(queue.n, 2);
	assert_ptr_equal(sf_auth__fair_pop(&queue), &places[1]);
	assert_ptr_equal(sf_auth__fair_pop(&queue), &places[3]);
	assert_null(sf_auth__fair_pop(&queue));
}

/* What is foretold is what happens, whoever waits and however many turns were had before. */
static void the_foretold_place_is_the_real_one(void **state) {
	(void)state;
	static const char letters[] = "aAbBcd";
	srand(7);
	for (int round = 0; round < 2000; round++) {
		int n = rand() % 24, had = n ? rand() % n : 0;
		char who[32] = { 0 };
		for (int i = 0; i < n; i++) who[i] = letters[rand() % (int)(sizeof letters - 1)];
		push_all(who);
		for (int i = 0; i < had; i++) assert_non_null(sf_auth__fair_pop(&queue));
		char me = letters[rand() % (int)(sizeof letters - 1)];
		size_t ahead = sf_auth__fair_ahead(&queue, (uint64_t)(me | 0x20), (uint64_t)me), before = 0;
		struct sf_auth__place mine;
		sf_auth__fair_push(&queue, (uint64_t)(me | 0x20), (uint64_t)me, &mine);
		while (sf_auth__fair_pop(&queue) != &mine) before++;
		assert_int_equal(before, ahead);
		while (sf_auth__fair_pop(&queue)) {
		}
	}
}

static void the_last_of_the_longest_gives_way(void **state) {
	(void)state;
	assert_null(sf_auth__fair_give_way(&queue, 'a'));
	push_all("aaabbAA");
	assert_ptr_equal(sf_auth__fair_give_way(&queue, 'c'), &places[2]);
	assert_ptr_equal(sf_auth__fair_give_way(&queue, 'b'), &places[2]);
	assert_null(sf_auth__fair_give_way(&queue, 'a')); /* its own are the longest */
	for (int i = 0; i < 7; i++) assert_non_null(sf_auth__fair_pop(&queue));
	push_all("abc");
	assert_null(sf_auth__fair_give_way(&queue, 'd')); /* nobody has more than it would have */
	pop_all("abc");
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(clients_take_turns, empty),
		cmocka_unit_test_setup(names_of_a_client_take_turns, empty),
		cmocka_unit_test_setup(first_come_first_served_within_a_name, empty),
		cmocka_unit_test_setup(who_has_had_a_turn_goes_to_the_end, empty),
		cmocka_unit_test_setup(those_who_leave_are_passed_over, empty),
		cmocka_unit_test_setup(the_foretold_place_is_the_real_one, empty),
		cmocka_unit_test_setup(the_last_of_the_longest_gives_way, empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
