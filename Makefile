# GNU make. Variables to set: CC, CFLAGS, LDFLAGS, BUILD, PREFIX, DESTDIR, WERROR=1,
# SANITIZE=address,undefined, STATIC=no. Every compiler or set of flags is best given a BUILD of its own.

VERSION := 0.1.0
SOMAJOR := 0

BUILD  ?= build
PREFIX ?= /usr/local
WERROR ?= 0
CFLAGS ?= -O2 -g
AR     ?= ar
SANITIZE ?=
PKG_CONFIG   ?= pkg-config
CLANG_FORMAT ?= clang-format
CLANG_TIDY   ?= clang-tidy
VALGRIND     ?= valgrind

# STUB_ANSWER_ADDRESS of tape/intercept/stub/answer.h.
STUB_LDFLAGS ?= -Wl,--section-start=.answer=0x440000 -Wl,-z,noseparate-code

PUBLIC_HEADERS := sandbox/sandbox.h sandbox/plan.h sandbox/denial.h tape/tape.h tape/clock.h tape/command.h base/error.h

LIB_DIRS := base sandbox tape tape/intercept
SUITE_DIR := conformance
PROBE_DIR := conformance/probe
STUB_DIR := tape/intercept/stub
SHIM_DIR := tape/intercept/shim
PRELOAD_DIR := tape/intercept/preload

COMMA := ,

# --- Which files -------------------------------------------------------------------------------
# A file name's suffix chooses the platform: x_linux.c, x_x86_64.c, x_linux_x86_64_test.c.

OS   := $(shell uname -s | tr A-Z a-z)
ARCH := $(subst amd64,x86_64,$(subst arm64,aarch64,$(shell uname -m)))

OTHER_PLATFORMS := $(filter-out $(OS),linux darwin openbsd windows) \
		   $(filter-out $(ARCH),x86_64 aarch64)

# With the dots turned into underlines, a suffix is _name_ wherever it stands.
is_foreign = $(strip $(foreach p,$(OTHER_PLATFORMS),$(findstring _$p_,$(subst .,_,$(notdir $1)))))
native     = $(foreach f,$1,$(if $(call is_foreign,$f),,$f))
sources_in = $(call native,$(sort $(wildcard $(addsuffix /*.c,$1) $(addsuffix /*.S,$1))))

ALL_LIB_SRCS := $(call sources_in,$(LIB_DIRS))
TEST_SRCS    := $(filter %_test.c,$(ALL_LIB_SRCS) $(call sources_in,$(SHIM_DIR) $(PRELOAD_DIR) tools \
		$(SUITE_DIR))) \
		tools/test_main.c
LIB_SRCS     := $(filter-out %_test.c,$(ALL_LIB_SRCS))
SUITE_SRCS   := $(filter-out %_test.c,$(call sources_in,$(SUITE_DIR)))
PROBE_SRCS   := $(filter-out %_test.c,$(call sources_in,$(PROBE_DIR)))
STUB_SRCS    := $(filter-out %_test.c,$(call sources_in,$(STUB_DIR)))
SHIM_SRCS    := $(filter-out %_test.c,$(call sources_in,$(SHIM_DIR)))
PRELOAD_SRCS := $(filter-out %_test.c,$(call sources_in,$(PRELOAD_DIR)))
BENCH_SRCS   := $(call native,$(wildcard tools/bench_*.c))
PROGRAM_SRCS := $(filter-out tools/bench_%.c tools/test_main.c %_test.c,$(call sources_in,tools))
FUZZ_SRCS    := $(sort $(wildcard tools/fuzz/*.c))
FIXTURE_SRCS := $(call native,$(wildcard fixtures/programs/*.c))
MAN_PAGES    := $(wildcard tools/man/*.[135])

objects = $(addprefix $(BUILD)/obj/,$(addsuffix .o,$(basename $1)))

LIB_OBJS     := $(call objects,$(LIB_SRCS))
TEST_OBJS    := $(call objects,$(TEST_SRCS))
# What the tests need of the program, of the shim and of the library in the subject.
TESTED_OBJS  := $(call objects,tools/options.c $(SHIM_DIR)/wire_linux.c $(SHIM_DIR)/launch_linux.c \
		  $(PRELOAD_DIR)/environment.c)
PROGRAM_OBJS := $(call objects,$(PROGRAM_SRCS))
BENCH_OBJS   := $(call objects,$(BENCH_SRCS))
SUITE_OBJS   := $(call objects,$(SUITE_SRCS))
PROBE_OBJS   := $(call objects,$(PROBE_SRCS))
STUB_OBJS    := $(call objects,$(STUB_SRCS))
FUZZ_OBJS    := $(call objects,$(FUZZ_SRCS))
# The shim carries out answers as the stub does; the library shares what asks the server.
SHIM_OBJS    := $(call objects,$(SHIM_SRCS) $(filter %/engine.c,$(STUB_SRCS)) \
		  $(filter $(STUB_DIR)/call_%.S,$(STUB_SRCS)))
PRELOAD_OBJS := $(patsubst $(BUILD)/obj/%,$(BUILD)/pic/%, \
		  $(call objects,$(PRELOAD_SRCS) $(filter %/wire_linux.c %/launch_linux.c,$(SHIM_SRCS))))

# --- What is built -----------------------------------------------------------------------------

PROGRAM    := $(if $(PROGRAM_SRCS),$(BUILD)/sandtape)
STUB       := $(if $(STUB_SRCS),$(BUILD)/sandtape-stub)
SHIM       := $(if $(SHIM_SRCS),$(BUILD)/sandtape-shim)
PROBE      := $(if $(PROBE_SRCS),$(BUILD)/sandtape-probe)
PRELOAD    := $(if $(PRELOAD_SRCS),$(BUILD)/libsandtape-preload.so)
LIB_A      := $(BUILD)/libsandtape.a
LIB_SO     := $(BUILD)/libsandtape.so
LIB_SONAME := $(LIB_SO).$(SOMAJOR)
TESTS      := $(BUILD)/sandtape-tests
FIXTURES   := $(patsubst fixtures/programs/%.c,$(BUILD)/fixtures/%,$(FIXTURE_SRCS))
BENCHES    := $(patsubst tools/%.c,$(BUILD)/%,$(BENCH_SRCS))
# Each target twice: run with files, and by libFuzzer.
FUZZ_TARGETS := tape text policy report
FUZZ_FILES   := $(addprefix $(BUILD)/fuzz_files_,$(FUZZ_TARGETS))
FUZZERS      := $(addprefix $(BUILD)/fuzz_,$(FUZZ_TARGETS))

# --- Flags -------------------------------------------------------------------------------------

PACKAGES := jansson libmd libxxhash

ifneq ($(filter-out clean format format-check includes,$(or $(MAKECMDGOALS),all)),)
ifneq ($(shell $(PKG_CONFIG) --exists $(PACKAGES) && echo yes),yes)
$(error $(PKG_CONFIG) does not find all of: $(PACKAGES))
endif
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PACKAGES))
PKG_LIBS   := $(shell $(PKG_CONFIG) --libs $(PACKAGES))
endif
# Asked only when tests are built: users do not need libcheck.
CHECK_CFLAGS = $(shell $(PKG_CONFIG) --cflags check)
CHECK_LIBS   = $(shell $(PKG_CONFIG) --libs check)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif

LANGUAGE := -std=gnu11 -D_GNU_SOURCE -I. -MMD -MP
DEFINES  := -DSANDTAPE_VERSION='"$(VERSION)"' \
	    -DSANDTAPE_LIBEXECDIR='"$(PREFIX)/libexec/sandtape"'

ifneq ($(SANITIZE),)
SANITIZE_FLAGS := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
else
# A sanitized library leaves symbols to the program, so only the plain one is checked for that.
NO_UNDEFINED := -Wl,-z,defs
endif

BASE_CFLAGS := $(LANGUAGE) $(DEFINES) $(WARNINGS) -fPIC -pthread $(PKG_CFLAGS)
ALL_CFLAGS  = $(BASE_CFLAGS) $(CPPFLAGS) $(CFLAGS) $(SANITIZE_FLAGS) $(EXTRA_CFLAGS)
ALL_LDFLAGS = -pthread $(CFLAGS) $(SANITIZE_FLAGS) $(LDFLAGS)

# A program of its own starts in half the time when nothing is left to be linked then: STATIC=yes,
# the default where the archives are there. A sanitizer wants its own libraries shared.
STATIC_NEEDS := rcrt1.o libc.a $(patsubst -l%,lib%.a,$(filter -l%,$(PKG_LIBS)))
ifeq ($(SANITIZE),)
STATIC      ?= $(if $(filter-out /%,$(foreach f,$(STATIC_NEEDS),$(shell $(CC) -print-file-name=$f))),no,yes)
STATIC_LINK := $(if $(filter yes,$(STATIC)),-static-pie -Wl$(COMMA)-z$(COMMA)pack-relative-relocs)
endif

# The stub has no C library beneath it and stands in for any program: neither the user's CFLAGS
# nor a sanitizer may put a runtime into it.
STUB_CFLAGS := $(LANGUAGE) $(WARNINGS) -O2 -g -ffreestanding -fno-stack-protector -fno-pie \
	       -fno-asynchronous-unwind-tables
STUB_LINK   = -nostdlib -static -Wl,--build-id=none $(STUB_LDFLAGS)

# So do the shim and the library in the subject, with a C library each: its own, and the subject's.
SHIM_CFLAGS    := $(LANGUAGE) $(WARNINGS) -O2 -g
PRELOAD_CFLAGS := $(SHIM_CFLAGS) -fPIC -fvisibility=hidden -pthread \
		  -fno-delete-null-pointer-checks

FIXTURE_CFLAGS := $(LANGUAGE) $(WARNINGS) -O1 -g -pthread

# --- Targets -----------------------------------------------------------------------------------

MAKEFLAGS += --no-print-directory --no-builtin-rules

.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
.PHONY: all check unit demo valgrind asan tsan bench suites conformance install includes format format-check tidy clean
.PHONY: fuzz fuzz-corpus FORCE

all: $(PROGRAM) $(STUB) $(SHIM) $(PROBE) $(PRELOAD) $(LIB_A) $(LIB_SO) $(FIXTURES)

# A stamp changes only when its text does, so that other flags or a file more or less rebuild
# what they touch, and nothing else is rebuilt.
define write_stamp
@mkdir -p $(@D)
@printf '%s\n' "$$STAMP" | cmp -s - $@ || printf '%s\n' "$$STAMP" >$@
endef

$(BUILD)/flags: export STAMP = $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(STUB_CFLAGS) $(STUB_LINK) \
	$(SHIM_CFLAGS) $(PRELOAD_CFLAGS) $(FIXTURE_CFLAGS) $(STATIC_LINK)
$(BUILD)/flags: FORCE
	$(write_stamp)

$(BUILD)/sources: export STAMP = $(LIB_SRCS) $(TEST_SRCS) $(PROGRAM_SRCS) $(STUB_SRCS) \
	$(SHIM_SRCS) $(PRELOAD_SRCS) $(SUITE_SRCS) $(PROBE_SRCS)
$(BUILD)/sources: FORCE
	$(write_stamp)

$(call objects,$(filter %.c,$(STUB_SRCS))): $(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(STUB_CFLAGS) -c -o $@ $<

$(call objects,$(filter %.S,$(STUB_SRCS))): $(BUILD)/obj/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(STUB_CFLAGS) -c -o $@ $<

$(call objects,$(filter %.c,$(SHIM_SRCS))): $(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(SHIM_CFLAGS) -c -o $@ $<

$(call objects,$(filter %.S,$(SHIM_SRCS))): $(BUILD)/obj/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(SHIM_CFLAGS) -c -o $@ $<

$(PROBE_OBJS): $(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(SHIM_CFLAGS) -c -o $@ $<

$(PRELOAD_OBJS): $(BUILD)/pic/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(PRELOAD_CFLAGS) -c -o $@ $<

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/obj/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(LIB_OBJS) $(TEST_OBJS) $(PROGRAM_OBJS) $(BENCH_OBJS) $(STUB_OBJS) $(SHIM_OBJS) \
	$(SUITE_OBJS) $(PROBE_OBJS) \
	$(PRELOAD_OBJS) $(TESTED_OBJS) $(FUZZ_OBJS) $(FIXTURES): $(BUILD)/flags
$(TEST_OBJS): EXTRA_CFLAGS = $(CHECK_CFLAGS)

$(BUILD)/obj/$(SUITE_DIR)/page_linux.o: $(SUITE_DIR)/page.html

# Made anew each time: ar would keep the members whose source is gone.
$(LIB_A): $(LIB_OBJS) $(BUILD)/sources
	@rm -f $@
	$(AR) rcs $@ $(LIB_OBJS)

$(LIB_SONAME): $(LIB_OBJS) $(BUILD)/sources tools/dev/libsandtape.map
	$(CC) $(ALL_LDFLAGS) -shared -Wl,-soname,$(@F) $(NO_UNDEFINED) \
		-Wl,--version-script=tools/dev/libsandtape.map -o $@ $(LIB_OBJS) $(PKG_LIBS)

$(LIB_SO): $(LIB_SONAME)
	ln -sf $(<F) $@

$(BUILD)/sandtape: $(PROGRAM_OBJS) $(SUITE_OBJS) $(LIB_A)
	$(CC) $(ALL_LDFLAGS) $(STATIC_LINK) -o $@ $(PROGRAM_OBJS) $(SUITE_OBJS) $(LIB_A) $(PKG_LIBS)

$(BUILD)/sandtape-stub: $(STUB_OBJS) $(BUILD)/sources
	$(CC) $(STUB_LINK) -o $@ $(STUB_OBJS)

$(BUILD)/sandtape-shim: $(SHIM_OBJS) $(BUILD)/sources
	$(CC) -static -Wl,-e,shim_entry -o $@ $(SHIM_OBJS)

# The same addresses in every process of it: -static alone is never position-independent, and clang
# warns of -no-pie besides.
$(BUILD)/sandtape-probe: $(PROBE_OBJS) $(BUILD)/sources
	$(CC) -static -o $@ $(PROBE_OBJS)

$(BUILD)/libsandtape-preload.so: $(PRELOAD_OBJS) $(BUILD)/sources
	$(CC) -shared -pthread -Wl,-z,defs -o $@ $(PRELOAD_OBJS)

# What asks for memory goes through base/chaos_test.c, where it can be made to fail.
CHAOS_CALLS   := malloc calloc realloc reallocarray strdup strndup vasprintf realpath opendir fdopendir \
		 posix_spawn_file_actions_adddup2 posix_spawn_file_actions_addchdir_np
CHAOS_LDFLAGS := $(addprefix -Wl$(COMMA)--wrap=,$(CHAOS_CALLS))

$(TESTS): $(TEST_OBJS) $(TESTED_OBJS) $(SUITE_OBJS) $(LIB_A)
	$(CC) $(ALL_LDFLAGS) $(CHAOS_LDFLAGS) -o $@ $(TEST_OBJS) $(TESTED_OBJS) $(SUITE_OBJS) $(LIB_A) \
		$(CHECK_LIBS) $(PKG_LIBS)

$(BENCHES): $(BUILD)/bench_%: $(BUILD)/obj/tools/bench_%.o $(LIB_A)
	$(CC) $(ALL_LDFLAGS) -o $@ $< $(LIB_A) $(PKG_LIBS)

$(FUZZ_FILES): $(BUILD)/fuzz_files_%: $(BUILD)/obj/tools/fuzz/fuzz_%.o \
		$(BUILD)/obj/tools/fuzz/files_main.o $(LIB_A)
	$(CC) $(ALL_LDFLAGS) -o $@ $(filter-out $(LIB_A),$^) $(LIB_A) $(PKG_LIBS)

$(FUZZERS): $(BUILD)/fuzz_%: $(BUILD)/obj/tools/fuzz/fuzz_%.o $(LIB_A)
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $(filter-out $(LIB_A),$^) $(LIB_A) $(PKG_LIBS)

$(BUILD)/fuzz_tape: $(BUILD)/obj/tools/fuzz/seal.o
$(BUILD)/fuzz_report $(BUILD)/fuzz_files_report: $(SUITE_OBJS)

# Programs that use the library.
$(BUILD)/fixtures/%_tape: fixtures/programs/%_tape.c $(LIB_A)
	@mkdir -p $(@D)
	$(CC) $(FIXTURE_CFLAGS) $(SANITIZE_FLAGS) -o $@ $< $(LIB_A) $(PKG_LIBS)

$(BUILD)/fixtures/%_static: fixtures/programs/%_static.c
	@mkdir -p $(@D)
	$(CC) $(FIXTURE_CFLAGS) -static -o $@ $<

$(BUILD)/fixtures/%_library: fixtures/programs/%_library.c
	@mkdir -p $(@D)
	$(CC) $(FIXTURE_CFLAGS) -fPIC -shared -o $@ $<

$(BUILD)/fixtures/%: fixtures/programs/%.c
	@mkdir -p $(@D)
	$(CC) $(FIXTURE_CFLAGS) -o $@ $<

# --- Running it --------------------------------------------------------------------------------
# The scripts and tests find what was built through BUILD.

export BUILD

unit: all $(TESTS)
	tools/unit.sh $(TESTS) $(TEST_FLAGS)

check: unit
	tools/e2e.sh

demo: all
	tools/demo.sh

bench: all $(BENCHES)
	tools/bench.sh

# SUITE_FLAGS: --quick, or the name of one.
suites: all
	tools/suites.sh $(SUITE_FLAGS)

# What this kernel denies, against what is known of kernels. CONFORMANCE_FLAGS: other options.
CONFORMANCE_BASELINE ?= $(if $(filter x86_64,$(ARCH)),conformance/baseline.json)
conformance: all
	$(PROGRAM) conformance $(addprefix --baseline ,$(CONFORMANCE_BASELINE)) $(CONFORMANCE_FLAGS)

valgrind: all $(TESTS)
	CK_FORK=no WRAPPER="$(VALGRIND) -q --error-exitcode=1 --leak-check=full \
		--errors-for-leak-kinds=definite" tools/unit.sh $(TESTS) --no-native

# Tests ask for more memory than there is and expect NULL, not the sanitizer's abort.
asan:
	ASAN_OPTIONS=allocator_may_return_null=1 CK_TIMEOUT_MULTIPLIER=5 \
		$(MAKE) BUILD=build-asan SANITIZE=address,undefined unit fuzz-corpus

# Data races, in all that threads may share.
TSAN_SUITES := tape_clock tape_writer tape_running tape_command tape_command_misuse \
	       tape_command_modes tape_command_threads

tsan:
	$(MAKE) BUILD=build-tsan SANITIZE=thread build-tsan/sandtape-tests
	CK_TIMEOUT_MULTIPLIER=5 build-tsan/sandtape-tests $(TSAN_SUITES)

FUZZ_MORE_policy := fixtures/policies/*/*.json fixtures/oci/*.json

# All that was found once, and what covers the code: without a fuzzer.
fuzz-corpus: $(FUZZ_FILES)
	$(foreach t,$(FUZZ_TARGETS),$(BUILD)/fuzz_files_$t fixtures/corpus/$t/* \
		$(FUZZ_MORE_$t) 2>$(BUILD)/fuzz.log || \
		{ tail $(BUILD)/fuzz.log; exit 1; };)

# Looks for more, with clang and its libFuzzer, for FUZZ_TIME seconds.
FUZZ_TIME ?= 60
fuzz:
	$(MAKE) BUILD=build-fuzz CC=clang SANITIZE=fuzzer-no-link,address,undefined \
		$(patsubst $(BUILD)/%,build-fuzz/%,$(FUZZERS))
	tools/fuzz.sh build-fuzz $(FUZZ_TIME) $(FUZZ_TARGETS)

includes:
	tools/check_includes.sh

# What git has or would add; all files when this is not a git checkout.
FORMAT_FILES = $(wildcard $(shell git ls-files -co --exclude-standard '*.c' '*.h' 2>/dev/null || \
	find . -name '*.[ch]' -not -path './build*'))

format:
	$(CLANG_FORMAT) -i $(FORMAT_FILES)

format-check:
	@test -n "$(firstword $(FORMAT_FILES))"
	$(CLANG_FORMAT) --dry-run -Werror $(FORMAT_FILES)

TIDY_SRCS  = $(filter %.c,$(LIB_SRCS) $(SUITE_SRCS) $(TEST_SRCS) $(PROGRAM_SRCS) $(BENCH_SRCS) $(FUZZ_SRCS))
TIDY_FLAGS = $(filter-out -Werror -MMD -MP,$(BASE_CFLAGS)) $(CHECK_CFLAGS)
STUB_TIDY_FLAGS = $(filter-out -Werror -MMD -MP,$(STUB_CFLAGS))

# One process a file, as many at once as there are processors. $1: files, $2: compiler flags.
tidy_files = printf '%s\n' $1 | xargs -r -P "$$(nproc)" -I{} \
	$(CLANG_TIDY) --quiet --warnings-as-errors='*' {} -- $2

tidy:
	$(call tidy_files,$(filter-out base/error.c,$(TIDY_SRCS)),-include tools/dev/tidy.h $(TIDY_FLAGS))
	$(call tidy_files,base/error.c,$(TIDY_FLAGS))
	$(call tidy_files,$(filter %.c,$(SHIM_SRCS) $(PRELOAD_SRCS) $(PROBE_SRCS)),\
		$(filter-out -Werror -MMD -MP,$(PRELOAD_CFLAGS)))
	$(if $(STUB_SRCS),$(call tidy_files,$(filter %.c,$(STUB_SRCS)),$(STUB_TIDY_FLAGS)))

# --- Installing --------------------------------------------------------------------------------

AT := $(DESTDIR)$(PREFIX)

# One flat directory: <sandtape/tape.h> includes <sandtape/error.h>.
FLATTEN := s,^\#include "[a-z_/]*/\([a-z0-9_]*\.h\)",\#include <sandtape/\1>,

$(BUILD)/sandtape.pc: tools/dev/sandtape.pc.in Makefile FORCE
	@mkdir -p $(@D)
	sed -e 's,@PREFIX@,$(PREFIX),' -e 's,@VERSION@,$(VERSION),' \
		-e 's,@REQUIRES@,$(PACKAGES),' $< >$@

install: all $(BUILD)/sandtape.pc
	install -d $(AT)/bin $(AT)/lib/pkgconfig $(AT)/libexec/sandtape $(AT)/include/sandtape
	install -m 755 $(BUILD)/sandtape $(AT)/bin/
	install -m 755 $(STUB) $(SHIM) $(PROBE) $(PRELOAD) $(AT)/libexec/sandtape/
	install -m 644 $(LIB_A) $(AT)/lib/
	install -m 755 $(LIB_SONAME) $(AT)/lib/
	ln -sf $(notdir $(LIB_SONAME)) $(AT)/lib/$(notdir $(LIB_SO))
	install -m 644 $(BUILD)/sandtape.pc $(AT)/lib/pkgconfig/
	for h in $(PUBLIC_HEADERS); do \
		sed '$(FLATTEN)' $$h >$(AT)/include/sandtape/$${h##*/} || exit 1; \
		chmod 644 $(AT)/include/sandtape/$${h##*/} || exit 1; \
	done
	for page in $(MAN_PAGES); do \
		install -D -m 644 $$page $(AT)/share/man/man$${page##*.}/$${page##*/} || exit 1; \
	done

clean:
	rm -rf $(BUILD) build-asan build-clang build-fuzz build-tsan

-include $(LIB_OBJS:.o=.d) $(TEST_OBJS:.o=.d) $(PROGRAM_OBJS:.o=.d) $(BENCH_OBJS:.o=.d)
-include $(FUZZ_OBJS:.o=.d) $(TESTED_OBJS:.o=.d) $(SUITE_OBJS:.o=.d) $(PROBE_OBJS:.o=.d)
-include $(STUB_OBJS:.o=.d) $(SHIM_OBJS:.o=.d) $(PRELOAD_OBJS:.o=.d) $(addsuffix .d,$(FIXTURES))
