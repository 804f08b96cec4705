/*
 * Reads the lines that a writer mostly makes without a tree of JSON values, which takes a tenth of
 * the time. Each returns false for a line that is not just so: it may be right all the same, and
 * codec_read_*() finds out. Then what the function has added to `u` is gone again.
 */
#ifndef SANDTAPE_TAPE_CODEC_QUICK_H
#define SANDTAPE_TAPE_CODEC_QUICK_H

#include "tape/lines.h"
#include "tape/unit.h"

bool codec_quick_spawn(const struct line *line, struct unit *u);
bool codec_quick_exit(const struct line *line, struct unit *u);
bool codec_quick_time(const struct line *line, struct unit *u);

#endif
