/* Whether two units are the same in every field, for the tests of what is read back. */
#ifndef SANDTAPE_TAPE_SAME_UNIT_TEST_H
#define SANDTAPE_TAPE_SAME_UNIT_TEST_H

#include "tape/unit.h"

void assert_same_buf(const struct buf *a, const struct buf *b);
void assert_same_unit(const struct unit *a, const struct unit *b);

#endif
