#include "base/array.h"

#include <stdlib.h>

void *array_grow(void *array, size_t count, size_t item_size)
{
	if (count & (count - 1))
		return array;
	return reallocarray(array, count ? count * 2 : 1, item_size);
}
