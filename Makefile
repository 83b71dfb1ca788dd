# Sluice: one makefile for everything.
#
#   make            build the programs and the built-in provider
#   make check      every test; make unit, make integration: parts of it
#   make lint fmt san fuzz bench install
#   make federation-up federation-down
#
# B is the build folder; `make B=build/san SAN=1` builds with sanitizers.

ifneq ($(words $(CURDIR)),1)
$(error make cannot work where a path has a blank: "$(CURDIR)")
endif

# Debian's servers are where only root's PATH looks.
export PATH := $(PATH):/usr/sbin:/sbin

B       ?= build
PREFIX  ?= /usr/local
VERSION := 1.0.0
PROVIDER := $(B)/providers/sluice/$(VERSION)

CC      ?= gcc
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wvla -Wpointer-arith -Wwrite-strings -Wformat=2 \
           -Wformat-nonliteral -Wundef -Werror
HARDEN  := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection \
           -fcf-protection -fno-strict-aliasing -fPIE
HARDEN_LD := -Wl,--as-needed -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack
PKGS    := json-c libprotobuf-c libsodium libseccomp libmariadb openssl \
           libcurl inih libarchive hiredis

# One build serves the unit tests under sanitizers and the fuzz targets.
ifdef SAN
CC      := clang
CFLAGS  := -O1 -g -fno-omit-frame-pointer \
           -fsanitize=fuzzer-no-link,address,undefined \
           -fno-sanitize-recover=undefined -D__SANITIZE_ADDRESS__=1
HARDEN  := -fPIE
# Two doubts that gcc does not share, about libseccomp's macros and long texts.
WARN    := -Wall -Wextra -Werror -Wno-missing-field-initializers \
           -Wno-string-concatenation
STATIC  :=
else
STATIC  := -static-pie
endif

# Detectors and the janitor look so many times more often (make check-haste).
ifdef HASTE
CPPFLAGS += -DHASTE=$(HASTE)
endif

CPPFLAGS += -std=gnu11 -D_GNU_SOURCE -DSLUICE_VERSION='"$(VERSION)"' \
            -I. -I$(B) $(shell pkg-config --cflags $(PKGS))
ALLC    := $(CPPFLAGS) $(WARN) $(HARDEN) $(CFLAGS) -MMD -MP
ALLLD   := -pie $(HARDEN_LD) $(CFLAGS) $(LDFLAGS)
LIBS    := $(shell pkg-config --libs $(PKGS)) -lfcgi -llmdb -lgmp -lm -lpthread
# What the executor may use: nothing that talks to a network or a database.
EXEC_LIBS := -llmdb -lprotobuf-c -ljson-c -lsodium -lgmp -lm -lpthread

objs     = $(patsubst %.c,$(B)/obj/%.o,$(wildcard $(1)))
PROTOS  := $(wildcard proto/*.proto proto/model/*.proto)
PB_C    := $(PROTOS:%.proto=$(B)/%.pb-c.c)
PB_H    := $(PROTOS:%.proto=$(B)/%.pb-c.h)
PB_O    := $(PB_C:$(B)/%.c=$(B)/obj/%.o)

LIB     := $(call objs,lib/*/*.c)
FCGI    := $(call objs,fcgi-app/*.c)
SUPER   := $(call objs,supervisor/*.c)
SHEP    := $(call objs,supervisor/shepherd/*.c)
MSTORE  := $(call objs,supervisor/modelstore/*.c)
EXEC    := $(call objs,executor/*.c executor/components/*.c executor/math/*.c)
CLI     := $(call objs,cli/*.c)
TESTLIB := $(call objs,tests/lib/*.c)

PROGRAMS := $(B)/bin/sluice $(B)/bin/sluice-fcgi $(B)/bin/sluice-supervisor \
            $(B)/bin/sluice-shepherd $(B)/bin/sluice-model-store \
            $(B)/bin/sluice-sandbox
UNITS   := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
BENCHES := $(patsubst bench/%.c,$(B)/bench/bin/%,$(wildcard bench/*.c))

.PHONY: all check test-provider unit integration lint fmt san fuzz bench install clean \
        federation-up federation-down provider tests benches client-env clients clients-slow api-docs api-docs-check \
        check-hostile check-kill check-kill-short check-network check-sim check-sim-more check-sim-points \
        check-mutations \
        check-outage check-outage-short check-hosts check-detectors check-network-long \
        check-systemd check-jitter check-haste
.PHONY: man man-check
.DELETE_ON_ERROR:
.SECONDARY:

all: $(PROGRAMS) provider

provider: $(PROVIDER)/executor $(PROVIDER)/manifest.json

# --- generated protobuf ---------------------------------------------------
$(B)/proto/%.pb-c.c $(B)/proto/%.pb-c.h: proto/%.proto
	@mkdir -p $(B)
	protoc-c --c_out=$(B) $<

# --- objects ----------------------------------------------------------------
$(B)/obj/%.o: %.c | $(PB_H)
	@mkdir -p $(@D)
	$(CC) $(ALLC) -c -o $@ $<

$(B)/obj/proto/%.o: $(B)/proto/%.c | $(PB_H)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(HARDEN) $(CFLAGS) -c -o $@ $<

# --- the executor's filter of system calls, made once -------------------------
$(B)/executor/make-filter: executor/filter/main.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(WARN) $(CFLAGS) -o $@ $< -lseccomp

$(B)/executor/filter.inc: $(B)/executor/make-filter
	$< >$@

$(B)/obj/executor/confine.o: $(B)/executor/filter.inc

# --- archives: programs without their main(), so that tests can link them ---
define archive
$(B)/$(1).a: $(filter-out %/main.o,$(2))
	@rm -f $$@
	$(AR) rcs $$@ $$^
endef
$(eval $(call archive,libsluice,$(LIB) $(PB_O)))
$(eval $(call archive,fcgi,$(FCGI)))
$(eval $(call archive,supervisor,$(SUPER)))
$(eval $(call archive,shepherd,$(SHEP)))
$(eval $(call archive,modelstore,$(MSTORE)))
$(eval $(call archive,executor,$(EXEC)))
$(eval $(call archive,cli,$(CLI)))
$(eval $(call archive,testlib,$(TESTLIB)))

# --- programs ---------------------------------------------------------------
define program
$(B)/bin/$(1): $(B)/obj/$(2)/main.o $(B)/$(3).a $(B)/libsluice.a
	@mkdir -p $$(@D)
	$(CC) $(ALLLD) -o $$@ $$^ $(LIBS)
endef
$(eval $(call program,sluice,cli,cli))
$(eval $(call program,sluice-fcgi,fcgi-app,fcgi))
$(eval $(call program,sluice-supervisor,supervisor,supervisor))
$(eval $(call program,sluice-shepherd,supervisor/shepherd,shepherd))
$(eval $(call program,sluice-model-store,supervisor/modelstore,modelstore))

# Nothing is open to it but the task's own trees: no library may be needed.
# It runs once a task, and is the same in every build.
$(B)/bin/sluice-sandbox: supervisor/sandbox/main.c supervisor/shepherd/inside.h
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE -I. $(WARN) -O2 -g -fPIE \
	    -fstack-protector-strong -D_FORTIFY_SOURCE=2 \
	    -static-pie $(HARDEN_LD) -o $@ $<

$(PROVIDER)/executor: $(B)/obj/executor/main.o $(B)/executor.a $(B)/libsluice.a
	@mkdir -p $(@D)
	$(CC) $(if $(STATIC),$(STATIC),-pie) $(HARDEN_LD) $(CFLAGS) $(LDFLAGS) \
	    -o $@ $^ $(EXEC_LIBS)

$(PROVIDER)/manifest.json: executor/manifest.json
	@mkdir -p $(@D)
	cp $< $@

# A second provider for tests and benchmarks: the executor's main() and
# runtime with other components.
TEST_PROVIDER := $(B)/providers/sluice_test/1.0.0
TESTCOMP := $(call objs,tests/provider/*.c)

test-provider: $(TEST_PROVIDER)/executor $(TEST_PROVIDER)/manifest.json

$(TEST_PROVIDER)/executor: $(B)/obj/executor/main.o $(TESTCOMP) \
    $(B)/executor.a $(B)/libsluice.a
	@mkdir -p $(@D)
	$(CC) $(if $(STATIC),$(STATIC),-pie) $(HARDEN_LD) $(CFLAGS) $(LDFLAGS) \
	    -o $@ $^ $(EXEC_LIBS)

$(TEST_PROVIDER)/manifest.json: tests/provider/manifest.json
	@mkdir -p $(@D)
	cp $< $@

# A third one that attacks its sandbox; it knows nothing of this library.
HOSTILE := $(B)/hostile/hostile/1.0.0

$(HOSTILE)/executor: tests/hostile/hostile.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -g -static-pie -fPIE -o $@ $<

$(HOSTILE)/manifest.json: tests/hostile/manifest.json
	@mkdir -p $(@D)
	cp $< $@

$(B)/tests/test_sandbox: | $(HOSTILE)/executor $(HOSTILE)/manifest.json $(B)/bin/sluice-sandbox

# --- tests ------------------------------------------------------------------
ARCHIVES := $(B)/testlib.a $(B)/fcgi.a $(B)/supervisor.a $(B)/shepherd.a \
            $(B)/executor.a $(B)/cli.a $(B)/libsluice.a
$(B)/tests/%: $(B)/obj/tests/unit/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(ALLLD) -o $@ $^ -lcmocka $(LIBS) -lseccomp

# These start the programs themselves.
$(B)/tests/test_fcgi_site: | $(B)/bin/sluice-fcgi $(PROVIDER)/manifest.json

# --- the simulation: a federation in one process and in virtual time --------
# Calls of the outside world go to tests/sim/wrap_*.c.
SIM     := $(call objs,tests/sim/*.c)
SIM_WRAPS := clock_gettime db_clock_follow nanosleep getrandom gethostname epoll_wait \
            posix_spawn kill loop_child loop_process processes_list \
            fd_dgram_send partner_post auth_listener auth_caller \
            log_write log_error_record joblog_info joblog_error joblog_audit \
            joblog_member_error mysql_stmt_prepare mysql_stmt_execute mysql_stmt_close \
            mysql_stmt_errno mysql_stmt_error mysql_real_query mysql_errno mysql_error \
            mysql_rollback mysql_real_connect mysql_close
comma   := ,

$(B)/tests/simulation: $(SIM) $(B)/testlib.a $(B)/fcgi.a \
    $(B)/supervisor.a $(B)/libsluice.a
	@mkdir -p $(@D)
	$(CC) $(ALLLD) $(SIM_WRAPS:%=-Wl$(comma)--wrap=%) -o $@ $^ $(LIBS)

# SEEDS of them from FIRST_SEED, after those that found something once, in
# SIM_JOBS processes side by side.
SEEDS      ?= 1000
FIRST_SEED ?= 1
SIM_JOBS   ?= 1
check-sim: $(B)/tests/simulation
	$< --list tests/sim/seeds --traces $(B) --seeds $(SEEDS) --told 20 \
	    --first $(FIRST_SEED) --jobs $(SIM_JOBS)

# A thousand more, as many of them as there is time for.
SIM_SECONDS ?= 600
check-sim-more: $(B)/tests/simulation
	$< --traces $(B) --seeds 1000 --first 1001 --jobs 2 \
	    --seconds $(SIM_SECONDS)

# A kill at each point between two steps that the jobs of some seeds pass;
# half an hour.
check-sim-points: $(B)/tests/simulation
	$< --each-point --traces $(B) --seeds 6 --first 1 --jobs 2 --points

# Does anything notice when the code is broken?  An hour; MUTATIONS names some,
# "--simulation" among them asks the simulation alone.
check-mutations: all $(B)/tests/simulation
	tests/sim/mutations $(MUTATIONS)

tests: $(UNITS)

unit: $(UNITS)
	@tests/unit/run.sh $(UNITS)

$(B)/bench/bin/%: $(B)/obj/bench/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(ALLLD) -o $@ $^ $(LIBS) -lseccomp

benches: $(BENCHES)

# --- checks -----------------------------------------------------------------
SOURCES := $(wildcard lib/*/*.[ch] fcgi-app/*.[ch] supervisor/*.[ch] \
           supervisor/*/*.[ch] executor/*.[ch] executor/*/*.[ch] \
           cli/*.[ch] tests/*/*.[ch] bench/*.[ch])
SCRIPTS := $(wildcard *.sh .ci/run conf/*.sh examples/*.sh examples/*/*.sh \
           tests/*/*.sh bench/*.sh)
PYTHON := $(wildcard bench/*.py docs/*.py examples/*.py examples/*/*.py \
          tests/*/*.py) tests/sim/mutations

MANPAGES := $(wildcard docs/man/*.[1-9])

MULTIARCH := $(shell $(CC) -print-multiarch)

# Everything a change must pass; the order is from quick to slow.
check: lint
	$(MAKE) all
	$(MAKE) api-docs-check
	$(MAKE) man-check
	$(MAKE) unit
	$(MAKE) san
	$(MAKE) fuzz
	$(MAKE) all test-provider
	# Each starts sites of its own, and all wait more than they compute: twice
	# as many beside each other as there are processors, the longest first.
	$(MAKE) -j4 --output-sync=target integration-third-1 \
	    integration-third-2 integration-third-3 clients check-kill-short \
	    check-sim check-hostile check-outage-short check-network \
	    check-hosts SEEDS=40

lint:
	@tests/lint/layers.sh
	@echo clang-format
	@clang-format --dry-run -Werror $(SOURCES)
	@echo cppcheck
	@cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -j2 \
	    --enable=warning,portability --suppress=missingIncludeSystem \
	    --suppress=normalCheckLevelMaxBranches \
	    --suppress=varFuncNullUB --suppress=funcArgOrderDifferent \
	    --suppress=duplicateAssignExpression \
	    --include=/usr/include/$(MULTIARCH)/sys/queue.h \
	    -I. $(filter %.c,$(SOURCES))
	shellcheck $(SCRIPTS)
	pyflakes3 $(PYTHON)
	mandoc -T lint -W warning $(MANPAGES)

fmt:
	# Twice: version 14 needs a second look at long macros.
	clang-format -i $(SOURCES)
	clang-format -i $(SOURCES)

# The unit tests again, with address and undefined-behaviour sanitizers.
san:
	$(MAKE) B=$(B)/san SAN=1 unit

# --- fuzzing: each target runs for FUZZ_SECONDS on its kept corpus ----------
FUZZ_SECONDS ?= 5
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

$(B)/fuzzers/%: $(B)/obj/tests/fuzz/fuzz_%.o $(B)/fcgi.a $(B)/supervisor.a $(B)/executor.a $(B)/libsluice.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS) -lseccomp

fuzz:
	$(MAKE) B=$(B)/san SAN=1 fuzz-run

# As many beside each other as make's -j says.
fuzz-run: $(FUZZERS:%=fuzz-run-%)

fuzz-run-%: $(B)/fuzzers/%
	@tests/fuzz/run.sh $(B) $* $(FUZZ_SECONDS)

# --- a federation on this machine -------------------------------------------
federation-up: all
	BUILD=$(abspath $(B)) examples/federation.sh up $(EXTRA_HOSTS)

federation-down:
	BUILD=$(abspath $(B)) examples/federation.sh down

# Real sites, real job, real kills.  The federation is the tests' own.
integration: all test-provider
	BUILD=$(abspath $(B)) tests/integration/run.sh

integration-third-%: all test-provider
	PART=$*/3 BUILD=$(abspath $(B)) \
	    FEDERATION=$(abspath $(B))/test-federation-$* \
	    tests/integration/run.sh

# Every detector in its own time, twenty minutes; integration has the short form.
check-detectors: all test-provider
	DETECTORS=long BUILD=$(abspath $(B)) tests/integration/run.sh \
	    test_detector_table

# The integration tests while programs of the sites stand still for moments, at
# random: who relies on who comes first fails.  TESTS=module names some only,
# SEED and ROUNDS choose the moments.
check-jitter: all test-provider
	BUILD=$(abspath $(B)) tests/jitter/run.sh $(TESTS)

# The suites with sites whose detectors and janitor look fifty times as often:
# whoever takes what comes each hour for what never comes fails.  SUITES names
# some only.
SUITES ?= integration clients check-hostile check-kill-short check-outage-short \
          check-network check-hosts
check-haste:
	$(MAKE) B=$(B)/haste HASTE=50 $(SUITES)

# A hostile partner and users of too little a role, at every route.
check-hostile: all
	BUILD=$(abspath $(B)) tests/hostile/run.sh

# Every program killed at every step of a job; an hour.  check-kill-short is
# the part of it that check runs.  KILL="--step 3 --victim self" is one case.
KILL_PROBE := $(B)/kill/probe.so

$(KILL_PROBE): tests/kill/probe.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(WARN) $(CFLAGS) -fPIC -shared -o $@ $< -ldl

check-kill: all $(KILL_PROBE)
	BUILD=$(abspath $(B)) tests/kill/run.sh $(KILL)

check-kill-short: all $(KILL_PROBE)
	BUILD=$(abspath $(B)) tests/kill/run.sh --short

# Sites that cannot reach each other, or not well.
check-network: all test-provider
	BUILD=$(abspath $(B)) tests/network/run.sh $(TESTS)

# Two sites as they are installed, under systemd as the first process of a
# machine made of this one's files and namespaces: root, a few minutes.
check-systemd: all
	BUILD=$(abspath $(B)) tests/systemd/run.sh $(TESTS)

# The same with black holes of a minute; ten minutes.
check-network-long: all test-provider
	NETWORK_FORM=long BUILD=$(abspath $(B)) tests/network/run.sh $(TESTS)

# Two hosts of one site, which share it and die.
check-hosts: all test-provider
	BUILD=$(abspath $(B)) tests/hosts/run.sh $(TESTS)

# Databases, disks, clocks, programs and partners that go and come back; half
# an hour.  check-outage-short is the part of it that check runs.
check-outage: all test-provider
	BUILD=$(abspath $(B)) tests/outage/run.sh $(TESTS)

check-outage-short: all test-provider
	BUILD=$(abspath $(B)) tests/outage/run.sh --short $(TESTS)

# docs/openapi.json follows from docs/api.md and the table of routes.
api-docs: $(B)/bin/sluice-fcgi
	docs/openapi.py $<

api-docs-check: $(B)/bin/sluice-fcgi
	docs/openapi.py $< --check

# The pages of commands and keys follow from the programs' own tables.
man: $(PROGRAMS)
	docs/man.py $(B)/bin/sluice

man-check: $(PROGRAMS)
	docs/man.py $(B)/bin/sluice --check

# The classic client, in a virtual environment of its own; only tests use it.
client-env:
	tests/clients/env.sh $(abspath $(B))/client-env

# The classic client against real sites.  TESTS=module names some only.
clients: all
	BUILD=$(abspath $(B)) tests/clients/run.sh $(TESTS)

# A gigabyte through the classic client: minutes, and no part of check.
clients-slow: all
	BUILD=$(abspath $(B)) tests/clients/run.sh big_upload

bench: all benches test-provider $(B)/tests/simulation
	BUILD=$(abspath $(B)) bench/run.sh

# --- installation -----------------------------------------------------------
LIBEXEC := $(PREFIX)/lib/sluice
SHARE   := $(PREFIX)/share/sluice
UNITDIR ?= $(PREFIX)/lib/systemd/system
ETCDIR  ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin \
	    $(DESTDIR)$(LIBEXEC)/providers/sluice/$(VERSION) \
	    $(DESTDIR)$(SHARE)/sql $(DESTDIR)$(SHARE)/nginx \
	    $(DESTDIR)$(SHARE)/conf/prometheus $(DESTDIR)$(UNITDIR)
	install -m 755 $(B)/bin/sluice $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $(B)/bin/sluice-fcgi $(B)/bin/sluice-supervisor \
	    $(DESTDIR)$(PREFIX)/sbin/
	install -m 755 $(B)/bin/sluice-shepherd $(B)/bin/sluice-model-store \
	    $(B)/bin/sluice-sandbox $(DESTDIR)$(LIBEXEC)/
	install -m 755 $(PROVIDER)/executor \
	    $(DESTDIR)$(LIBEXEC)/providers/sluice/$(VERSION)/
	install -m 644 $(PROVIDER)/manifest.json \
	    $(DESTDIR)$(LIBEXEC)/providers/sluice/$(VERSION)/
	install -m 644 sql/*.sql $(DESTDIR)$(SHARE)/sql/
	install -m 644 nginx/* $(DESTDIR)$(SHARE)/nginx/
	install -m 644 conf/site.conf $(DESTDIR)$(SHARE)/conf/
	install -m 644 conf/prometheus/sluice.rules.yml \
	    $(DESTDIR)$(SHARE)/conf/prometheus/
	for section in 1 5 8; do \
	    install -d $(DESTDIR)$(PREFIX)/share/man/man$$section && \
	    install -m 644 docs/man/*.$$section \
	        $(DESTDIR)$(PREFIX)/share/man/man$$section/ || exit 1; \
	done
	install -d $(DESTDIR)$(SHARE)/examples/data \
	    $(DESTDIR)$(SHARE)/examples/hetero_lr
	install -m 644 examples/data/*.csv examples/data/README.md \
	    $(DESTDIR)$(SHARE)/examples/data/
	install -m 644 examples/hetero_lr/*.json \
	    $(DESTDIR)$(SHARE)/examples/hetero_lr/
	install -d $(DESTDIR)$(ETCDIR)/logrotate.d
	install -m 644 conf/logrotate/sluice $(DESTDIR)$(ETCDIR)/logrotate.d/
	install -d $(DESTDIR)$(PREFIX)/lib/sysusers.d \
	    $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
	install -m 644 conf/systemd/sluice.sysusers \
	    $(DESTDIR)$(PREFIX)/lib/sysusers.d/sluice.conf
	install -m 644 conf/systemd/sluice.tmpfiles \
	    $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/sluice.conf
	for u in conf/systemd/*.service; do \
	    sed -e 's|@PREFIX@|$(PREFIX)|g' $$u \
	        >$(DESTDIR)$(UNITDIR)/$${u##*/}; \
	done

clean:
	rm -rf $(B)/bin $(B)/obj $(B)/proto $(B)/providers $(B)/tests $(B)/*.a

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
