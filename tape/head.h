/* The first record of a tape: what the recording assumed. */
#ifndef SANDTAPE_TAPE_HEAD_H
#define SANDTAPE_TAPE_HEAD_H

#include "base/buf.h"

#define TAPE_FORMAT_VERSION 1

/* A list of strings, owned. */
struct strings {
	char **item;
	size_t count;
};

int strings_add(struct strings *s, const char *text); /* 0 or ERR_NOMEM */
void strings_clear(struct strings *s);

struct tape_head {
	int version;
	char *backend;		   /* "ptrace" */
	struct strings command;	   /* the subject's argv, encoded */
	struct strings roots;	   /* names only: the directories are the host's affair */
	struct strings env;	   /* names of the variables that count */
	struct strings through;	   /* --through globs that the user gave */
	struct strings real;	   /* --real globs */
	struct strings restricted; /* what restricted each unit: names of mechanisms */
};

void tape_head_clear(struct tape_head *h);

#endif
