/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Filters that are compiled when the tracer starts: what the generated function is called with. Its body is written by
 * user space into the object file (src/filter/), before the object is opened.
 */
#ifndef NETTRACE_FILTER_PROGRAM_H
#define NETTRACE_FILTER_PROGRAM_H

/* So many bytes of a packet can be looked at. A power of two. */
#define FILTER_WINDOW 2048
/* The longest string that a field is compared with, its end included. */
#define FILTER_TEXT 256
/* Beyond the window, so that a load at its very end stays inside of the value for the verifier. */
#define FILTER_MARGIN 8

/* What the generated function works on: one per CPU. */
struct filter_scratch {
	unsigned char packet[FILTER_WINDOW];
	unsigned char margin[FILTER_MARGIN];
	unsigned int memory[16]; /* M[] of classic BPF */
	unsigned int captured; /* bytes of the packet that are there */
	unsigned int length; /* bytes that it has, link-layer header included */
	unsigned long long value; /* what was read of a field */
	unsigned char text[FILTER_TEXT];
};

/* Which of the generated programs is to run. */
enum filter_program {
	FILTER_ETHERNET = 0, /* the expression, on a packet with its Ethernet header */
	FILTER_RAW = 1, /* the expression, on a packet without one */
	FILTER_INNER_ETHERNET = 2, /* the tunnel's expression */
	FILTER_INNER_RAW = 3,
	FILTER_META = 4, /* the expression on fields of struct sk_buff */
	FILTER_SOCKET_V4 = 5, /* the expression, on what a socket knows of a segment before its headers are written */
	FILTER_SOCKET_V6 = 6,
};

/* What was asked for: bits of trace_config.filter_wanted. */
enum filter_wanted {
	FILTER_WANT_EXPRESSION = 1,
	FILTER_WANT_TUNNEL = 2,
	FILTER_WANT_META = 4,
};

#endif
