/* The home of a user whose HOME says nothing. */
#include "sandbox/policy.h"

#include "base/cleanup.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of "name:password:user:group:comment:home:shell". */
enum { NAME, PASSWORD, USER, GROUP, COMMENT, DIRECTORY, SHELL, FIELDS };

/* Cuts the line up. Comments, and what NIS would add, are no users. */
static bool split(char *line, char *ret[FIELDS])
{
	if (strchr("#+-", *line))
		return false;
	line[strcspn(line, "\n")] = '\0';
	for (int i = 0; i < FIELDS; i++)
		ret[i] = strsep(&line, ":");
	return ret[DIRECTORY] != NULL;
}

static bool is_user(const char *text, unsigned user)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno && number == user;
}

/* Not getpwuid(): it loads the modules of NSS, which a static binary does not have, and which may
 * ask the network. */
int policy_find_home(const char *passwd, unsigned user, char ret[PATH_MAX])
{
	cleanup_fclose FILE *file = fopen(passwd, "re");
	cleanup_free char *line = NULL;
	size_t room = 0;

	while (file && getline(&line, &room, file) >= 0) {
		char *field[FIELDS];

		if (!split(line, field) || !is_user(field[USER], user))
			continue;
		/* As of any that say the same, the first counts. */
		if (field[DIRECTORY][0] != '/' || strlen(field[DIRECTORY]) >= PATH_MAX)
			return ERR_NOTFOUND;
		strcpy(ret, field[DIRECTORY]); /* NOLINT: it has room */
		return 0;
	}
	return ERR_NOTFOUND;
}
