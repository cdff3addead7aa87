/*
 * Traffic for benchmarks, between two network namespaces, for a fixed time.
 *
 *   load KIND --client NETNS --server NETNS --address IPV4 [--port P] [--seconds S] [--size BYTES] [--flows N] [--rate R]
 *
 *   pingpong   one TCP connection, SIZE bytes there and back again, one after the other    operations: round trips
 *   bulk       one TCP connection, as much as it takes (GSO and GRO)                        operations: writes
 *   connect    connect, SIZE bytes there and back, close, one after the other               operations: connections
 *   udp        datagrams of SIZE bytes, as many as the sender can; the receiver counts      operations: datagrams received
 *   hold       at most HELD datagrams that nobody receives: they wait to the end            operations: datagrams sent
 *
 * NETNS is a path such as /run/netns/NAME. FLOWS processes do the same side by side, together at most R operations a
 * second (0: no limit). Prints one line of JSON:
 * {"kind", "operations", "bytes", "seconds", "cpu": user and system seconds of both sides}. Ends by itself.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_FLOWS 256
#define MAX_SIZE 65536
/* Entries of the table where nettrace follows packets. */
#define HELD 65536

static const char *client_ns, *server_ns, *address, *kind;
static int port = 8000, flows = 1;
static double seconds = 3, rate;
static size_t size = 64;

/* What the flows did, each in its own line of the cache. */
struct result {
	uint64_t operations;
	uint64_t bytes;
	uint64_t pad[6];
};
static struct result *results;

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Waits until this flow's next operation is due. Who is late does not wait, and so catches up. */
static void pace(double start, uint64_t done)
{
	double wait = rate ? start + done * flows / rate - now() : 0;

	if (wait > 0)
		nanosleep(&(struct timespec){ .tv_sec = wait, .tv_nsec = (wait - (time_t)wait) * 1e9 }, NULL);
}

static void enter(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

static struct sockaddr_in place(int flow)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port + flow) };

	if (inet_pton(AF_INET, address, &at.sin_addr) != 1) {
		errno = EINVAL;
		die(address);
	}
	return at;
}

static int open_socket(int type)
{
	struct timeval limit = { .tv_sec = 5 };
	int one = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static bool receive_all(int fd, char *bytes, size_t length)
{
	while (length) {
		ssize_t n = recv(fd, bytes, length, 0);

		if (n <= 0)
			return false;
		length -= n;
	}
	return true;
}

/* Answers until the other side has gone. */
static void echo(int fd, char *bytes)
{
	while (receive_all(fd, bytes, size))
		if (send(fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size)
			return;
}

static int server(int flow, int ready)
{
	bool is_udp = !strcmp(kind, "udp") || !strcmp(kind, "hold");
	struct sockaddr_in at = place(flow);
	static char bytes[MAX_SIZE];
	int fd, room = 1 << 29;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	enter(server_ns);
	fd = open_socket(is_udp ? SOCK_DGRAM : SOCK_STREAM);
	if (bind(fd, (void *)&at, sizeof(at)) || (!is_udp && listen(fd, 1024)))
		die("bind");
	if (!strcmp(kind, "hold") && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		die("SO_RCVBUFFORCE");
	if (write(ready, "", 1) != 1)
		die("ready");
	while (!strcmp(kind, "hold"))
		pause();
	if (is_udp) {
		for (ssize_t n; (n = recv(fd, bytes, sizeof(bytes), 0)) >= 0;) {
			results[flow].operations++;
			results[flow].bytes += n;
		}
		return 0;
	}
	for (int peer; (peer = accept(fd, NULL, NULL)) >= 0;) {
		if (!strcmp(kind, "bulk"))
			for (ssize_t n; (n = recv(peer, bytes, sizeof(bytes), 0)) > 0;)
				results[flow].bytes += n;
		else
			echo(peer, bytes);
		close(peer);
	}
	return 0;
}

static int connected(int flow, int type)
{
	struct sockaddr_in at = place(flow);
	int fd = open_socket(type);

	if (connect(fd, (void *)&at, sizeof(at)))
		die("connect");
	return fd;
}

static int client(int flow)
{
	bool is_udp = !strcmp(kind, "udp"), is_hold = !strcmp(kind, "hold");
	static char bytes[MAX_SIZE];
	struct result *result = &results[flow];
	double start, end;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	enter(client_ns);
	start = now();
	end = start + seconds;
	if (!strcmp(kind, "connect")) {
		for (; now() < end; result->operations++, result->bytes += 2 * size) {
			pace(start, result->operations);
			fd = connected(flow, SOCK_STREAM);
			if (send(fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size || !receive_all(fd, bytes, size))
				die("exchange");
			/* no TIME_WAIT, so that ports do not run out */
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
			close(fd);
		}
		return 0;
	}
	fd = connected(flow, is_udp || is_hold ? SOCK_DGRAM : SOCK_STREAM);
	for (uint64_t sent = 0; now() < end; sent++) {
		size_t length = strcmp(kind, "bulk") ? size : MAX_SIZE;

		pace(start, sent);
		if (is_hold && sent == (uint64_t)HELD / flows) {
			/* what waits at the server is freed when it ends */
			usleep((end - now()) * 1e6);
			break;
		}
		if (send(fd, bytes, length, MSG_NOSIGNAL) < 0) {
			if (is_udp)
				continue;
			die("send");
		}
		if (is_udp)
			continue;
		if (!strcmp(kind, "pingpong")) {
			if (!receive_all(fd, bytes, size))
				die("receive");
			result->bytes += 2 * size;
		}
		result->operations++;
	}
	close(fd);
	return 0;
}

static const char *word(char **argv, int *i)
{
	if (!argv[*i + 1]) {
		fprintf(stderr, "load: %s needs a value\n", argv[*i]);
		exit(2);
	}
	return argv[++*i];
}

static void parse(char **argv)
{
	for (int i = 1; argv[i]; i++) {
		if (!strcmp(argv[i], "--client"))
			client_ns = word(argv, &i);
		else if (!strcmp(argv[i], "--server"))
			server_ns = word(argv, &i);
		else if (!strcmp(argv[i], "--address"))
			address = word(argv, &i);
		else if (!strcmp(argv[i], "--port"))
			port = atoi(word(argv, &i));
		else if (!strcmp(argv[i], "--seconds"))
			seconds = atof(word(argv, &i));
		else if (!strcmp(argv[i], "--rate"))
			rate = atof(word(argv, &i));
		else if (!strcmp(argv[i], "--size"))
			size = strtoul(word(argv, &i), NULL, 10);
		else if (!strcmp(argv[i], "--flows"))
			flows = atoi(word(argv, &i));
		else if (argv[i][0] != '-' && !kind)
			kind = argv[i];
		else
			kind = NULL, i = 1 << 20;
		if (i == 1 << 20)
			break;
	}
	if (!kind || !client_ns || !server_ns || !address ||
	    (strcmp(kind, "pingpong") && strcmp(kind, "bulk") && strcmp(kind, "connect") && strcmp(kind, "udp") &&
	     strcmp(kind, "hold")) ||
	    port < 1 || port > 65535 - MAX_FLOWS || flows < 1 || flows > MAX_FLOWS || seconds <= 0 || seconds > 3600 ||
	    size < 1 || size > MAX_SIZE || rate < 0) {
		fprintf(stderr,
			"usage: load pingpong|bulk|connect|udp|hold --client NETNS --server NETNS --address IPV4 "
			"[--port P] [--seconds S] [--size BYTES] [--flows N] [--rate R]\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	pid_t servers[MAX_FLOWS], clients[MAX_FLOWS];
	uint64_t operations = 0, bytes = 0;
	struct rusage used;
	double start, took;
	int ready[2], failed = 0;

	(void)argc;
	parse(argv);
	results = mmap(NULL, sizeof(*results) * MAX_FLOWS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (results == MAP_FAILED || pipe(ready))
		die("start");
	for (int i = 0; i < flows; i++) {
		char byte;

		servers[i] = fork();
		if (servers[i] == 0)
			_exit(server(i, ready[1]));
		if (servers[i] < 0 || read(ready[0], &byte, 1) != 1)
			die("server");
	}
	start = now();
	for (int i = 0; i < flows; i++) {
		clients[i] = fork();
		if (clients[i] == 0)
			_exit(client(i));
	}
	for (int i = 0; i < flows; i++) {
		int status;

		waitpid(clients[i], &status, 0);
		failed |= status;
	}
	took = now() - start;
	for (int i = 0; i < flows; i++) {
		kill(servers[i], SIGKILL);
		waitpid(servers[i], NULL, 0);
		operations += results[i].operations;
		bytes += results[i].bytes;
	}
	getrusage(RUSAGE_CHILDREN, &used);
	printf("{\"kind\":\"%s\",\"operations\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"cpu\":%.3f}\n", kind,
	       (unsigned long long)operations, (unsigned long long)bytes, took,
	       used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
	return failed != 0;
}
