#include "tape/names.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGNAL_ROW(name)                                                                           \
	{                                                                                          \
		name, #name                                                                        \
	}

/* The first name of a number is the one that is written. */
static const struct {
	int number;
	const char *name;
} signals[] = {
	SIGNAL_ROW(SIGHUP),    SIGNAL_ROW(SIGINT),  SIGNAL_ROW(SIGQUIT), SIGNAL_ROW(SIGILL),
	SIGNAL_ROW(SIGTRAP),   SIGNAL_ROW(SIGABRT), SIGNAL_ROW(SIGBUS),	 SIGNAL_ROW(SIGFPE),
	SIGNAL_ROW(SIGKILL),   SIGNAL_ROW(SIGUSR1), SIGNAL_ROW(SIGSEGV), SIGNAL_ROW(SIGUSR2),
	SIGNAL_ROW(SIGPIPE),   SIGNAL_ROW(SIGALRM), SIGNAL_ROW(SIGTERM), SIGNAL_ROW(SIGCHLD),
	SIGNAL_ROW(SIGCONT),   SIGNAL_ROW(SIGSTOP), SIGNAL_ROW(SIGTSTP), SIGNAL_ROW(SIGTTIN),
	SIGNAL_ROW(SIGTTOU),   SIGNAL_ROW(SIGURG),  SIGNAL_ROW(SIGXCPU), SIGNAL_ROW(SIGXFSZ),
	SIGNAL_ROW(SIGVTALRM), SIGNAL_ROW(SIGPROF), SIGNAL_ROW(SIGSYS),	 SIGNAL_ROW(SIGWINCH),
	SIGNAL_ROW(SIGIO),
#ifdef SIGPWR
	SIGNAL_ROW(SIGPWR),
#endif
#ifdef SIGSTKFLT
	SIGNAL_ROW(SIGSTKFLT),
#endif
};

#define SIGNAL_ROWS (sizeof(signals) / sizeof(signals[0]))

static const char realtime[] = "SIGRTMIN+";

static const char *const kinds[] = {
	[STREAM_CLOSED] = "closed", [STREAM_NULL] = "null", [STREAM_PIPE] = "pipe",
	[STREAM_SOCKET] = "socket", [STREAM_FILE] = "file", [STREAM_TTY] = "tty",
	[STREAM_OTHER] = "other",   [STREAM_SAME] = "same",
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

bool signal_name(int signal, char ret_name[SIGNAL_NAME_SIZE])
{
	size_t i;

	for (i = 0; i < SIGNAL_ROWS; i++) {
		if (signals[i].number == signal) {
			snprintf(ret_name, SIGNAL_NAME_SIZE, "%s", signals[i].name);
			return true;
		}
	}
	if (signal < SIGRTMIN || signal > SIGRTMAX)
		return false;
	snprintf(ret_name, SIGNAL_NAME_SIZE, "%s%d", realtime, signal - SIGRTMIN);
	return true;
}

int signal_number(const char *name)
{
	char spelled[SIGNAL_NAME_SIZE];
	size_t i;
	int number;

	for (i = 0; i < SIGNAL_ROWS; i++) {
		if (!strcmp(signals[i].name, name))
			return signals[i].number;
	}
	if (strncmp(name, realtime, sizeof(realtime) - 1) != 0)
		return 0;
	number = SIGRTMIN + atoi(name + sizeof(realtime) - 1);
	/* Spelled back, so that "SIGRTMIN+03" and numbers out of range are refused. */
	return signal_name(number, spelled) && !strcmp(spelled, name) ? number : 0;
}

const char *stream_kind_name(enum stream_kind kind)
{
	return kinds[kind];
}

bool stream_kind_of_name(const char *name, enum stream_kind *ret)
{
	size_t i;

	for (i = 0; i < KINDS; i++) {
		if (!strcmp(kinds[i], name)) {
			*ret = (enum stream_kind)i;
			return true;
		}
	}
	return false;
}
