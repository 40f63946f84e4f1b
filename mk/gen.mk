# Generated C: every queries.sql and migrations/*.sql of src/app and src/services/* through tools/sqlgen.

SQL_FILES  := $(wildcard src/jobs/queries.sql src/jobs/migrations/*.sql src/app/queries.sql src/app/migrations/*.sql src/services/*/queries.sql src/services/*/migrations/*.sql)
SQL_OWNERS := $(patsubst %/,%,$(sort $(dir $(wildcard src/jobs/queries.sql src/app/queries.sql src/services/*/queries.sql))))

$(B)/tools/%: tools/%.c
	@mkdir -p $(@D)
	$(CCACHE) $(CC) -std=gnu17 -g -O1 $(WARN) -D_GNU_SOURCE -o $@ $<

# out: <owner>.q.h, <owner>.q.c for each owner (its folder's name), all.c with sf_all_queries and sf_all_migrations;
# a folder of migrations is named as well, so that a file taken away is noticed
$(B)/gen/.done: $(B)/tools/sqlgen $(SQL_FILES) $(wildcard $(SQL_OWNERS:=/migrations))
	@mkdir -p $(B)/gen
	$(B)/tools/sqlgen $(B)/gen $(SQL_OWNERS)
	@touch $@

# Which files it writes is known from the owners alone. A file whose text has not changed keeps its time stamp, and
# so do the objects made of it.
GEN_C := $(B)/gen/all.c $(foreach o,$(SQL_OWNERS),$(B)/gen/$(notdir $(o)).q.c)
GEN_H := $(foreach o,$(SQL_OWNERS),$(B)/gen/$(notdir $(o)).q.h)
GEN_O := $(patsubst $(B)/gen/%.c,$(B)/obj/gen/%.o,$(GEN_C))
$(GEN_C) $(GEN_H): $(B)/gen/.done ;
$(B)/obj/gen/%.o: $(B)/gen/%.c Makefile
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<
$(B)/lib/gen.a: $(GEN_O)
	@mkdir -p $(@D) && rm -f $@ && ar rcs $@ $^
