# Benchmarks beside their peers in one run; the report goes to $(B)/bench/report.md.
# S=jobs runs that scenario alone. floor: a bare epoll loop. fixed: http/ with nothing above it.
.PHONY: bench
bench: $(B)/softfactory $(B)/bench/floor $(B)/bench/fixed $(B)/bench/jobs
	SF_BIN=$(abspath $(B))/softfactory node bench/run.mjs $(B)/bench $(S)

$(B)/bench/floor: bench/floor.c
	@mkdir -p $(@D)
	$(CCACHE) $(CC) -std=gnu17 -g -O2 $(WARN) -D_GNU_SOURCE -o $@ $<
$(B)/bench/fixed: bench/fixed.c $(patsubst %,$(B)/lib/%.a,http loop core llhttp)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
# the database layer beside pgbench: make bench-db
.PHONY: bench-db
bench-db: $(B)/bench/dbloop
	node bench/dbloop.mjs $(B)/bench
$(B)/bench/dbloop: bench/dbloop.c $(patsubst %,$(B)/lib/%.a,db loop core gen)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
# the queue alone: make build/bench/jobs && build/bench/jobs URL, on an empty database
$(B)/bench/jobs: bench/jobs.c $(patsubst %,$(B)/lib/%.a,jobs db loop core gen)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
