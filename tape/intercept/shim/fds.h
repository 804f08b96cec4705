/* Descriptors that go along with a message (SCM_RIGHTS of unix(7)): for both of its ends. */
#ifndef SANDTAPE_TAPE_INTERCEPT_SHIM_FDS_H
#define SANDTAPE_TAPE_INTERCEPT_SHIM_FDS_H

#include "tape/intercept/shim/wire.h"
#include <string.h>
#include <sys/socket.h>

/* Room for them beside a message; zeroed. */
union fds_room {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(WIRE_FDS * sizeof(int))];
};

/* Before sendmsg(2). `room` must live until then. */
static inline void fds_put(struct msghdr *message, union fds_room *room, const int *fds,
			   size_t count)
{
	if (count == 0)
		return;
	message->msg_control = room;
	message->msg_controllen = CMSG_SPACE(count * sizeof(int));
	room->header.cmsg_level = SOL_SOCKET;
	room->header.cmsg_type = SCM_RIGHTS;
	room->header.cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(&room->header), fds, count * sizeof(int));
}

/* Before recvmsg(2). */
static inline void fds_expect(struct msghdr *message, union fds_room *room)
{
	message->msg_control = room;
	message->msg_controllen = sizeof(*room);
}

/* After it: how many there are. They are the caller's. */
static inline size_t fds_take(struct msghdr *message, int ret_fds[WIRE_FDS])
{
	const struct cmsghdr *rights = CMSG_FIRSTHDR(message);
	size_t count;

	if (!rights || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS)
		return 0;
	count = (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(ret_fds, CMSG_DATA(rights), count * sizeof(int));
	return count;
}

#endif
