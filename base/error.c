#include "base/error.h"
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define SYS_WORDS_SIZE 128

static const struct {
	int number;
	const char *name;
} errno_names[] = {
#define ERRNO_NAME(name) {name, #name},
#include "base/errno_names.def"
#undef ERRNO_NAME
};

#define ERRNO_NAMES (sizeof(errno_names) / sizeof(errno_names[0]))

/* strerror_r has two signatures: the C library's own choice decides which of these is called. */
static const char *words_of_posix(int rc, const char *words)
{
	return rc == 0 ? words : "unknown error";
}

static const char *words_of_gnu(const char *words, const char *unused)
{
	(void)unused;
	return words;
}

/* clang-format off */
#define SYSTEM_WORDS(rc, words) _Generic((rc), int: words_of_posix, char *: words_of_gnu)(rc, words)
/* clang-format on */

static const char *system_words(int sys_errno, char *words, size_t size)
{
	return SYSTEM_WORDS(strerror_r(sys_errno, words, size), words);
}

/* Drops a UTF-8 sequence that the cut left without its end. */
static void trim_torn_character(char *text, size_t len)
{
	size_t start = len;

	while (start > 0 && len - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0 || (unsigned char)text[start - 1] < 0xc0)
		return;

	unsigned char lead = (unsigned char)text[start - 1];
	size_t wanted = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;

	if (len - start < wanted)
		text[start - 1] = '\0';
}

/* File names may hold newlines and terminal escapes; one sentence on one line may not. */
static void mask_control_characters(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

/* `len` is what snprintf() returned for a buffer of ERROR_TEXT_SIZE bytes. */
static void finish_text(char *text, int len)
{
	if (len < 0)
		text[0] = '\0';
	else if (len >= ERROR_TEXT_SIZE)
		trim_torn_character(text, ERROR_TEXT_SIZE - 1);
	mask_control_characters(text);
}

static void format_text(char *text, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void format_text(char *text, const char *format, va_list args)
{
	finish_text(text, vsnprintf(text, ERROR_TEXT_SIZE, format, args));
}

/* The text is built aside first, because the arguments may point into err->text. */
static void fill(struct error *err, int code, int sys, const char *text)
{
	err->code = code;
	err->sys = sys;
	memcpy(err->text, text, ERROR_TEXT_SIZE);
}

static void join_by(char *joined, const char *first, const char *between, const char *second)
{
	if (!*first || !*second)
		between = "";
	finish_text(joined, snprintf(joined, ERROR_TEXT_SIZE, "%s%s%s", first, between, second));
}

static void join_text(char *joined, const char *first, const char *second)
{
	join_by(joined, first, ": ", second);
}

int error_set(struct error *err, int code, const char *format, ...)
{
	char text[ERROR_TEXT_SIZE];
	int saved = errno;
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	format_text(text, format, args);
	va_end(args);
	fill(err, code, 0, text);
	errno = saved;
	return code;
}

int error_sys(struct error *err, int sys_errno, const char *format, ...)
{
	char text[ERROR_TEXT_SIZE], joined[ERROR_TEXT_SIZE], words[SYS_WORDS_SIZE] = "";
	int saved = errno;
	va_list args;

	if (!err)
		return ERR_SYSTEM;
	va_start(args, format);
	format_text(text, format, args);
	va_end(args);
	join_text(joined, text, system_words(sys_errno, words, sizeof(words)));
	fill(err, ERR_SYSTEM, sys_errno, joined);
	errno = saved;
	return ERR_SYSTEM;
}

int error_wrap(struct error *err, int code, const char *format, ...)
{
	char text[ERROR_TEXT_SIZE], joined[ERROR_TEXT_SIZE];
	int saved = errno;
	va_list args;

	if (!err)
		return code;
	va_start(args, format);
	format_text(text, format, args);
	va_end(args);
	/* Below a failure that was reported without an error object there is nothing to keep. */
	join_text(joined, text, err->code ? err->text : "");
	fill(err, err->code ? err->code : code, err->code ? err->sys : 0, joined);
	errno = saved;
	return code;
}

int error_advise(struct error *err, int code, const char *advice)
{
	char joined[ERROR_TEXT_SIZE];

	if (!err)
		return code;
	join_by(joined, err->code ? err->text : "", "; ", advice);
	fill(err, err->code ? err->code : code, err->code ? err->sys : 0, joined);
	return code;
}

static const struct {
	int number;
	const char *way;
} ways_out[] = {
	{ENOSPC, "make room there, or take another place"},
	{EDQUOT, "make room there, or take another place"},
	{EFBIG, "raise the limit (ulimit -f)"},
	{EROFS, "take another place"},
	{EACCES, "change the permissions there, or take another place"},
	{EMFILE, "raise the limit (ulimit -n)"},
	{ENFILE, "this host has too many files open (sysctl fs.file-max)"},
	{ENOMEM, "this needs more memory (ulimit -v, free)"},
	{EAGAIN, "this host or user has too many processes (ulimit -u)"},
	{ENAMETOOLONG, "take a shorter path"},
	{ELOOP, "take a path without symbolic links"},
};

const char *error_way_out(int sys_errno)
{
	for (size_t i = 0; i < sizeof(ways_out) / sizeof(ways_out[0]); i++)
		if (ways_out[i].number == sys_errno)
			return ways_out[i].way;
	return NULL;
}

const char *error_errno_name(int sys_errno)
{
	for (size_t i = 0; i < ERRNO_NAMES; i++)
		if (errno_names[i].number == sys_errno)
			return errno_names[i].name;
	return NULL;
}

int error_errno_number(const char *name)
{
	for (size_t i = 0; i < ERRNO_NAMES; i++)
		if (strcmp(errno_names[i].name, name) == 0)
			return errno_names[i].number;
	return 0;
}
