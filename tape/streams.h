/* What a stream is, and how to write to it without waiting. */
#ifndef SANDTAPE_TAPE_STREAMS_H
#define SANDTAPE_TAPE_STREAMS_H

#include "tape/unit.h"
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

enum stream_kind stream_kind_of(const struct stat *st);

/* Whether it is where sandtape itself prints: what goes there is the output of the whole run. */
bool stream_is_our_output(const struct stat *st);

/* Whether it is a terminal that sandtape itself has as one of its streams. */
bool stream_is_our_terminal(const struct stat *st);

/* Whether what is written to two descriptors comes to one place, one after the other: they are one
 * open file (a shared offset), or two openings of one pipe, or two of one file that both append. */
bool stream_same_file(int a, int b);

/* Whether all that is written to the file goes to its end, wherever others write. */
bool stream_appends(int fd);

/* A socket whose peer receives what was sent in one piece in one piece. */
bool stream_has_packets(int fd);

/* A socket that has a peer to which it can be written, and which is not a listening one. */
bool stream_is_connected(int fd);

/* Where the next read of a regular file, or the next write to it goes: its offset, but for writing
 * with O_APPEND its end. */
off_t stream_position(int fd, bool is_input);

/* Never blocks, and leaves the flags of the open file alone, which is somebody else's: -1 with
 * errno EAGAIN when the reader must read first. */
ssize_t stream_write_some(int fd, enum stream_kind kind, const char *bytes, size_t len);

/* ioctl(2)'s request that sets such modes; false when `termios` is of no size that there is. */
bool terminal_request(const struct mode *mode, int *ret_request);
/* The other way round; *ret_size is that of the argument. */
bool terminal_mode_of(uint64_t request, enum mode_when *ret_when, size_t *ret_size);

#endif
