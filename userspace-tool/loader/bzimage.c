// SPDX-License-Identifier: GPL-2.0-only
/*
 * bzimage.c - loads a Linux kernel in the form in which it is distributed.
 *
 * The kernel is entered at its 64-bit entry point where it has one, otherwise
 * at the 32-bit one; its real-mode code is never run.
 *
 * Source: Linux Documentation/x86/boot.rst.  Every field of the header is an
 * input that may be wrong or hostile.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../report.h"
#include "bytes.h"
#include "linux.h"

#define VERSION_CMDLINE_SIZE	0x0206
#define VERSION_INIT_SIZE	0x020a
#define VERSION_XLOADFLAGS	0x020c
#define ENTRY_64		0x200
#define DEFAULT_LOAD		0x100000
#define SECTOR			512
#define PARAGRAPH		16

/**
 * struct bzimage - the image, checked
 * @kernel:	what the boot protocol wants to know
 * @version:	protocol version
 * @payload:	offset of the protected-mode code in the file
 * @length:	its bytes
 */
struct bzimage {
	struct linux_kernel kernel;
	u16 version;
	u64 payload;
	u64 length;
};

static int bad(const struct boot_files *files, const char *why)
{
	report_error("%s: not a kernel that mini-vm can boot: %s",
		     files->image_path, why);
	return STATUS_RESOURCE;
}

static int read_header(const struct boot_files *files, struct bzimage *image)
{
	struct linux_kernel *kernel = &image->kernel;
	unsigned int setup_sects;
	ssize_t got;

	memset(image, 0, sizeof(*image));
	got = pread(files->image_fd, kernel->header, sizeof(kernel->header), 0);
	if (got < 0) {
		report_error("%s: cannot read the kernel: %s",
			     files->image_path, strerror(errno));
		return STATUS_RESOURCE;
	}
	if (got < HEADER_END_MAX)
		return bad(files, "the file is too short for a boot header");
	if (get16(kernel->header + OFF_BOOT_FLAG) != BOOT_FLAG ||
	    memcmp(kernel->header + OFF_MAGIC, "HdrS", 4))
		return bad(files, "it has no Linux boot header");

	image->version = get16(kernel->header + OFF_VERSION);
	if (image->version < VERSION_CMDLINE_SIZE)
		return bad(files, "its boot protocol is older than 2.06 (Linux 2.6.22)");
	if (!(kernel->header[OFF_LOADFLAGS] & LOADED_HIGH))
		return bad(files, "it is a zImage; build a bzImage");

	/* a kernel of a newer protocol may have a longer header than ours */
	kernel->header_end = OFF_MAGIC + kernel->header[OFF_JUMP_LENGTH];
	if (kernel->header_end > HEADER_END_MAX)
		kernel->header_end = HEADER_END_MAX;
	if (kernel->header_end < OFF_CMDLINE_SIZE + 4)
		return bad(files, "its boot header is cut short");
	memset(kernel->header + kernel->header_end, 0,
	       sizeof(kernel->header) - kernel->header_end);

	setup_sects = kernel->header[OFF_SETUP_SECTS];
	if (!setup_sects)
		setup_sects = 4;
	image->payload = (setup_sects + 1ULL) * SECTOR;
	image->length = (u64)get32(kernel->header + OFF_SYSSIZE) * PARAGRAPH;
	if (!image->length)
		return bad(files, "its boot header names no code");
	/* syssize is rounded up to a paragraph: the last bytes may be absent */
	if (image->payload >= files->image_size ||
	    image->length - (PARAGRAPH - 1) >
	    files->image_size - image->payload)
		return bad(files, "the file is truncated");
	if (image->length > files->image_size - image->payload)
		image->length = files->image_size - image->payload;

	kernel->long_entry = image->version >= VERSION_XLOADFLAGS &&
			     get16(kernel->header + OFF_XLOADFLAGS) &
			     XLF_KERNEL_64;
	if (kernel->long_entry && image->length <= ENTRY_64)
		return bad(files, "its code ends before the 64-bit entry point");
	return STATUS_OK;
}

/* Does [gpa, gpa + bytes) lie in the RAM between 1 MiB and 3 GiB? */
static bool fits(const struct guest_mem *mem, u64 gpa, u64 bytes)
{
	return gpa >= GPA_HIGH && gpa < mem->low && bytes <= mem->low - gpa;
}

static int choose_address(const struct boot_files *files,
			  const struct guest_mem *mem, struct bzimage *image)
{
	struct linux_kernel *kernel = &image->kernel;
	u64 preferred = DEFAULT_LOAD;
	u64 alignment = get32(kernel->header + OFF_KERNEL_ALIGNMENT);

	kernel->init_size = image->length;
	if (image->version >= VERSION_INIT_SIZE) {
		u64 init_size = get32(kernel->header + OFF_INIT_SIZE);

		preferred = get64(kernel->header + OFF_PREF_ADDRESS);
		if (init_size > kernel->init_size)
			kernel->init_size = init_size;
	}
	if (kernel->header[OFF_RELOCATABLE]) {
		if (!alignment || alignment & (alignment - 1) ||
		    alignment > GIB)
			return bad(files, "its boot header asks for an impossible alignment");
		if (!fits(mem, preferred, kernel->init_size) ||
		    preferred & (alignment - 1)) {
			preferred = (GPA_HIGH + alignment - 1) &
				    ~(alignment - 1);
		}
	}
	if (!fits(mem, preferred, kernel->init_size)) {
		report_error("%s: the kernel is too big for the guest's memory: it needs %llu MiB from address 0x%llx, and the guest has %llu MiB; give it more with --memory",
			     files->image_path,
			     (unsigned long long)((kernel->init_size + MIB - 1)
						  / MIB),
			     (unsigned long long)preferred,
			     (unsigned long long)(mem->size / MIB));
		return STATUS_RESOURCE;
	}
	kernel->load = preferred;
	kernel->entry = preferred + (kernel->long_entry ? ENTRY_64 : 0);
	return STATUS_OK;
}

/**
 * bzimage_load() - load a Linux kernel, its initrd and its boot parameters
 * @files: the image, the initrd and the command line
 * @mem: guest memory
 * @state: out: how the vCPU starts
 *
 * Return: STATUS_OK, or STATUS_RESOURCE after a report.
 */
int bzimage_load(const struct boot_files *files, const struct guest_mem *mem,
		 struct boot_state *state)
{
	struct bzimage image;
	int status;

	status = read_header(files, &image);
	if (status == STATUS_OK)
		status = choose_address(files, mem, &image);
	if (status == STATUS_OK)
		status = load_file(files->image_path, files->image_fd,
				   image.payload, image.length, mem,
				   image.kernel.load);
	if (status == STATUS_OK)
		status = linux_boot(files, mem, &image.kernel, state);
	return status;
}
