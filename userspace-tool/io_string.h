/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * io_string.h - INS and OUTS, with and without REP.
 */
#ifndef MINI_VM_IO_STRING_H
#define MINI_VM_IO_STRING_H

#include "bus.h"
#include "mmio.h"

enum mmio_result io_string(struct mmio *mmio, struct bus *ports,
			   const struct mvm_exit_io *io);

#endif /* MINI_VM_IO_STRING_H */
