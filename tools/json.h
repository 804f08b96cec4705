/* JSON on stdout, one value a line. */
#ifndef SANDTAPE_TOOLS_JSON_H
#define SANDTAPE_TOOLS_JSON_H

#include <jansson.h>

/* A string; of what is not UTF-8, as it would be quoted for a shell. NULL when out of memory. */
json_t *json_of_text(const char *text);

/* Prints the value on a line of its own and drops it. Without memory (`value` NULL, too) nothing
 * can be printed, and the program ends with a message. */
void json_print(json_t *value);

#endif
