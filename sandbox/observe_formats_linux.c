/* Formats of programs that this host has registered with binfmt_misc: what interprets them. */
#include "sandbox/observe.h"

#include "base/cleanup.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define WHERE "/proc/sys/fs/binfmt_misc"

enum {
	BYTES = 128, /* more than a magic may have */
	TEXT = 4096  /* the kernel has it in one page */
};

struct format {
	char interpreter[PATH_MAX], extension[BYTES];
	unsigned char magic[BYTES], mask[BYTES];
	size_t offset, magic_len, mask_len;
	bool enabled, opened; /* its interpreter, when it was registered */
};

/* Hexadecimal digits; the rest of a text that is none stays out. */
static size_t read_bytes(const char *text, unsigned char into[BYTES])
{
	size_t len = 0;

	while (len < BYTES && sscanf(text + 2 * len, "%2hhx", &into[len]) == 1)
		len++;
	return len;
}

static void read_line(const char *line, struct format *f)
{
	char bytes[2 * BYTES + 1];

	if (strcmp(line, "enabled") == 0)
		f->enabled = true;
	else if (strncmp(line, "interpreter ", 12) == 0)
		snprintf(f->interpreter, sizeof(f->interpreter), "%s", line + 12);
	else if (strncmp(line, "flags:", 6) == 0)
		f->opened = strchr(line + 6, 'F');
	else if (strncmp(line, "extension .", 11) == 0)
		snprintf(f->extension, sizeof(f->extension), "%s", line + 11);
	else if (sscanf(line, "magic %256s", bytes) == 1)
		f->magic_len = read_bytes(bytes, f->magic);
	else if (sscanf(line, "mask %256s", bytes) == 1)
		f->mask_len = read_bytes(bytes, f->mask);
	else
		sscanf(line, "offset %zu", &f->offset);
}

static bool read_format(int dir, const char *name, struct format *f)
{
	cleanup_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	char text[TEXT + 1], *place = NULL;
	ssize_t n = fd < 0 ? -1 : read(fd, text, TEXT);

	if (n <= 0)
		return false;
	text[n] = '\0';
	for (char *line = strtok_r(text, "\n", &place); line; line = strtok_r(NULL, "\n", &place))
		read_line(line, f);
	return f->enabled;
}

/* As load_misc_binary() of fs/binfmt_misc.c has it. */
static bool fits(const struct format *f, const char *path, const char *head, size_t len)
{
	const char *dot = strrchr(path, '.');

	if (f->extension[0])
		return dot && strcmp(dot + 1, f->extension) == 0;
	if (f->magic_len == 0 || f->offset > len || f->magic_len > len - f->offset)
		return false;
	for (size_t i = 0; i < f->magic_len; i++) {
		unsigned char differs = (unsigned char)head[f->offset + i] ^ f->magic[i];

		if (differs & (i < f->mask_len ? f->mask[i] : 0xff))
			return false;
	}
	return true;
}

/* Nothing is mounted by looking: that directory may be an automount. */
static int open_formats(void)
{
	cleanup_close int fd = open(WHERE, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs st;

	if (fd < 0 || fstatfs(fd, &st) < 0 || st.f_type != BINFMTFS_MAGIC)
		return -1;
	return openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool are_enabled(int dir)
{
	cleanup_close int fd = openat(dir, "status", O_RDONLY | O_CLOEXEC);
	char text[8];

	return fd >= 0 && read(fd, text, sizeof(text)) > 0 && text[0] == 'e';
}

static bool is_entry(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && strcmp(entry->d_name, "status") != 0 &&
	       strcmp(entry->d_name, "register") != 0;
}

bool observe_registered(const char *path, const char *head, size_t len, char ret[PATH_MAX])
{
	int fd = open_formats();
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry = NULL;
	struct format f = {.enabled = false};

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (are_enabled(fd) && (entry = readdir(dir))) {
		f = (struct format){.enabled = false};
		if (is_entry(entry) && read_format(fd, entry->d_name, &f) && !f.opened &&
		    fits(&f, path, head, len))
			break;
	}
	if (entry)
		memcpy(ret, f.interpreter, sizeof(f.interpreter));
	closedir(dir);
	return entry;
}
