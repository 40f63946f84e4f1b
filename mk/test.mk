# Tests: unit (C, cmocka), API, browser and fault tests (Node's runner), fuzzers (libFuzzer).

UNIT_SRC := $(wildcard tests/unit/*/*_test.c)
UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/tests/%,$(UNIT_SRC))
CMOCKA   := $(shell pkg-config --cflags --libs cmocka)

.PHONY: check api web-test fault chaos fuzz
$(B)/tests/%: tests/unit/%.c $(LINK) Makefile mk/test.mk
	@mkdir -p $(@D)
	$(CCACHE) $(CC) $(CFLAGS) -Itests/unit -MMD -MP -MT $@ -c -o $@.o $<
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $@.o -Wl,--start-group $(LINK) -Wl,--end-group $(CMOCKA) $(LIBS)
-include $(wildcard $(B)/tests/*/*.d)

# tests/unit/<folder>/<file>_test.c mirrors src/<folder>/<file>.c; UNIT=json runs those whose path holds it
check: $(if $(UNIT),$(foreach t,$(UNIT_BIN),$(if $(findstring $(UNIT),$(t)),$(t))),$(UNIT_BIN))
	@tests/unit/run.sh $^

NODE_TEST := node tests/run.mjs
# what looks at the OpenAPI document: for the tests alone
tests/openapi/node_modules/.done: tests/openapi/package.json tests/openapi/package-lock.json
	cd tests/openapi && npm ci --no-audit --no-fund --loglevel=error --ignore-scripts
	@touch $@
api: $(B)/softfactory tests/openapi/node_modules/.done
	SF_BIN=$(abspath $(B))/softfactory $(NODE_TEST) $(filter-out $(SKIP:%=tests/api/%.test.mjs),$(sort $(wildcard tests/api/*$(T)*.test.mjs)))
web-test: $(B)/softfactory web
	SF_BIN=$(abspath $(B))/softfactory SF_WEB=$(abspath $(B))/web $(NODE_TEST) $(sort $(wildcard tests/web/*$(T)*.test.mjs))
fault: $(B)/softfactory $(B)/tests/jobworker
	SF_BIN=$(abspath $(B))/softfactory SF_JOBWORKER=$(abspath $(B))/tests/jobworker $(NODE_TEST) $(sort $(wildcard tests/fault/*$(T)*.test.mjs)) \
	  $(if $(T),,--through-rabbitmq tests/api/jobs.test.mjs tests/fault/jobs_workers.test.mjs)
chaos: $(B)/tests/jobworker
	CHAOS_JOBS=$${CHAOS_JOBS:-200000} CHAOS_KILLS=$${CHAOS_KILLS:-30} CHAOS_DUE=20000 CHAOS_CUTS=20 SF_JOBWORKER=$(abspath $(B))/tests/jobworker RABBIT_CUTS=20 RABBIT_KILLS=5 $(NODE_TEST) tests/fault/queue.test.mjs tests/fault/rabbit.test.mjs

# a worker and an enqueuer over the real queue, of kinds that tests can kill
$(B)/tests/jobworker: tests/fault/jobworker.c $(patsubst %,$(B)/lib/%.a,jobs db loop core gen)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)

# tests/fuzz/<name>_fuzz.c: LLVMFuzzerTestOneInput; corpus seeds in tests/fuzz/corpus/<name>/
# one line a fuzzer; a finding prints its report and where the input was kept, and fails
FUZZ_SECONDS ?= 60
FUZZ_NAMES := $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))
fuzz:
	@for n in $(FUZZ_NAMES); do \
	  $(MAKE) --no-print-directory B=$(B)/fuzz CC=clang SAN=address,undefined,fuzzer-no-link $(B)/fuzz/fuzzers/$$n || exit 1; \
	  mkdir -p $(B)/fuzz/corpus/$$n; \
	  if $(B)/fuzz/fuzzers/$$n -max_total_time=$(FUZZ_SECONDS) -timeout=5 -rss_limit_mb=2048 -print_final_stats=1 \
	    -artifact_prefix=$(B)/fuzz/$$n- $(B)/fuzz/corpus/$$n tests/fuzz/corpus/$$n >$(B)/fuzz/$$n.log 2>&1; then \
	    awk -v n=$$n '/number_of_executed_units/ { runs = $$2 } / cov: / { for (i = 1; i < NF; i++) if ($$i == "cov:") cov = $$(i + 1) } \
	      END { printf "fuzz %s: %d inputs, %d edges covered, no finding\n", n, runs, cov }' $(B)/fuzz/$$n.log; \
	  else echo "fuzz $$n: FINDING"; tail -60 $(B)/fuzz/$$n.log; exit 1; fi; done
$(B)/fuzzers/%: tests/fuzz/%_fuzz.c $(LINK)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $< -Wl,--start-group $(LINK) -Wl,--end-group $(LIBS)
