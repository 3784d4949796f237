// SPDX-License-Identifier: GPL-2.0-only
/*
 * walk.c - walks the guest's page tables, in every paging mode.
 *
 * The emulator and string I/O come here for each page that an instruction
 * touches.  The walk does what the CPU's would: the same permissions, the same
 * error code, accessed and dirty bits set (SDM 3A chapter 4).  One thing it
 * cannot know: the protection keys' PKRU, which the module does not pass on;
 * pages are taken as if every key allowed everything.
 */
#include "walk.h"

#define PTE_PRESENT	BIT_ULL(0)
#define PTE_WRITE	BIT_ULL(1)
#define PTE_USER	BIT_ULL(2)
#define PTE_ACCESSED	BIT_ULL(5)
#define PTE_DIRTY	BIT_ULL(6)
#define PTE_LARGE	BIT_ULL(7)
#define PTE_PAT_LARGE	BIT_ULL(12)
#define PTE_NX		BIT_ULL(63)

/**
 * struct walk_mode - the shape of the tables in one paging mode
 * @levels:	tables on the way
 * @entry:	bytes of an entry, 4 or 8
 * @index_bits:	bits of the linear address that each level consumes
 */
struct walk_mode {
	unsigned int levels;
	unsigned int entry;
	unsigned int index_bits;
};

static const struct walk_mode mode_32bit = { 2, 4, 10 };
static const struct walk_mode mode_pae = { 3, 8, 9 };
static const struct walk_mode mode_4level = { 4, 8, 9 };
static const struct walk_mode mode_5level = { 5, 8, 9 };

static u64 bits(unsigned int high, unsigned int low)
{
	/* bits @high to @low inclusive, empty when @high < @low */
	if (high < low)
		return 0;
	return (~0ULL >> (63 - high)) & (~0ULL << low);
}

static const struct walk_mode *paging_mode(const struct walk *walk)
{
	if (!(walk->cr4 & CR4_PAE))
		return &mode_32bit;
	if (!(walk->efer & EFER_LMA))
		return &mode_pae;
	return walk->cr4 & CR4_LA57 ? &mode_5level : &mode_4level;
}

/* Bits that are zero at all levels (SDM 3A 4.3 to 4.5). */
static u64 always_reserved(const struct walk *walk, unsigned int phys_bits)
{
	u64 reserved = 0;

	if (walk->mode == &mode_32bit)
		return 0;
	if (phys_bits < 52)
		reserved |= bits(51, phys_bits);
	if (walk->mode == &mode_pae)
		reserved |= bits(62, 52);
	if (!(walk->efer & EFER_NXE))
		reserved |= PTE_NX;
	return reserved;
}

/**
 * walk_init() - take the paging state from a vCPU's registers
 * @walk: to fill in
 * @mem: the guest's memory
 * @sregs: its system registers
 * @rflags: its flags
 * @phys_bits: MAXPHYADDR as the guest's CPUID says
 */
void walk_init(struct walk *walk, const struct guest_mem *mem,
	       const struct mvm_sregs *sregs, u64 rflags,
	       unsigned int phys_bits)
{
	*walk = (struct walk) {
		.mem = mem,
		.cr0 = sregs->cr0,
		.cr3 = sregs->cr3,
		.cr4 = sregs->cr4,
		.efer = sregs->efer,
		/* SS.DPL is the CPL (SDM 3C 25.4.1); 3 in virtual-8086 mode */
		.user = (sregs->cr0 & CR0_PE) &&
			(rflags & RFLAGS_VM ||
			 SEG_DPL(sregs->ss.access) == 3),
		.ac = rflags & RFLAGS_AC,
	};
	walk->mode = paging_mode(walk);
	walk->reserved = always_reserved(walk, phys_bits);
	walk->address = walk->mode->entry == 4 ? bits(31, 12) : bits(51, 12);
}

static bool canonical(u64 linear, const struct walk_mode *mode)
{
	unsigned int width = 12 + mode->levels * mode->index_bits;
	s64 sign = (s64)linear >> (width - 1);

	return sign == 0 || sign == -1;
}

/* Is this entry the last one: a page, not a table? */
static bool is_leaf(const struct walk *walk, const struct walk_mode *mode,
		    unsigned int level, u64 entry)
{
	if (level == 1)
		return true;
	if (!(entry & PTE_LARGE))
		return false;
	if (mode == &mode_32bit)
		return walk->cr4 & CR4_PSE;
	if (mode == &mode_pae)
		return level == 2;
	/* 1 GiB pages: whether CPUID offers them does not matter here */
	return level == 2 || level == 3;
}

/* Bits that must be zero in a present entry (SDM 3A 4.3 to 4.5). */
static u64 reserved_bits(const struct walk *walk, const struct walk_mode *mode,
			 unsigned int level, bool leaf)
{
	if (level == 1)
		return walk->reserved;
	if (mode == &mode_32bit)
		/* PSE-36: bits 20 to 13 are address, 21 is reserved */
		return leaf ? BIT_ULL(21) : 0;
	if (mode == &mode_pae && level == 3)
		return walk->reserved | bits(63, 52) | bits(8, 5) | bits(2, 1);
	if (leaf)
		return walk->reserved | (level == 2 ? bits(20, 13) : bits(29, 13));
	return level >= 4 ? walk->reserved | PTE_LARGE : walk->reserved;
}

/* The page-fault error code of this access, without P and RSVD. */
static u32 access_code(const struct walk *walk, unsigned int access)
{
	u32 code = 0;

	if (access & WALK_WRITE)
		code |= PF_WRITE;
	if (walk->user)
		code |= PF_USER;
	/* I/D is reported only when there is a reason to (SDM 3A 4.7) */
	if (access & WALK_FETCH &&
	    (((walk->efer & EFER_NXE) && (walk->cr4 & CR4_PAE)) ||
	     walk->cr4 & CR4_SMEP))
		code |= PF_FETCH;
	return code;
}

/* SDM 3A 4.6.1; the rights are those of all levels together. NX is reserved without NXE. */
static bool allowed(const struct walk *walk, unsigned int access, u64 every, u64 any)
{
	bool user = every & PTE_USER, writable = every & PTE_WRITE, no_execute = any & PTE_NX;

	if (walk->user && !user)
		return false;
	if (access & WALK_FETCH)
		return !no_execute &&
		       (walk->user || !user || !(walk->cr4 & CR4_SMEP));
	if (!walk->user && user && walk->cr4 & CR4_SMAP && !walk->ac)
		return false;
	if (access & WALK_WRITE && !writable)
		return !walk->user && !(walk->cr0 & CR0_WP);
	return true;
}

static u64 load_entry(const void *host, const struct walk_mode *mode)
{
	if (mode->entry == 4)
		return __atomic_load_n((const u32 *)host, __ATOMIC_ACQUIRE);
	return __atomic_load_n((const u64 *)host, __ATOMIC_ACQUIRE);
}

/* In ROM they cannot be set, nor are they missed. */
static void set_bits(const struct walk *walk, u64 gpa, const struct walk_mode *mode, u64 set)
{
	void *host = guest_mem_at_writable(walk->mem, gpa, mode->entry);

	if (!host)
		return;
	if (mode->entry == 4)
		__atomic_fetch_or((u32 *)host, (u32)set, __ATOMIC_RELAXED);
	else
		__atomic_fetch_or((u64 *)host, set, __ATOMIC_RELAXED);
}

/* Physical address of the table, or of the page of 1 << @shift bytes, that an entry names. */
static u64 entry_address(const struct walk *walk, unsigned int shift, u64 entry, bool leaf)
{
	if (!leaf || shift == 12)
		return entry & walk->address;
	if (walk->mode == &mode_32bit)
		return (entry & bits(31, 22)) | (entry & bits(20, 13)) << 19;
	return entry & walk->address & ~(BIT_ULL(shift) - 1);
}

static u64 root(const struct walk *walk)
{
	return walk->cr3 & (walk->mode == &mode_pae ? bits(31, 5) : walk->address);
}

/**
 * walk_linear() - translate one linear address
 * @walk: the paging state
 * @linear: the address; 32 bits of it count outside long mode
 * @access: WALK_WRITE, WALK_FETCH, or 0 for a read
 * @gpa: out: the guest-physical address, with WALK_OK
 * @error_code: out: for the #PF, with WALK_FAULT
 *
 * Accessed and dirty bits are set as the CPU would, once the access is known
 * to be allowed.
 *
 * Return: what became of it.
 */
enum walk_result walk_linear(const struct walk *walk, u64 linear,
			     unsigned int access, u64 *gpa, u32 *error_code)
{
	const struct walk_mode *mode = walk->mode;
	unsigned int level = mode->levels, shift = 12 + level * mode->index_bits;
	u64 table, entry, every = ~0ULL, any = 0;
	u64 seen[5], at[5];
	unsigned int i, used = 0;
	bool leaf;

	if (!(walk->efer & EFER_LMA))
		linear &= 0xffffffff;
	if (!(walk->cr0 & CR0_PG)) {
		*gpa = linear;
		return WALK_OK;
	}
	if (level >= 4 && !canonical(linear, mode))
		return WALK_NOT_CANONICAL;

	table = root(walk);
	do {
		u64 where;
		void *host;

		shift -= mode->index_bits;
		where = table + (linear >> shift & (BIT_ULL(mode->index_bits) - 1)) * mode->entry;
		host = guest_mem_at(walk->mem, where, mode->entry);
		if (!host)
			return WALK_NO_TABLE;
		entry = load_entry(host, mode);
		if (!(entry & PTE_PRESENT)) {
			*error_code = access_code(walk, access);
			return WALK_FAULT;
		}
		leaf = is_leaf(walk, mode, level, entry);
		if (entry & reserved_bits(walk, mode, level, leaf)) {
			*error_code = access_code(walk, access) | PF_PRESENT |
				      PF_RESERVED;
			return WALK_FAULT;
		}
		/* PAE's top entries carry no rights and no accessed bit */
		if (!(mode == &mode_pae && level == 3)) {
			every &= entry;
			any |= entry;
			seen[used] = entry;
			at[used++] = where;
		}
		table = entry_address(walk, shift, entry, leaf);
		level--;
	} while (!leaf);

	if (!allowed(walk, access, every, any)) {
		*error_code = access_code(walk, access) | PF_PRESENT;
		return WALK_FAULT;
	}
	for (i = 0; i < used; i++) {
		u64 set = PTE_ACCESSED;

		if (i == used - 1 && access & WALK_WRITE)
			set |= PTE_DIRTY;
		if ((seen[i] & set) != set)
			set_bits(walk, at[i], mode, set);
	}
	*gpa = table | (linear & (BIT_ULL(shift) - 1));
	return WALK_OK;
}
