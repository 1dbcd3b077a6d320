/*
 * sockets.c - a TCP conversation over loopback and a unix socket that passes fds, between two
 * processes, by read and write and by the send and recv calls.
 */
#include "account.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static char data[8192];

/* recv until n bytes came, so that the account does not hang on how TCP cut them */
static void recv_all(int fd, size_t n)
{
	while (n) {
		long r = IO("recvfrom", fd, link_of(fd), NULL, SYS_recvfrom, fd, data, n, 0, NULL,
			    NULL);

		if (r <= 0)
			acc_die("recvfrom");
		n -= (size_t)r;
	}
}

static void client(const struct sockaddr_in *tcp, const struct sockaddr_un *un)
{
	struct iovec iov = { data, 1 };
	char control[CMSG_SPACE(2 * sizeof(int))];
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int s, u, got[2];

	s = MUST(OPEN("socket", NULL, SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	MUST(OP("connect", s, link_of(s), NULL, SYS_connect, s, tcp, sizeof(*tcp)));
	IO("sendto", s, link_of(s), NULL, SYS_sendto, s, data, 1000, MSG_NOSIGNAL, NULL, 0);
	IO("write", s, link_of(s), NULL, SYS_write, s, data, 234);
	recv_all(s, 2000);
	OP("shutdown", s, link_of(s), NULL, SYS_shutdown, s, SHUT_RDWR);
	OP("close", s, link_of(s), NULL, SYS_close, s);

	u = MUST(OPEN("socket", NULL, SYS_socket, AF_UNIX, SOCK_STREAM, 0));
	MUST(OP("connect", u, link_of(u), NULL, SYS_connect, u, un, sizeof(*un)));
	MUST(IO("recvmsg", u, link_of(u), NULL, SYS_recvmsg, u, &msg, 0));
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(got)))
		acc_die("SCM_RIGHTS");
	memcpy(got, CMSG_DATA(c), sizeof(got));
	IO("read", got[0], in_cwd("passed-a"), NULL, SYS_read, got[0], data, 100);
	IO("write", got[1], in_cwd("passed-b"), NULL, SYS_write, got[1], data, 321);
	OP("close", got[0], in_cwd("passed-a"), NULL, SYS_close, got[0]);
	OP("close", got[1], in_cwd("passed-b"), NULL, SYS_close, got[1]);
	OP("close", u, link_of(u), NULL, SYS_close, u);
}

static void serve(int tcp, int un)
{
	struct iovec iov = { data, 1 };
	char control[CMSG_SPACE(2 * sizeof(int))];
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int s, give[2];

	s = MUST(
		OP("accept4", tcp, link_of(tcp), NULL, SYS_accept4, tcp, NULL, NULL, SOCK_CLOEXEC));
	recv_all(s, 1234);
	IO("sendto", s, link_of(s), NULL, SYS_sendto, s, data, 2000, MSG_NOSIGNAL, NULL, 0);
	OP("close", s, link_of(s), NULL, SYS_close, s);

	s = MUST(OP("accept4", un, link_of(un), NULL, SYS_accept4, un, NULL, NULL, 0));
	give[0] = MUST(OPEN("openat", in_cwd("passed-a"), SYS_openat, AT_FDCWD, "passed-a",
			    O_RDWR | O_CREAT, 0644));
	IO("pwrite64", give[0], in_cwd("passed-a"), NULL, SYS_pwrite64, give[0], data, 99,
	   ACC_OFFSET(0));
	give[1] = MUST(OPEN("openat", in_cwd("passed-b"), SYS_openat, AT_FDCWD, "passed-b",
			    O_WRONLY | O_CREAT, 0644));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(give));
	memcpy(CMSG_DATA(c), give, sizeof(give));
	MUST(IO("sendmsg", s, link_of(s), NULL, SYS_sendmsg, s, &msg, 0));
	OP("close", give[0], in_cwd("passed-a"), NULL, SYS_close, give[0]);
	OP("close", give[1], in_cwd("passed-b"), NULL, SYS_close, give[1]);
	OP("close", s, link_of(s), NULL, SYS_close, s);
}

int main(int argc, char **argv)
{
	struct sockaddr_in tcp = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "sock" };
	socklen_t len = sizeof(tcp);
	int lt, lu, status;
	pid_t pid;

	acc_start(argc, argv);
	lt = MUST(OPEN("socket", NULL, SYS_socket, AF_INET, SOCK_STREAM, 0));
	MUST(OP("bind", lt, link_of(lt), NULL, SYS_bind, lt, &tcp, sizeof(tcp)));
	MUST(OP("listen", lt, link_of(lt), NULL, SYS_listen, lt, 5));
	getsockname(lt, (struct sockaddr *)&tcp, &len);
	lu = MUST(OPEN("socket", NULL, SYS_socket, AF_UNIX, SOCK_STREAM, 0));
	MUST(OP("bind", lu, link_of(lu), NULL, SYS_bind, lu, &un, sizeof(un)));
	MUST(OP("listen", lu, link_of(lu), NULL, SYS_listen, lu, 5));
	pid = fork();
	if (pid == 0) {
		acc_begin();
		OP("close", lt, link_of(lt), NULL, SYS_close, lt);
		OP("close", lu, link_of(lu), NULL, SYS_close, lu);
		client(&tcp, &un);
		acc_end();
		_exit(0);
	}
	serve(lt, lu);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		acc_die("client");
	OP("close", lt, link_of(lt), NULL, SYS_close, lt);
	OP("close", lu, link_of(lu), NULL, SYS_close, lu);
	acc_end();
	return 0;
}
