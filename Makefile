# SPDX-License-Identifier: GPL-2.0-only
# make             the module and the command line
# make module      the module, for the kernel whose headers are at KDIR
# make kunit       the KUnit tests of the module's pure parts, likewise
# make tool        the command line
# make selftests   the test programs and test guests
# make clean
#
# make install     the command line, what the system must know, and the module,
#                  below DESTDIR; run "make" first.  MODULE says how:
#                    modules  mini_vm.ko for the kernel at KDIR (the default)
#                    dkms     the sources, for DKMS to build for each kernel
#                    none     no module
# make uninstall   takes away what "make install" with the same words put there
#
# Parts of it, for packages: install-tool, install-system, install-modules,
# install-dkms, and the same with "uninstall".

KDIR ?= /lib/modules/$(shell uname -r)/build
MODULE ?= modules
DESTDIR ?=
PREFIX ?= /usr/local
# Where udev, sysusers and tmpfiles look, beside /usr/lib.
SYSTEMDIR ?= $(PREFIX)/lib
INSTALL ?= install

VERSION := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
DKMS_TREE = $(DESTDIR)/usr/src/mini-vm-$(VERSION)
# The KUnit tests need a kernel with KUnit; what DKMS builds needs none of them.
DKMS_FILES = Kbuild dkms.conf uapi/linux/mini_vm.h $(wildcard module/compat/*.[hS]) \
	$(filter-out %_test.c module/kunit.c %/entry_offsets.h,$(wildcard module/*.[ch] module/*.S)) \
	$(wildcard LICENSES/*)
# What uname -r says there; Debian's kernel.release is another name.
KERNEL_RELEASE = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' \
	$(KDIR)/include/generated/utsrelease.h)
MODULE_FILE = $(DESTDIR)/lib/modules/$(KERNEL_RELEASE)/updates/mini_vm.ko

all: module tool

module:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

kunit:
	$(MAKE) -C $(KDIR) M=$(CURDIR) MINI_VM_KUNIT=1 modules

tool:
	$(MAKE) -C userspace-tool

selftests:
	$(MAKE) -C selftests

clean:
	$(MAKE) -C $(KDIR) M=$(CURDIR) clean
	$(MAKE) -C userspace-tool clean
	$(MAKE) -C selftests clean

ifeq ($(filter modules dkms none,$(MODULE)),)
$(error MODULE=$(MODULE): it is "modules", "dkms" or "none")
endif

install: install-tool install-system $(filter-out install-none,install-$(MODULE))
uninstall: uninstall-tool uninstall-system $(filter-out uninstall-none,uninstall-$(MODULE))

install-tool uninstall-tool:
	$(MAKE) -C userspace-tool $(@:-tool=) DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)

# The device's group, who may open it, and the folder for root's VMs.  In a
# system that runs, they hold at once.
install-system:
	$(INSTALL) -D -m 644 system/mini-vm.sysusers \
		$(DESTDIR)$(SYSTEMDIR)/sysusers.d/mini-vm.conf
	$(INSTALL) -D -m 644 system/mini-vm.tmpfiles \
		$(DESTDIR)$(SYSTEMDIR)/tmpfiles.d/mini-vm.conf
	$(INSTALL) -D -m 644 system/60-mini-vm.rules \
		$(DESTDIR)$(SYSTEMDIR)/udev/rules.d/60-mini-vm.rules
ifeq ($(DESTDIR),)
	-[ ! -d /run/systemd/system ] || systemd-sysusers mini-vm.conf
	-[ ! -d /run/systemd/system ] || systemd-tmpfiles --create mini-vm.conf
	-[ ! -d /run/udev ] || { udevadm control --reload && \
		udevadm trigger --subsystem-match=misc --sysname-match=mini-vm; }
endif

# The group stays, as files may belong to it.
uninstall-system:
	rm -f $(DESTDIR)$(SYSTEMDIR)/sysusers.d/mini-vm.conf \
		$(DESTDIR)$(SYSTEMDIR)/tmpfiles.d/mini-vm.conf \
		$(DESTDIR)$(SYSTEMDIR)/udev/rules.d/60-mini-vm.rules

# depmod is for the machine where the module ends up.
install-modules:
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install INSTALL_MOD_DIR=updates \
		INSTALL_MOD_PATH=$(DESTDIR) $(if $(DESTDIR),DEPMOD=true)

uninstall-modules:
	@[ -n '$(KERNEL_RELEASE)' ] || { echo 'no kernel headers at $(KDIR)' >&2; exit 1; }
	rm -f $(addprefix $(MODULE_FILE),'' .gz .xz .zst)
	$(if $(DESTDIR),,depmod $(KERNEL_RELEASE))

install-dkms:
	for file in $(DKMS_FILES); do \
		$(INSTALL) -D -m 644 "$$file" "$(DKMS_TREE)/$$file" || exit 1; \
	done
	$(if $(DESTDIR),,dkms install mini-vm/$(VERSION))

uninstall-dkms:
	$(if $(DESTDIR),,dkms remove mini-vm/$(VERSION) --all)
	rm -rf "$(DKMS_TREE)"

.PHONY: all module kunit tool selftests clean install uninstall \
	install-tool install-system install-modules install-dkms \
	uninstall-tool uninstall-system uninstall-modules uninstall-dkms
