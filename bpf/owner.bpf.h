/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which process owns a socket. Remembered when a process connects, binds, listens, accepts, sends or receives; for sockets
 * that were there before, user space has looked up which process holds the inode.
 */
#ifndef NETTRACE_OWNER_H
#define NETTRACE_OWNER_H

#include "kernel_types.h"
#include "config.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

struct sock_owner {
	char comm[16]; /* of the main thread */
	u32 pid;
	u32 reserved;
	u64 inode; /* of the socket when it was remembered, 0 where it had none: tells whether the address is used again */
};

/* By address of the struct sock. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct sock_owner);
} owners SEC(".maps");

/* By inode, written by user space before the programs are attached, and made as large as there are inodes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, u64);
	__type(value, struct sock_owner);
} inode_owners SEC(".maps");

/* The inode that a process holds the socket by; 0 where no process does. */
static __always_inline u64 sock_inode(const struct sock *sk)
{
	struct socket *socket = BPF_CORE_READ(sk, sk_socket);
	const struct socket_alloc *alloc;

	if (!socket)
		return 0;
	alloc = (const void *)socket - bpf_core_field_offset(struct socket_alloc, socket);
	return BPF_CORE_READ(alloc, vfs_inode.i_ino);
}

static __always_inline void remember_owner(u64 sk)
{
	struct sock_owner owner = {}, *known;
	struct task_struct *task;

	owner.pid = bpf_get_current_pid_tgid() >> 32;
	if (!sk || sk >= (u64)-4095 || !owner.pid)
		return;
	owner.inode = sock_inode((const void *)sk);
	known = bpf_map_lookup_elem(&owners, &sk);
	if (known && known->pid == owner.pid && known->inode == owner.inode)
		return;
	task = (void *)bpf_get_current_task();
	BPF_CORE_READ_STR_INTO(&owner.comm, task, group_leader, comm);
	bpf_map_update_elem(&owners, &sk, &owner, BPF_ANY);
}

static __always_inline void forget_owner(u64 sk)
{
	bpf_map_delete_elem(&owners, &sk);
}

static __always_inline struct sock_owner *find_owner(const struct sock *sk)
{
	struct sock_owner *owner;
	u64 key, inode;

	if (!sk)
		return NULL;
	/* a handshake belongs to who listens */
	if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_NEW_SYN_RECV)
		sk = BPF_CORE_READ(sk, __sk_common.skc_listener);
	key = (u64)sk;
	inode = sock_inode(sk);
	owner = bpf_map_lookup_elem(&owners, &key);
	/* a socket that was closed has no inode any more, but still its owner */
	if (owner && (!inode || owner->inode == inode))
		return owner;
	return inode ? bpf_map_lookup_elem(&inode_owners, &inode) : NULL;
}

#endif
