/* What tests of files share. */
#ifndef SANDTAPE_BASE_SCRATCH_TEST_H
#define SANDTAPE_BASE_SCRATCH_TEST_H

#include <stddef.h>

extern char scratch_path[64]; /* absolute */

/* A checked fixture: each test works in an empty directory, which is removed afterwards. */
void scratch_enter(void);
void scratch_leave(void);

/* What a directory has in it, but for "." and "..". */
size_t entry_count(const char *path);

/* Acts in a child that is an ordinary user, since root asks no mode of a file. */
void act_as_ordinary(void (*act)(void));

#endif
