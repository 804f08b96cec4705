#ifndef SANDTAPE_BASE_ARRAY_H
#define SANDTAPE_BASE_ARRAY_H

#include <stddef.h>

/*
 * Room for one more at `count` of an array that grows by doubling: no capacity is stored, because
 * every power of two is the moment to grow. `array` is NULL or has grown by this alone; items may
 * have been taken off its end. Returns the array, or NULL with the old one intact.
 */
void *array_grow(void *array, size_t count, size_t item_size);

#endif
