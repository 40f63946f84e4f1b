# SoftFactory: build, check, bench, fuzz, fmt, lint. `make help` lists the targets.
#
# A folder of src/ becomes one static library; a binary links the libraries from the top of the include order
# down. B is the build folder: `make B=build/asan SAN=address,undefined check` builds apart from the rest.

B      ?= build
CC     ?= gcc
SAN    ?=
CCACHE := $(shell command -v ccache 2>/dev/null)

PKGS   := libuv libpq sqlite3 jansson libsodium libssl libcrypto libjwt libcurl librabbitmq zlib libbrotlienc libbrotlidec
CFLAGS_PKG := $(shell pkg-config --cflags $(PKGS))
LIBS   := $(shell pkg-config --libs $(PKGS)) -lm -lpthread

WARN   := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wformat=2 -Wno-missing-field-initializers
OPT    ?= -O2
HARDEN := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fPIE
LDHARD := -pie -Wl,-z,relro,-z,now
ifneq ($(SAN),)
OPT    := -O1 -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all
HARDEN := -fPIE
LDHARD := -pie -fsanitize=$(SAN)
endif
CFLAGS := -std=gnu17 -g $(OPT) $(WARN) $(HARDEN) -D_GNU_SOURCE -Isrc -isystem /usr/share/include -I$(B)/gen $(CFLAGS_PKG) $(EXTRA_CFLAGS)
LDFLAGS := $(LDHARD) $(EXTRA_LDFLAGS)
COMPILE = @echo "  CC  $<"; $(CCACHE) $(CC) $(CFLAGS) -MMD -MP

# The include order, lowest first. services/ and its modules count as one.
FOLDERS := core loop http db jobs auth app telemetry services cli

src_of   = $(wildcard src/$(1)/*.c) $(if $(filter services,$(1)),$(wildcard src/services/*/*.c))
obj_of   = $(patsubst src/%.c,$(B)/obj/%.o,$(call src_of,$(1)))
LINK     := $(patsubst %,$(B)/lib/%.a,$(filter-out cli,$(FOLDERS)) gen llhttp)

.PHONY: all help clean
all: $(B)/softfactory web

SHELL := /bin/bash

help:
	@sed -n 's/^## *//p' $(MAKEFILE_LIST)

## make                 build the binary and the web app into build/
## make check           unit tests (UNIT=core/json runs one)
## make api             API tests against the binary on SQLite and PostgreSQL (T=auth runs files whose name holds it)
## make web-test        browser tests
## make fault           fault tests
## make chaos           the job queue while workers, enqueuers and database are killed (CHAOS_JOBS, CHAOS_KILLS, CHAOS_SEED)
## make fuzz            fuzzers for a minute each (FUZZ_SECONDS=5)
## make bench           benchmarks beside their peers, report in build/bench/report.md
## make lint fmt        clang-tidy and format checks; formatting
## make B=build/asan SAN=address,undefined check      the same under sanitizers

# ---- the binary -------------------------------------------------------------------------------------------

$(B)/softfactory: $(call obj_of,cli) $(LINK)
	@echo "  LD  $@"; $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(call obj_of,cli) -Wl,--start-group $(LINK) -Wl,--end-group $(LIBS)

define folder_lib
$(B)/lib/$(1).a: $(call obj_of,$(1))
	@mkdir -p $$(@D) && rm -f $$@ && ar rcs $$@ $$^
endef

$(B)/obj/%.o: src/%.c Makefile | $(B)/gen/.done
	@mkdir -p $(@D)
	$(COMPILE) -c -o $@ $<

# llhttp from Debian's node-llhttp package, which ships its C sources
$(B)/lib/llhttp.a: $(addprefix /usr/share/llhttp/,api.c http.c llhttp.c)
	@mkdir -p $(B)/obj/llhttp $(@D)
	@for f in api http llhttp; do $(CCACHE) $(CC) -std=gnu17 -g $(OPT) -w -DLLHTTP_STRICT_MODE=1 $(HARDEN) -I/usr/share/include/llhttp -c -o $(B)/obj/llhttp/$$f.o /usr/share/llhttp/$$f.c || exit 1; done
	@rm -f $@ && ar rcs $@ $(B)/obj/llhttp/*.o

include mk/gen.mk mk/web.mk mk/test.mk mk/bench.mk mk/lint.mk

$(foreach f,$(filter-out cli,$(FOLDERS)),$(eval $(call folder_lib,$(f))))

clean:
	rm -rf build

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
