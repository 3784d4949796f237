// SPDX-License-Identifier: GPL-2.0-only
/*
 * tables.c - builds the ACPI tables: RSDP, RSDT and XSDT, FADT, FACS, MADT; the
 * DSDT comes from dsdt.asl.  machine.c puts them into the guest's memory at
 * power-up and after a reset, as a firmware would.
 *
 * The RSDT says what the XSDT says: small kernels read nothing else.
 *
 * Source: ACPI 6.5, section 5.2 (its tables name the fields) and 5.2.6 for
 * checksums; FADT version 6.3, MADT version 5.
 */
#include <string.h>

#include "../devices/acpi_pm.h"
#include "../devices/device.h"
#include "../devices/ioapic.h"
#include "../devices/pci_absent.h"
#include "tables.h"

/* dsdt_aml_code, compiled from dsdt.asl */
#include "dsdt.hex"

#define PACKED		__attribute__((packed))
#define TABLE_ALIGN	16

#define OEM_ID		"MINIVM"
#define OEM_TABLE_ID	"MINI-VM "
#define CREATOR_ID	"MVM "

#define LAPIC_GPA	0xfee00000U
#define ALL_PROCESSORS	0xff

/* CMOS register of the century (devices/rtc.c) */
#define RTC_CENTURY	0x32

struct PACKED acpi_header {
	char signature[4];
	u32 length;
	u8 revision;
	u8 checksum;
	char oem_id[6];
	char oem_table_id[8];
	u32 oem_revision;
	char creator_id[4];
	u32 creator_revision;
};

struct PACKED acpi_rsdp {
	char signature[8];
	u8 checksum;		/* of the first 20 bytes */
	char oem_id[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
	u8 extended_checksum;	/* of all */
	u8 reserved[3];
};

#define RSDP_V1_BYTES	20

struct PACKED acpi_rsdt {
	struct acpi_header header;
	u32 entries[2];
};

struct PACKED acpi_xsdt {
	struct acpi_header header;
	u64 entries[2];
};

/* Generic address structure (5.2.3.2) */
struct PACKED acpi_address {
	u8 space;
	u8 bits;
	u8 offset;
	u8 access;		/* 1: bytes, 2: words, 3: dwords */
	u64 address;
};

#define SPACE_IO	1

/* 5.2.9, table 5.9 */
struct PACKED acpi_fadt {
	struct acpi_header header;
	u32 facs;
	u32 dsdt;
	u8 reserved0;
	u8 pm_profile;
	u16 sci;
	u32 smi_command;
	u8 acpi_enable;
	u8 acpi_disable;
	u8 s4bios_request;
	u8 pstate_control;
	u32 pm1a_event;
	u32 pm1b_event;
	u32 pm1a_control;
	u32 pm1b_control;
	u32 pm2_control;
	u32 pm_timer;
	u32 gpe0;
	u32 gpe1;
	u8 pm1_event_bytes;
	u8 pm1_control_bytes;
	u8 pm2_control_bytes;
	u8 pm_timer_bytes;
	u8 gpe0_bytes;
	u8 gpe1_bytes;
	u8 gpe1_base;
	u8 cst_control;
	u16 c2_latency;
	u16 c3_latency;
	u16 flush_size;
	u16 flush_stride;
	u8 duty_offset;
	u8 duty_width;
	u8 day_alarm;
	u8 month_alarm;
	u8 century;
	u16 boot_flags;
	u8 reserved1;
	u32 flags;
	struct acpi_address reset;
	u8 reset_value;
	u16 arm_boot_flags;
	u8 minor_version;
	u64 x_facs;
	u64 x_dsdt;
	struct acpi_address x_pm1a_event;
	struct acpi_address x_pm1b_event;
	struct acpi_address x_pm1a_control;
	struct acpi_address x_pm1b_control;
	struct acpi_address x_pm2_control;
	struct acpi_address x_pm_timer;
	struct acpi_address x_gpe0;
	struct acpi_address x_gpe1;
	struct acpi_address sleep_control;
	struct acpi_address sleep_status;
	u64 hypervisor;
};

/* latencies above these limits: C2 and C3 are not there */
#define NO_C2		0xfff
#define NO_C3		0xfff

#define BOOT_LEGACY_DEVICES	BIT(0)
#define BOOT_8042		BIT(1)
#define BOOT_NO_VGA		BIT(2)

#define FADT_WBINVD		BIT(0)
#define FADT_PROC_C1		BIT(2)
#define FADT_NO_SLEEP_BUTTON	BIT(5)
#define FADT_NO_FIXED_RTC	BIT(6)
#define FADT_TIMER_32_BITS	BIT(8)
#define FADT_RESET_REGISTER	BIT(10)
#define FADT_HEADLESS		BIT(12)

/* 5.2.10 */
struct PACKED acpi_facs {
	char signature[4];
	u32 length;
	u32 hardware_signature;
	u32 waking_vector;
	u32 global_lock;
	u32 flags;
	u64 x_waking_vector;
	u8 version;
	u8 reserved[31];
};

/* 5.2.12 */
struct PACKED madt_lapic {
	u8 type;
	u8 length;
	u8 uid;
	u8 apic_id;
	u32 flags;
};

struct PACKED madt_ioapic {
	u8 type;
	u8 length;
	u8 id;
	u8 reserved;
	u32 address;
	u32 gsi_base;
};

struct PACKED madt_override {
	u8 type;
	u8 length;
	u8 bus;
	u8 source;
	u32 gsi;
	u16 flags;
};

struct PACKED madt_lapic_nmi {
	u8 type;
	u8 length;
	u8 uid;
	u16 flags;
	u8 lint;
};

/* The local APICs come last: as many as there are processors. */
struct PACKED acpi_madt {
	struct acpi_header header;
	u32 lapic_address;
	u32 flags;
	struct madt_ioapic ioapic;
	struct madt_override timer;
	struct madt_override sci;
	struct madt_lapic_nmi nmi;
	struct madt_lapic lapic[VM_VCPUS_MAX];
};

enum { MADT_LAPIC, MADT_IOAPIC, MADT_OVERRIDE, MADT_LAPIC_NMI = 4 };

#define MADT_PC_PICS		BIT(0)
#define MADT_ENABLED		BIT(0)
#define MADT_ACTIVE_HIGH	0x1
#define MADT_LEVEL		0xc

_Static_assert(sizeof(struct acpi_header) == 36, "ACPI 6.5, table 5.4");
_Static_assert(sizeof(struct acpi_rsdp) == 36, "ACPI 6.5, table 5.3");
_Static_assert(sizeof(struct acpi_fadt) == 276, "ACPI 6.5, table 5.9");
_Static_assert(sizeof(struct acpi_facs) == 64, "ACPI 6.5, table 5.11");

/* All bytes and the checksum add up to 0. */
static u8 checksum(const void *table, size_t bytes)
{
	const u8 *at = table;
	u8 sum = 0;

	while (bytes--)
		sum += *at++;
	return (u8)-sum;
}

static struct acpi_header header(const char *signature, u32 length, u8 revision)
{
	struct acpi_header header = {
		.length = length,
		.revision = revision,
		.oem_revision = 1,
		.creator_revision = 1,
	};

	memcpy(header.signature, signature, sizeof(header.signature));
	memcpy(header.oem_id, OEM_ID, sizeof(header.oem_id));
	memcpy(header.oem_table_id, OEM_TABLE_ID, sizeof(header.oem_table_id));
	memcpy(header.creator_id, CREATOR_ID, sizeof(header.creator_id));
	return header;
}

static struct acpi_address io_port(u64 port, u8 bytes)
{
	return (struct acpi_address) {
		.space = SPACE_IO,
		.bits = (u8)(8 * bytes),
		.access = bytes == 4 ? 3 : bytes,
		.address = port,
	};
}

static struct acpi_fadt fadt(u32 dsdt)
{
	struct acpi_fadt fadt = {
		.header = header("FACP", sizeof(fadt), 6),
		.minor_version = 3,
		.facs = ACPI_FACS_GPA,
		.dsdt = dsdt,
		.x_dsdt = dsdt,
		.sci = IRQ_SCI,
		/* no SMI command port: always in ACPI mode (4.8.2.5) */
		.pm1a_event = ACPI_PM1_EVENT_PORT,
		.pm1_event_bytes = ACPI_PM1_EVENT_BYTES,
		.x_pm1a_event = io_port(ACPI_PM1_EVENT_PORT, ACPI_PM1_EVENT_BYTES),
		.pm1a_control = ACPI_PM1_CONTROL_PORT,
		.pm1_control_bytes = ACPI_PM1_CONTROL_BYTES,
		.x_pm1a_control = io_port(ACPI_PM1_CONTROL_PORT, ACPI_PM1_CONTROL_BYTES),
		.pm_timer = ACPI_PM_TIMER_PORT,
		.pm_timer_bytes = ACPI_PM_TIMER_BYTES,
		.x_pm_timer = io_port(ACPI_PM_TIMER_PORT, ACPI_PM_TIMER_BYTES),
		.c2_latency = NO_C2,
		.c3_latency = NO_C3,
		.century = RTC_CENTURY,
		.boot_flags = BOOT_LEGACY_DEVICES | BOOT_8042 | BOOT_NO_VGA,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_SLEEP_BUTTON |
			 FADT_NO_FIXED_RTC | FADT_TIMER_32_BITS | FADT_RESET_REGISTER |
			 FADT_HEADLESS,
		.reset = io_port(RESET_CONTROL_PORT, 1),
		.reset_value = RESET_CONTROL_HARD,
	};

	/* two registers of two bytes */
	fadt.x_pm1a_event.access = 2;
	fadt.header.checksum = checksum(&fadt, sizeof(fadt));
	return fadt;
}

static struct acpi_madt madt(unsigned int cpus)
{
	u32 bytes = (u32)(offsetof(struct acpi_madt, lapic) + cpus * sizeof(struct madt_lapic));
	struct acpi_madt madt = {
		.header = header("APIC", bytes, 5),
		.lapic_address = LAPIC_GPA,
		.flags = MADT_PC_PICS,
		.ioapic = {
			.type = MADT_IOAPIC,
			.length = sizeof(madt.ioapic),
			.id = IOAPIC_ID,
			.address = IOAPIC_GPA,
			.gsi_base = 0,
		},
		/* flags 0: as on ISA, active high and edge triggered */
		.timer = {
			.type = MADT_OVERRIDE,
			.length = sizeof(madt.timer),
			.source = IRQ_TIMER,
			.gsi = IOAPIC_TIMER_PIN,
		},
		.sci = {
			.type = MADT_OVERRIDE,
			.length = sizeof(madt.sci),
			.source = IRQ_SCI,
			.gsi = IRQ_SCI,
			.flags = MADT_ACTIVE_HIGH | MADT_LEVEL,
		},
		.nmi = {
			.type = MADT_LAPIC_NMI,
			.length = sizeof(madt.nmi),
			.uid = ALL_PROCESSORS,
			.lint = 1,
		},
	};
	u8 id;

	for (id = 0; id < cpus; id++)
		madt.lapic[id] = (struct madt_lapic) {
			.type = MADT_LAPIC,
			.length = sizeof(madt.lapic[id]),
			.uid = id,
			.apic_id = id,
			.flags = MADT_ENABLED,
		};
	madt.header.checksum = checksum(&madt, bytes);
	return madt;
}

/*
 * The DSDT, of which Name (NCPU, 8) becomes the number of processors (ACPI 6.5,
 * 20.2.5.1: NameOp, the name, BytePrefix, the byte).
 */
static void dsdt(u8 *table, unsigned int cpus)
{
	static const u8 name[] = { 0x08, 'N', 'C', 'P', 'U', 0x0a, VM_VCPUS_MAX };
	struct acpi_header *header = (struct acpi_header *)table;
	u8 *at;

	memcpy(table, dsdt_aml_code, sizeof(dsdt_aml_code));
	at = memmem(table, sizeof(dsdt_aml_code), name, sizeof(name));
	at[sizeof(name) - 1] = (u8)cpus;
	header->checksum = 0;
	header->checksum = checksum(table, sizeof(dsdt_aml_code));
}

/* Where tables go, one behind the other. */
struct room {
	u8 *at;
	u64 gpa;
	u64 left;
};

/* Returns the table's address, 0 when the room is full. */
static u32 put(struct room *room, const void *table, u64 bytes)
{
	u64 used = (bytes + TABLE_ALIGN - 1) & ~(u64)(TABLE_ALIGN - 1);
	u64 gpa = room->gpa;

	if (used > room->left)
		return 0;
	memcpy(room->at, table, bytes);
	room->at += used;
	room->gpa += used;
	room->left -= used;
	return (u32)gpa;
}

static struct acpi_rsdp rsdp(u32 rsdt, u32 xsdt)
{
	struct acpi_rsdp rsdp = {
		.revision = 2,
		.rsdt = rsdt,
		.xsdt = xsdt,
		.length = sizeof(rsdp),
	};

	memcpy(rsdp.signature, "RSD PTR ", sizeof(rsdp.signature));
	memcpy(rsdp.oem_id, OEM_ID, sizeof(rsdp.oem_id));
	rsdp.checksum = checksum(&rsdp, RSDP_V1_BYTES);
	rsdp.extended_checksum = checksum(&rsdp, sizeof(rsdp));
	return rsdp;
}

static void install_root(struct room *room, void *rsdp_at, u32 fadt, u32 madt)
{
	struct acpi_rsdt rsdt = {
		.header = header("RSDT", sizeof(rsdt), 1),
		.entries = { fadt, madt },
	};
	struct acpi_xsdt xsdt = {
		.header = header("XSDT", sizeof(xsdt), 1),
		.entries = { fadt, madt },
	};
	struct acpi_rsdp root;

	rsdt.header.checksum = checksum(&rsdt, sizeof(rsdt));
	xsdt.header.checksum = checksum(&xsdt, sizeof(xsdt));
	root = rsdp(put(room, &rsdt, sizeof(rsdt)), put(room, &xsdt, sizeof(xsdt)));
	memcpy(rsdp_at, &root, sizeof(root));
}

/**
 * acpi_tables_install() - write the tables into the guest's memory
 * @mem: new or cleared memory; no vCPU runs
 * @cpus: how many the guest has, 1 to VM_VCPUS_MAX
 *
 * Return: false when they do not fit, which no guest memory makes them.
 */
bool acpi_tables_install(const struct guest_mem *mem, unsigned int cpus)
{
	struct room room = {
		.at = guest_mem_at(mem, ACPI_TABLES_GPA, ACPI_TABLES_BYTES),
		.gpa = ACPI_TABLES_GPA,
		.left = ACPI_TABLES_BYTES,
	};
	void *root = guest_mem_at(mem, ACPI_RSDP_GPA, sizeof(struct acpi_rsdp));
	struct acpi_facs facs = {
		.signature = "FACS",
		.length = sizeof(facs),
		.version = 2,
	};
	struct acpi_madt apics = madt(cpus);
	u8 board[sizeof(dsdt_aml_code)];
	struct acpi_fadt fixed;

	if (!room.at || !root ||
	    sizeof(dsdt_aml_code) + sizeof(fixed) + sizeof(apics) +
	    sizeof(struct acpi_rsdt) + sizeof(struct acpi_xsdt) + 5 * TABLE_ALIGN > room.left ||
	    !guest_mem_write(mem, ACPI_FACS_GPA, &facs, sizeof(facs)))
		return false;
	dsdt(board, cpus);
	fixed = fadt(put(&room, board, sizeof(board)));
	install_root(&room, root, put(&room, &fixed, sizeof(fixed)),
		     put(&room, &apics, apics.header.length));
	return true;
}
