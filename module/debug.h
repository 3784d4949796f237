/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * debug.h - in a build with MVM_DEBUG=1: are the invalidations that the SDM asks
 * for done?  An emulator's caches hide what is missing, so debug.c keeps books of
 * its own.  In other builds there is nothing of it.
 */
#ifndef MVM_DEBUG_H
#define MVM_DEBUG_H

#include <linux/types.h>

struct mvm_vcpu;
struct mvm_vm;

#ifdef MVM_DEBUG
/* vmx_ops.h: the instructions themselves */
void mvm_debug_invept(u64 eptp);
void mvm_debug_invvpid(u16 vpid);
void mvm_debug_vmptrld(u64 vmcs);
void mvm_debug_vmclear(u64 vmcs);
/* memory.c: entries of the EPT were cleared */
void mvm_debug_zapped(struct mvm_vm *vm);
/* window.c, IRQs off */
void mvm_debug_opened(struct mvm_vcpu *vcpu);
void mvm_debug_loaded(struct mvm_vcpu *vcpu);
void mvm_debug_entering(struct mvm_vcpu *vcpu);
void mvm_debug_exited(struct mvm_vcpu *vcpu);
void mvm_debug_closed(struct mvm_vcpu *vcpu);
#define mvm_debug(what, object)	mvm_debug_##what(object)
/* vm.c: ticks that the TSC seems to have gone back by in a suspend */
extern unsigned long mvm_debug_tsc_back;
#else
#define mvm_debug(what, object)	do { } while (0)
#define mvm_debug_tsc_back	0
#endif

#endif /* MVM_DEBUG_H */
