# Generated C: the queries and migrations of src/jobs, src/app and src/services/* through tools/sqlgen.

# an owner is a folder with queries.sql or, where they are many, queries/*.sql by subject
SQL_OWNERS := $(foreach d,src/jobs src/app $(sort $(wildcard src/services/*)),$(if $(wildcard $(d)/queries.sql $(d)/queries/*.sql),$(d)))
SQL_FILES  := $(foreach d,$(SQL_OWNERS),$(wildcard $(d)/queries.sql $(d)/queries/*.sql $(d)/migrations/*.sql))

$(B)/tools/sqlgen: $(wildcard tools/sqlgen/*.[ch])
	@mkdir -p $(@D)
	$(CC) -std=gnu17 -g -O1 $(WARN) -D_GNU_SOURCE -o $@ $(filter %.c,$^)

# out: <owner>.q.h, <owner>.q.c for each owner (its folder's name), all.c with sf_all_queries and sf_all_migrations;
# their folders are named as well, so that a file taken away is noticed
$(B)/gen/.done: $(B)/tools/sqlgen $(SQL_FILES) $(wildcard $(SQL_OWNERS:=/migrations) $(SQL_OWNERS:=/queries))
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
