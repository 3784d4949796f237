// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_string.c - moves data between a port and the guest's memory for INS and
 * OUTS.
 *
 * The exit comes before the CPU has looked at the memory operand (SDM 3C
 * 26.1.1), so segment and page faults are raised here.  The memory is found
 * before the port is touched: a fault must not lose a byte of a device.
 */
#include "alu.h"
#include "io_string.h"

static enum mmio_result element(struct mmio *mmio, struct bus *ports,
				const struct mvm_exit_io *io)
{
	bool in = io->flags & MVM_IO_IN;
	enum mvm_gpr gpr = in ? MVM_RDI : MVM_RSI;
	u64 step = mmio->rflags & RFLAGS_DF ? 0ULL - io->bytes : io->bytes;
	struct mmio_span span;
	enum mmio_result result;

	result = mmio_span(mmio, in ? SEG_ES : (enum mmio_segment)io->segment,
			   mmio_counter(mmio, gpr, io->address_bytes),
			   io->bytes, in ? WALK_WRITE : 0, &span);
	if (result != MMIO_DONE)
		return result;
	if (in)
		mmio_span_write(mmio, &span,
				bus_read(ports, io->port, io->bytes));
	else
		bus_write(ports, io->port, io->bytes,
			  mmio_span_read(mmio, &span));
	mmio_set_counter(mmio, gpr, io->address_bytes, mmio->gpr[gpr] + step);
	return MMIO_DONE;
}

/**
 * io_string() - perform INS or OUTS
 * @mmio: registers of the vCPU, from mmio_init(); gpr is updated
 * @ports: the I/O ports
 * @io: the exit
 *
 * Return: MMIO_DONE when it is finished, MMIO_AGAIN when repetitions are left
 * after MMIO_STRING_CHUNK, MMIO_EXCEPTION or MMIO_UNABLE.
 */
enum mmio_result io_string(struct mmio *mmio, struct bus *ports,
			   const struct mvm_exit_io *io)
{
	unsigned int chunk;

	if (io->segment > SEG_GS ||
	    (io->bytes != 1 && io->bytes != 2 && io->bytes != 4) ||
	    (io->address_bytes != 2 && io->address_bytes != 4 &&
	     io->address_bytes != 8))
		return mmio_unable(mmio, "made a string I/O exit that makes no sense (port 0x%x, %u bytes)",
				   io->port, io->bytes);
	if (!(io->flags & MVM_IO_REP))
		return element(mmio, ports, io);

	for (chunk = 0; chunk < MMIO_STRING_CHUNK; chunk++) {
		u64 left = mmio_counter(mmio, MVM_RCX, io->address_bytes);
		enum mmio_result result;

		if (!left)
			return MMIO_DONE;
		result = element(mmio, ports, io);
		if (result != MMIO_DONE)
			return result;
		mmio_set_counter(mmio, MVM_RCX, io->address_bytes, left - 1);
		if (left == 1)
			return MMIO_DONE;
	}
	return MMIO_AGAIN;
}
