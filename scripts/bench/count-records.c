/*
 * Counts the records of a ring buffer and does nothing else with them: no reader does less.
 *
 *   count-records MAP_ID
 *
 * Prints "ready", reads until SIGTERM, then what is left, and prints one line of JSON: {"records", "bytes"}.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t stopping;
static uint64_t records, bytes;

static void stop(int signal)
{
	(void)signal;
	stopping = 1;
}

static int count(void *context, void *data, size_t size)
{
	(void)context;
	(void)data;
	records++;
	bytes += size;
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction on_term = { .sa_handler = stop };
	struct ring_buffer *ring;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: count-records MAP_ID\n");
		return 2;
	}
	fd = bpf_map_get_fd_by_id(strtoul(argv[1], NULL, 10));
	ring = fd < 0 ? NULL : ring_buffer__new(fd, count, NULL, NULL);
	if (!ring) {
		fprintf(stderr, "count-records: map %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	sigaction(SIGTERM, &on_term, NULL);
	puts("ready");
	fflush(stdout);
	while (!stopping)
		ring_buffer__poll(ring, 100);
	ring_buffer__consume(ring);
	printf("{\"records\":%llu,\"bytes\":%llu}\n", (unsigned long long)records, (unsigned long long)bytes);
	ring_buffer__free(ring);
	return 0;
}
