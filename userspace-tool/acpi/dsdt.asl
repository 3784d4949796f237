// SPDX-License-Identifier: GPL-2.0-only
/*
 * dsdt.asl - what is on the board and cannot be found by looking: compiled by
 * iasl into acpi/tables.c.  Ports and lines are those of devices/.
 */
DefinitionBlock ("", "DSDT", 2, "MINIVM", "MINI-VM ", 1)
{
    // Soft off: SLP_TYP 0 (devices/acpi_pm.h). No other sleeping state.
    Name (\_S5, Package () { 0, 0, 0, 0 })

    // How many processors there are: acpi/tables.c writes it here.
    Name (NCPU, 8)
    Method (HERE, 1, NotSerialized)
    {
        If (Arg0 < NCPU)
        {
            Return (0x0F)
        }
        Return (0)
    }

    // 0: the PIC, 1: the I/O APIC. Interrupts do not depend on it.
    Name (PICM, 0)
    Method (\_PIC, 1, NotSerialized)
    {
        PICM = Arg0
    }

    Scope (\_SB)
    {
        // _UID as in the MADT; only the first NCPU of them are there
        Device (CPU0)
        {
            Name (_HID, "ACPI0007")
            Name (_UID, 0)
            Method (_STA, 0, NotSerialized) { Return (HERE (0)) }
        }
        Device (CPU1)
        {
            Name (_HID, "ACPI0007")
            Name (_UID, 1)
            Method (_STA, 0, NotSerialized) { Return (HERE (1)) }
        }
        Device (CPU2)
        {
            Name (_HID, "ACPI0007")
            Name (_UID, 2)
            Method (_STA, 0, NotSerialized) { Return (HERE (2)) }
        }
        Device (CPU3)
        {
            Name (_HID, "ACPI0007")
            Name (_UID, 3)
            Method (_STA, 0, NotSerialized) { Return (HERE (3)) }
        }
        Device (CPU4)
        {
            Name (_HID, "ACPI0007")
            Name (_UID, 4)
            Method (_STA, 0, NotSerialized) { Return (HERE (4)) }
        }
        Device (CPU5)
        {
            Name (_HID, "ACPI0007")
            Name (_UID, 5)
            Method (_STA, 0, NotSerialized) { Return (HERE (5)) }
        }
        Device (CPU6)
        {
            Name (_HID, "ACPI0007")
            Name (_UID, 6)
            Method (_STA, 0, NotSerialized) { Return (HERE (6)) }
        }
        Device (CPU7)
        {
            Name (_HID, "ACPI0007")
            Name (_UID, 7)
            Method (_STA, 0, NotSerialized) { Return (HERE (7)) }
        }

        Device (PIC)
        {
            Name (_HID, EisaId ("PNP0000"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0020, 0x0020, 0x01, 0x02)
                IO (Decode16, 0x00A0, 0x00A0, 0x01, 0x02)
                IO (Decode16, 0x04D0, 0x04D0, 0x01, 0x02)
                IRQNoFlags () {2}
            })
        }

        Device (APIC)
        {
            Name (_HID, EisaId ("PNP0003"))
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadWrite, 0xFEC00000, 0x00001000)
            })
        }

        Device (TIMR)
        {
            Name (_HID, EisaId ("PNP0100"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0040, 0x0040, 0x01, 0x04)
                IRQNoFlags () {0}
            })
        }

        Device (SPKR)
        {
            Name (_HID, EisaId ("PNP0800"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0061, 0x0061, 0x01, 0x01)
            })
        }

        Device (RTC)
        {
            Name (_HID, EisaId ("PNP0B00"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0070, 0x0070, 0x01, 0x02)
                IRQNoFlags () {8}
            })
        }

        Device (KBD)
        {
            Name (_HID, EisaId ("PNP0303"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0060, 0x0060, 0x01, 0x01)
                IO (Decode16, 0x0064, 0x0064, 0x01, 0x01)
                IRQNoFlags () {1}
            })
        }

        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 1)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x03F8, 0x03F8, 0x01, 0x08)
                IRQNoFlags () {4}
            })
        }

        // QEMU's firmware configuration device
        Device (FWCF)
        {
            Name (_HID, "QEMU0002")
            Name (_STA, 0x0B)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0510, 0x0510, 0x01, 0x0C)
            })
        }

        // The ports that no driver looks for: POST, 0x92, debug console, debug
        // exit, ACPI, reset.
        Device (MISC)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x0080, 0x0080, 0x01, 0x01)
                IO (Decode16, 0x0092, 0x0092, 0x01, 0x01)
                IO (Decode16, 0x00E9, 0x00E9, 0x01, 0x01)
                IO (Decode16, 0x00F4, 0x00F4, 0x01, 0x04)
                IO (Decode16, 0x0600, 0x0600, 0x01, 0x10)
                IO (Decode16, 0x0CF9, 0x0CF9, 0x01, 0x01)
            })
        }
    }
}
