#include "conformance/scratch.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/text.h"
#include "base/tmpdir.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#define DIR_PREFIX	"sandtape-conf-"
/* The longest name that a socket has there: that of a fixture of a run of its own. */
#define SOCKET_BELOW	"/" DIR_PREFIX "XXXXXX/launcher/out/socket"
#define PROBE_MAX_BYTES (64 << 20)

/* Whether the default policy would show an empty directory there. */
static bool is_hidden(const char *place)
{
	static const char *const own[] = {"/tmp", "/dev/shm"};
	cleanup_free char *real = realpath(place, NULL);
	bool hidden = false;

	for (size_t i = 0; real && i < sizeof(own) / sizeof(own[0]); i++) {
		size_t len = strlen(own[i]);

		hidden |= strncmp(real, own[i], len) == 0 && (!real[len] || real[len] == '/');
	}
	return hidden;
}

/* Policies of cases name it, in JSON. */
static bool is_plain(const char *place)
{
	const size_t len = strlen(place);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)place[i] < ' ' || place[i] == '"' || place[i] == '\\')
			return false;
	return text_is_utf8(place, len);
}

/* Whether a socket below it has a name that fits (unix(7)). */
static bool is_short(const char *place)
{
	return strlen(place) + sizeof(SOCKET_BELOW) <= sizeof(((struct sockaddr_un *)0)->sun_path);
}

/* What a user names; else where programs under test are seldom shown another directory. */
static const char *place_of(const struct conf_options *options)
{
	const char *tmp = getenv("TMPDIR");

	if (options->scratch)
		return options->scratch;
	if (tmp && tmp[0] == '/' && is_short(tmp) && !is_hidden(tmp))
		return tmp;
	return access("/var/tmp", W_OK) == 0 ? "/var/tmp" : "/tmp";
}

int scratch_copy_probe(const struct scratch *scratch, const char *probe, const char *name,
		       char ret_path[SCRATCH_PATH_SIZE + 32], struct error *err)
{
	cleanup_buf struct buf bytes = BUF_INIT;
	cleanup_close int fd = -1;
	int rc = fs_read_file(probe, PROBE_MAX_BYTES, &bytes, err);

	if (rc < 0)
		return rc;
	snprintf(ret_path, SCRATCH_PATH_SIZE + 32, "%s/%s", scratch->dir, name);
	fd = open(ret_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (fd < 0)
		return error_sys(err, errno, "cannot make %s", ret_path);
	rc = fs_write_all(fd, bytes.data, bytes.len, ret_path, err);
	if (rc == 0 && fchmod(fd, 0755) < 0)
		rc = error_sys(err, errno, "cannot make %s executable", ret_path);
	return rc;
}

int scratch_copy_helper(const struct scratch *scratch, const char *probe, const char *name,
			struct error *err)
{
	char path[SCRATCH_PATH_SIZE + 32], full[64];
	int rc;

	snprintf(full, sizeof(full), "%s" SCRATCH_HELPER, name);
	rc = scratch_copy_probe(scratch, probe, full, path, err);
	if (rc < 0)
		return rc;
	if (chown(path, SCRATCH_OTHER_ID, SCRATCH_OTHER_ID) < 0 || chmod(path, 06755) < 0)
		return error_sys(err, errno, "cannot make %s another user's", path);
	return 0;
}

int scratch_make(struct scratch *scratch, const struct conf_options *options, struct error *err)
{
	const char *place = place_of(options);
	/* Whoever runs cases makes directories of their own in it. */
	mode_t mode = options->as_ordinary && geteuid() == 0 ? 01777 : 0755;
	cleanup_free char *dir = NULL;
	struct statvfs fs;
	int rc;

	*scratch = (struct scratch){.lock = -1};
	if (!is_plain(place))
		return error_set(err, ERR_INVALID,
				 "the name of the scratch directory %s has a quote, a backslash, a "
				 "control character or no UTF-8 (--scratch names another)",
				 place);
	if (place[0] != '/')
		return error_set(err, ERR_INVALID, "the scratch directory %s is not absolute",
				 place);
	if (!is_short(place))
		return error_set(
			err, ERR_INVALID,
			"the name of the scratch directory %s is longer than the %zu bytes "
			"below which sockets have names (--scratch names another)",
			place, sizeof(((struct sockaddr_un *)0)->sun_path) - sizeof(SOCKET_BELOW));
	tmpdir_sweep(place, DIR_PREFIX);
	rc = tmpdir_make(place, DIR_PREFIX, &dir, &scratch->lock, err);
	if (rc < 0 && err->sys)
		return error_sys(err, err->sys,
				 "cannot make a scratch directory in %s (--scratch names another)",
				 place);
	if (rc < 0)
		return rc;
	snprintf(scratch->dir, sizeof(scratch->dir), "%s", dir);
	if (statvfs(scratch->dir, &fs) == 0 && fs.f_flag & ST_NOEXEC)
		return error_set(err, ERR_INVALID,
				 "nothing can be executed in %s, which is mounted noexec "
				 "(--scratch names another)",
				 place);
	scratch->hidden = is_hidden(scratch->dir);
	snprintf(scratch->home, sizeof(scratch->home), "%s/home", scratch->dir);
	if (mkdir(scratch->home, 0755) < 0 || chmod(scratch->dir, mode) < 0)
		return error_sys(err, errno, "cannot make a scratch directory in %s", place);
	return 0;
}

void scratch_clear(struct scratch *scratch)
{
	if (!scratch->dir[0])
		return;
	fs_remove_all(scratch->dir, NULL);
	cleanup_close_fn(&scratch->lock);
	scratch->dir[0] = '\0';
}
