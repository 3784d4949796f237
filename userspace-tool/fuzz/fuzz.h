/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuzz.h - what the fuzz targets share.  Each target is a file fuzz_NAME.c with
 * LLVMFuzzerTestOneInput(), linked by libFuzzer with the command's own objects,
 * all under ASan and UBSan; its corpus is corpus/NAME.
 */
#ifndef MINI_VM_FUZZ_H
#define MINI_VM_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "types.h"

/* What must hold whatever the input is. */
#define must(condition) do {						\
	if (!(condition)) {						\
		fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__,	\
			__LINE__, #condition);				\
		abort();						\
	}								\
} while (0)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#endif /* MINI_VM_FUZZ_H */
