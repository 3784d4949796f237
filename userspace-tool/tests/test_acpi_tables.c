// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_acpi_tables.c [FOLDER] - walks the ACPI tables as a guest does: finds
 * the RSDP by scanning, follows it, checks each length and checksum.  With
 * FOLDER it also writes each table there, for test_acpi_iasl.sh.
 */
#include <string.h>

#include "acpi/tables.h"
#include "devices/ioapic.h"
#include "tap.h"

static struct guest_mem mem;
/* how many the guest has */
static const unsigned int cpus = 3;
static const char *folder;

static u8 sum(const u8 *at, u32 bytes)
{
	u8 total = 0;

	while (bytes--)
		total += *at++;
	return total;
}

static u64 number(const u8 *at, unsigned int bytes)
{
	u64 value = 0;

	memcpy(&value, at, bytes);
	return value;
}

static void save(const u8 *table, u32 length)
{
	char path[4096];
	FILE *file;

	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/%.4s.dat", folder, (const char *)table);
	file = fopen(path, "w");
	ok(file && fwrite(table, length, 1, file) == 1 && !fclose(file), "%s is written", path);
}

/* The table at @gpa, checked; NULL when it is not what it should be. */
static const u8 *table(u64 gpa, const char *signature, bool summed)
{
	const u8 *at = guest_mem_at(&mem, gpa, 36);
	u32 length = at ? (u32)number(at + 4, 4) : 0;

	if (!ok(at && !memcmp(at, signature, 4), "%s is at 0x%llx", signature,
		(unsigned long long)gpa))
		return NULL;
	ok(length >= 36 && guest_mem_at(&mem, gpa, length), "its length %u is in memory", length);
	if (summed)
		is(sum(at, length), 0, "its checksum is right");
	save(at, length);
	return at;
}

/* ACPI 6.5, 5.2.5.1 */
static u64 scan(void)
{
	u64 gpa, found = 0;

	for (gpa = 0xe0000; gpa < 0x100000; gpa += 16) {
		const u8 *at = guest_mem_at(&mem, gpa, 36);

		if (at && !memcmp(at, "RSD PTR ", 8) && !sum(at, 20)) {
			ok(!found, "there is one RSDP");
			found = gpa;
		}
	}
	return found;
}

static void test_fadt(const u8 *fadt)
{
	is(number(fadt + 4, 4), 276, "FADT: version 6");
	is(number(fadt + 46, 2), 9, "the SCI is 9");
	is(number(fadt + 48, 4), 0, "there is no SMI command port");
	is(number(fadt + 56, 4), 0x600, "PM1a event block");
	is(number(fadt + 64, 4), 0x604, "PM1a control block");
	is(number(fadt + 76, 4), 0x608, "PM timer");
	is(number(fadt + 91, 1), 4, "of four bytes");
	is(number(fadt + 112, 4) & 0x400, 0x400, "the reset register is there");
	/* space, bits, offset, access size, address (5.2.3.2) */
	is(number(fadt + 116, 4), 0x01000801, "a byte of I/O");
	is(number(fadt + 120, 8), 0xcf9, "at port 0xcf9");
	is(number(fadt + 128, 1), 6, "and takes 6");
	is(number(fadt + 148, 4), 0x02002001, "the long address of the events: 32 bits by words");
	is(number(fadt + 152, 8), 0x600, "at the same port");
	is(number(fadt + 172, 4), 0x02001001, "of the control: 16 bits by words");
	is(number(fadt + 176, 8), 0x604, "at the same port");
	is(number(fadt + 208, 4), 0x03002001, "of the timer: 32 bits by dwords");
	is(number(fadt + 212, 8), 0x608, "at the same port");
	is(number(fadt + 140, 8), number(fadt + 40, 4), "both addresses of the DSDT agree");
}

static void test_madt(const u8 *madt)
{
	u32 length = (u32)number(madt + 4, 4), at, seen = 0, apics = 0;

	is(number(madt + 36, 4), 0xfee00000, "MADT: the local APIC's address");
	for (at = 44; at + 2 <= length && madt[at + 1]; at += madt[at + 1]) {
		const u8 *entry = madt + at;

		seen |= 1U << entry[0];
		switch (entry[0]) {
		case 0:
			is(number(entry + 2, 6), 0x000000010000 | apics | apics << 8,
			   "processor %u, APIC %u, enabled", apics, apics);
			apics++;
			break;
		case 1:
			is(entry[2], IOAPIC_ID, "the I/O APIC's id");
			is(number(entry + 4, 8), IOAPIC_GPA, "its address, and GSI 0");
			break;
		case 2:
			if (!entry[3])
				is(number(entry + 4, 6), 2, "IRQ 0 is GSI 2");
			else
				is(number(entry + 3, 7), 0x000d0000000909ULL,
				   "IRQ 9 is GSI 9, level, high");
			break;
		case 4:
			is(number(entry + 2, 4), 0x010000ff, "LINT1 is NMI everywhere");
			break;
		}
	}
	is(at, length, "its entries fill it");
	is(seen, 0x17, "and all kinds are there");
	is(apics, cpus, "and a local APIC for each CPU");
}

/* Name (NCPU, n): 0x08, the name, 0x0a, n */
static void test_dsdt(const u8 *dsdt)
{
	const u8 *at = memmem(dsdt, number(dsdt + 4, 4), "\x08NCPU\x0a", 6);

	ok(at && at[6] == cpus, "the DSDT says how many CPUs there are");
}

static void test_tables(void)
{
	u64 gpa = scan();
	const u8 *rsdp, *rsdt, *xsdt, *fadt, *madt, *dsdt, *facs;

	if (!ok(gpa, "scanning finds the RSDP"))
		return;
	rsdp = guest_mem_at(&mem, gpa, 36);
	is(rsdp[15], 2, "of revision 2");
	is(sum(rsdp, 36), 0, "with a right extended checksum");
	rsdt = table(number(rsdp + 16, 4), "RSDT", true);
	xsdt = table(number(rsdp + 24, 8), "XSDT", true);
	if (!rsdt || !xsdt)
		return;
	is(number(xsdt + 4, 4), 36 + 2 * 8, "XSDT: two tables");
	is(number(rsdt + 36, 4), number(xsdt + 36, 8), "RSDT: the same");
	is(number(rsdt + 40, 4), number(xsdt + 44, 8), "both of them");
	fadt = table(number(xsdt + 36, 8), "FACP", true);
	madt = table(number(xsdt + 44, 8), "APIC", true);
	if (!fadt || !madt)
		return;
	test_fadt(fadt);
	test_madt(madt);
	dsdt = table(number(fadt + 40, 4), "DSDT", true);
	if (dsdt)
		test_dsdt(dsdt);
	facs = table(number(fadt + 36, 4), "FACS", false);
	is(number(fadt + 36, 4) & 63, 0, "FACS: on a boundary of 64 bytes");
	ok(facs && guest_mem_at_writable(&mem, number(fadt + 36, 4), 64), "where it can be written");
	is(number(fadt + 132, 8), 0, "and has one address only");
}

int main(int argc, char **argv)
{
	folder = argc > 1 ? argv[1] : NULL;
	if (guest_mem_create(&mem, GUEST_MEM_MIN))
		return 1;
	ok(acpi_tables_install(&mem, cpus), "the tables fit");
	test_tables();
	is(guest_mem_clear(&mem), 0, "a reset clears the memory");
	is(scan(), 0, "and the tables with it");
	ok(acpi_tables_install(&mem, 1) && scan(), "and they come back");
	guest_mem_destroy(&mem);
	return tap_done();
}
