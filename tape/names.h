/* The words of the format for what C holds as numbers that differ between platforms. */
#ifndef SANDTAPE_TAPE_NAMES_H
#define SANDTAPE_TAPE_NAMES_H

#include "tape/unit.h"
#include <stdbool.h>

#define SIGNAL_NAME_SIZE 16

/* "SIGTERM", "SIGRTMIN+3". false for a number that has no name here. */
bool signal_name(int signal, char ret_name[SIGNAL_NAME_SIZE]);
/* 0 when this host has no such signal. */
int signal_number(const char *name);

const char *stream_kind_name(enum stream_kind kind);
bool stream_kind_of_name(const char *name, enum stream_kind *ret);

#endif
