#include "tools/json.h"

#include "base/text.h"
#include "tools/command.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *json_of_text(const char *text)
{
	cleanup_buf struct buf quoted = BUF_INIT;

	if (text_is_utf8(text, strlen(text)))
		return json_string(text);
	return text_quote(&quoted, text, strlen(text)) < 0 ? NULL : json_string(quoted.data);
}

void json_print(json_t *value)
{
	char *line = json_dumps(value, JSON_COMPACT);
	struct error err;

	if (!line) {
		error_no_memory(&err);
		exit(command_fail(&err));
	}
	puts(line);
	free(line);
	json_decref(value);
}
