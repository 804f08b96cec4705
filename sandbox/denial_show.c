/* Arguments of calls, paths and addresses as text. */
#include "sandbox/denial_parts.h"

#include "base/cleanup.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* --- a line of text that has an end ------------------------------------------------------------
 */

struct line {
	char *text;
	size_t size, len;
};

static void add(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct line *line, const char *format, ...)
{
	size_t left = line->size - line->len;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line->text + line->len, left, format, args);
	va_end(args);
	line->len += n < 0 ? 0 : (size_t)n < left ? (size_t)n : left - 1;
}

/* As C has it, up to so many bytes. */
static void add_quoted(struct line *line, const char *bytes, size_t len, size_t most)
{
	bool plain = text_is_utf8(bytes, len);

	add(line, "\"");
	for (size_t i = 0; i < len && i < most; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c == '\n')
			add(line, "\\n");
		else if (c == '"' || c == '\\')
			add(line, "\\%c", c);
		else if (c < ' ' || c == 0x7f || (c >= 0x80 && (!plain || len > most)))
			add(line, "\\%03o", c);
		else
			add(line, "%c", c);
	}
	add(line, len > most ? "\"..." : "\"");
}

/* --- numbers with names ------------------------------------------------------------------------
 */

struct named {
	uint32_t value, mask;
	const char *name;
};

#define VALUE(name)                                                                                \
	{                                                                                          \
		(uint32_t)(name), UINT32_MAX, #name                                                \
	}
#define FLAG(name)                                                                                 \
	{                                                                                          \
		(uint32_t)(name), (uint32_t)(name), #name                                          \
	}
#define FIELD(name, mask)                                                                          \
	{                                                                                          \
		(uint32_t)(name), (uint32_t)(mask), #name                                          \
	}

/* Of flags that have others in them, the larger ones come first. */
static const struct named open_flags[] = {
	FIELD(O_RDONLY, O_ACCMODE),
	FIELD(O_WRONLY, O_ACCMODE),
	FIELD(O_RDWR, O_ACCMODE),
	FLAG(O_TMPFILE),
	FLAG(O_CREAT),
	FLAG(O_EXCL),
	FLAG(O_TRUNC),
	FLAG(O_APPEND),
	FLAG(O_DIRECTORY),
	FLAG(O_NOFOLLOW),
	FLAG(O_PATH),
	FLAG(O_SYNC),
	FLAG(O_DSYNC),
	FLAG(O_NONBLOCK),
	FLAG(O_NOCTTY),
	FLAG(O_DIRECT),
	FLAG(O_NOATIME),
	FLAG(O_CLOEXEC),
	{0100000, 0100000, "O_LARGEFILE"},
};
static const struct named at_flags[] = {
	{AT_SYMLINK_NOFOLLOW, AT_SYMLINK_NOFOLLOW, "AT_SYMLINK_NOFOLLOW"},
	{AT_REMOVEDIR, AT_REMOVEDIR, "AT_REMOVEDIR"},
	{AT_SYMLINK_FOLLOW, AT_SYMLINK_FOLLOW, "AT_SYMLINK_FOLLOW"},
	{AT_EMPTY_PATH, AT_EMPTY_PATH, "AT_EMPTY_PATH"},
	{AT_NO_AUTOMOUNT, AT_NO_AUTOMOUNT, "AT_NO_AUTOMOUNT"},
};
static const struct named access_modes[] = {VALUE(F_OK), FLAG(R_OK), FLAG(W_OK), FLAG(X_OK)};
static const struct named rename_flags[] = {
	FLAG(RENAME_NOREPLACE),
	FLAG(RENAME_EXCHANGE),
	FLAG(RENAME_WHITEOUT),
};
static const struct named domains[] = {
	VALUE(AF_UNIX),	 VALUE(AF_INET), VALUE(AF_INET6),     VALUE(AF_NETLINK), VALUE(AF_PACKET),
	VALUE(AF_VSOCK), VALUE(AF_ALG),	 VALUE(AF_BLUETOOTH), VALUE(AF_TIPC),	 VALUE(AF_CAN),
	VALUE(AF_XDP),	 VALUE(AF_KEY),	 VALUE(AF_APPLETALK), VALUE(AF_RXRPC),
};
static const struct named socket_types[] = {
	FIELD(SOCK_STREAM, 0xf),    FIELD(SOCK_DGRAM, 0xf), FIELD(SOCK_RAW, 0xf),
	FIELD(SOCK_SEQPACKET, 0xf), FLAG(SOCK_CLOEXEC),	    FLAG(SOCK_NONBLOCK),
};
static const struct named message_flags[] = {
	FLAG(MSG_FASTOPEN), FLAG(MSG_NOSIGNAL), FLAG(MSG_DONTWAIT), FLAG(MSG_MORE), FLAG(MSG_OOB),
};
static const struct named clone_flags[] = {
	FLAG(CLONE_NEWNS),
	FLAG(CLONE_NEWCGROUP),
	FLAG(CLONE_NEWUTS),
	FLAG(CLONE_NEWIPC),
	FLAG(CLONE_NEWUSER),
	FLAG(CLONE_NEWPID),
	FLAG(CLONE_NEWNET),
	FLAG(CLONE_VM),
	FLAG(CLONE_FS),
	FLAG(CLONE_FILES),
	FLAG(CLONE_SIGHAND),
	FLAG(CLONE_THREAD),
	FLAG(CLONE_VFORK),
	FLAG(CLONE_PARENT),
	FLAG(CLONE_SYSVSEM),
	FLAG(CLONE_SETTLS),
	FLAG(CLONE_PARENT_SETTID),
	FLAG(CLONE_CHILD_SETTID),
	FLAG(CLONE_CHILD_CLEARTID),
	FIELD(SIGCHLD, 0xff),
};
static const struct named protections[] = {
	VALUE(PROT_NONE),
	FLAG(PROT_READ),
	FLAG(PROT_WRITE),
	FLAG(PROT_EXEC),
};
static const struct named map_flags[] = {
	FIELD(MAP_SHARED, MAP_TYPE), FIELD(MAP_PRIVATE, MAP_TYPE),
	FLAG(MAP_ANONYMOUS),	     FLAG(MAP_FIXED),
	FLAG(MAP_NORESERVE),	     FLAG(MAP_STACK),
	FLAG(MAP_POPULATE),	     FLAG(MAP_HUGETLB),
};
static const struct named resources[] = {
	VALUE(RLIMIT_CPU),  VALUE(RLIMIT_FSIZE), VALUE(RLIMIT_DATA),   VALUE(RLIMIT_STACK),
	VALUE(RLIMIT_CORE), VALUE(RLIMIT_NPROC), VALUE(RLIMIT_NOFILE), VALUE(RLIMIT_MEMLOCK),
	VALUE(RLIMIT_AS),   VALUE(RLIMIT_NICE),	 VALUE(RLIMIT_RTPRIO),
};
static const struct named ioctls[] = {VALUE(TIOCSTI), VALUE(TIOCLINUX)};
static const struct named ptraces[] = {
	{PTRACE_TRACEME, UINT32_MAX, "PTRACE_TRACEME"},
	{PTRACE_PEEKTEXT, UINT32_MAX, "PTRACE_PEEKTEXT"},
	{PTRACE_PEEKDATA, UINT32_MAX, "PTRACE_PEEKDATA"},
	{PTRACE_POKEDATA, UINT32_MAX, "PTRACE_POKEDATA"},
	{PTRACE_ATTACH, UINT32_MAX, "PTRACE_ATTACH"},
	{PTRACE_SEIZE, UINT32_MAX, "PTRACE_SEIZE"},
};

#define NAMES(list) list, sizeof(list) / sizeof((list)[0])

static const struct {
	char letter;
	const struct named *named;
	size_t count;
} letters[] = {
	{'o', NAMES(open_flags)},    {'t', NAMES(at_flags)},	{'A', NAMES(access_modes)},
	{'R', NAMES(rename_flags)},  {'D', NAMES(domains)},	{'T', NAMES(socket_types)},
	{'S', NAMES(message_flags)}, {'c', NAMES(clone_flags)}, {'P', NAMES(protections)},
	{'M', NAMES(map_flags)},     {'r', NAMES(resources)},	{'i', NAMES(ioctls)},
	{'g', NAMES(ptraces)},
};

static void add_named(struct line *line, const struct named *named, size_t count, uint32_t value)
{
	uint32_t rest = value;
	const char *between = "";

	for (size_t i = 0; i < count; i++) {
		if ((value & named[i].mask) != named[i].value ||
		    (named[i].value && !(rest & named[i].mask)))
			continue;
		add(line, "%s%s", between, named[i].name);
		rest &= ~named[i].mask;
		between = "|";
	}
	if (rest || !*between)
		add(line, rest ? "%s0x%x" : "%s%u", between, rest);
}

/* --- addresses ---------------------------------------------------------------------------------
 */

static const struct sockaddr *address_of(const struct sandbox_observation *seen, int family,
					 size_t least)
{
	if (seen->address_len < least || seen->address->sa_family != family)
		return NULL;
	return seen->address;
}

static size_t unix_len(const struct sandbox_observation *seen)
{
	return seen->address_len - offsetof(struct sockaddr_un, sun_path);
}

const char *address_unix_path(const struct sandbox_observation *seen, size_t *ret_len)
{
	const size_t least = offsetof(struct sockaddr_un, sun_path) + 1;
	const struct sockaddr_un *un = (const void *)address_of(seen, AF_UNIX, least);

	if (!un || !un->sun_path[0])
		return NULL;
	*ret_len = strnlen(un->sun_path, unix_len(seen));
	return un->sun_path;
}

bool address_is_abstract(const struct sandbox_observation *seen)
{
	const size_t least = offsetof(struct sockaddr_un, sun_path) + 1;
	const struct sockaddr_un *un = (const void *)address_of(seen, AF_UNIX, least);

	return un && !un->sun_path[0];
}

int address_port(const struct sandbox_observation *seen)
{
	const struct sockaddr_in *in =
		(const void *)address_of(seen, AF_INET, sizeof(struct sockaddr_in));
	const struct sockaddr_in6 *in6 = (const void *)address_of(
		seen, AF_INET6, offsetof(struct sockaddr_in6, sin6_scope_id));

	return in ? ntohs(in->sin_port) : in6 ? ntohs(in6->sin6_port) : -1;
}

static void add_address(struct line *line, const struct sandbox_observation *seen, bool quotes)
{
	char text[INET6_ADDRSTRLEN] = "";
	int port = address_port(seen);
	size_t len;
	const char *path = address_unix_path(seen, &len);

	if (port >= 0 && seen->address->sa_family == AF_INET) {
		inet_ntop(AF_INET, &((const struct sockaddr_in *)seen->address)->sin_addr, text,
			  sizeof(text));
		add(line, "%s:%d", text, port);
	} else if (port >= 0) {
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)seen->address)->sin6_addr, text,
			  sizeof(text));
		add(line, "[%s]:%d", text, port);
	} else if (path && quotes) {
		add_quoted(line, path, len, 80);
	} else if (address_is_abstract(seen)) {
		add(line, "@");
		path = ((const struct sockaddr_un *)seen->address)->sun_path + 1;
		len = unix_len(seen) - 1;
		add_quoted(line, path, len, 80);
	} else {
		add(line, "{family %d}",
		    seen->address_len >= sizeof(sa_family_t) ? (int)seen->address->sa_family : -1);
	}
}

/* --- all of it ---------------------------------------------------------------------------------
 */

static void add_path(struct line *line, const char *path, uint64_t value)
{
	if (path)
		add_quoted(line, path, strlen(path), 100);
	else
		add(line, value ? "0x%llx" : "NULL", (unsigned long long)value);
}

static void add_signal(struct line *line, uint64_t value)
{
	const char *name = value > 0 && value < 32 ? sigabbrev_np((int)value) : NULL;

	if (name)
		add(line, "SIG%s", name);
	else
		add(line, "%d", (int)value);
}

static void add_number(struct line *line, char letter, uint64_t value)
{
	if (letter == 'f' && (int)value == AT_FDCWD)
		add(line, "AT_FDCWD");
	else if (letter == 'f')
		add(line, "%d", (int)value);
	else if (letter == 'd')
		add(line, "%lld",
		    value > UINT32_MAX ? (long long)value : (long long)(int)(uint32_t)value);
	else if (letter == 'm')
		add(line, "0%o", (unsigned)value & 07777);
	else if (letter == 'u')
		add(line, "%llu", (unsigned long long)value);
	else
		add(line, value ? "0x%llx" : "0", (unsigned long long)value);
}

static void add_how(struct line *line, uint64_t flags)
{
	add(line, "{flags=");
	add_named(line, NAMES(open_flags), (uint32_t)flags);
	add(line, "}");
}

static void add_argument(struct line *line, const struct sandbox_observation *seen, char letter,
			 uint64_t value, const char *path)
{
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
		if (letters[i].letter == letter) {
			add_named(line, letters[i].named, letters[i].count, (uint32_t)value);
			return;
		}
	}
	if (letter == 'p')
		add_path(line, path, value);
	else if (letter == 's')
		add_signal(line, value);
	else if (letter == 'a' && seen->address_len > 0)
		add_address(line, seen, true);
	else if (letter == 'H')
		add_how(line, seen->flags);
	else
		add_number(line, letter, value);
}

/* A mode is there only when a file may be made. */
static bool is_no_argument(const char *show, size_t i, const uint64_t *args)
{
	return show[i] == 'm' && i > 0 && show[i - 1] == 'o' &&
	       !(args[i - 1] & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)));
}

void show_arguments(const struct explained *e, char *ret, size_t size)
{
	const struct sandbox_observation *seen = e->seen;
	const char *path = seen->path;
	struct line line = {ret, size, 0};

	ret[0] = '\0';
	for (size_t i = 0; e->call && i < 6 && e->call->show[i]; i++) {
		char letter = e->call->show[i];

		if (is_no_argument(e->call->show, i, seen->args))
			break;
		add(&line, i ? ", " : "");
		add_argument(&line, seen, letter, seen->args[i], path);
		if (letter == 'p')
			path = seen->path2;
	}
	if (line.len == size - 1)
		memcpy(ret + size - 4, "...", 3);
}

int show_path(const char *path, size_t len, char *ret, size_t size)
{
	cleanup_buf struct buf quoted = BUF_INIT;

	if (text_quote(&quoted, path, len) < 0)
		return ERR_NOMEM;
	if (quoted.len >= size)
		memcpy(quoted.data + size - 4, "...", 4);
	snprintf(ret, size, "%s", quoted.data);
	return 0;
}

int show_what(const struct sandbox_observation *seen, char *ret, size_t size)
{
	struct line line = {ret, size, 0};
	const char *path = seen->path;
	size_t len = path ? strlen(path) : 0;

	ret[0] = '\0';
	if (!path && seen->address_len > 0)
		path = address_unix_path(seen, &len);
	if (path)
		return show_path(path, len, ret, size);
	if (seen->address_len > 0)
		add_address(&line, seen, false);
	return 0;
}
