# Static checks: include direction and lone headers, format, clang-tidy.
C_FILES := $(shell git ls-files 'src/*.[ch]' 'tools/*.[ch]' 'tests/*.[ch]' 'bench/*.c' 2>/dev/null)

.PHONY: lint fmt includes tidy
lint: includes
	clang-format --dry-run --Werror $(C_FILES)
fmt:
	clang-format -i $(C_FILES)
includes: $(B)/gen/.done
	node tools/includes.mjs "$(CC) $(CFLAGS)"
tidy: $(B)/gen/.done
	clang-tidy --quiet $(filter src/%.c,$(C_FILES)) -- $(CFLAGS)
