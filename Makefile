# SPDX-License-Identifier: GPL-2.0-only
# make             the module and the command line
# make module      the module, for the kernel whose headers are at KDIR
# make kunit       the KUnit tests of the module's pure parts, likewise
# make tool        the command line
# make selftests   the test programs and test guests
# make clean

KDIR ?= /lib/modules/$(shell uname -r)/build

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

.PHONY: all module kunit tool selftests clean
