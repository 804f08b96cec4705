#include "tape/json_values.h"

#include "base/text.h"

json_t *json_of_bytes(const char *bytes, size_t len)
{
	cleanup_buf struct buf encoded = BUF_INIT;

	if (text_is_utf8(bytes, len))
		return json_stringn_nocheck(len ? bytes : "", len);
	if (text_base64_encode(&encoded, bytes, len) < 0)
		return NULL;
	return json_pack("{s:s%}", "base64", encoded.data, encoded.len);
}

json_t *json_of_buf(const struct buf *b)
{
	return json_of_bytes(b->data, b->len);
}

json_t *json_of_argv(const struct unit *u)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < u->argc; i++) {
		if (json_array_append_new(array, json_of_buf(&u->argv[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

json_t *json_of_env(const struct unit *u)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < u->env_count; i++) {
		const struct env_pair *pair = &u->env[i];

		if (json_object_set_new_nocheck(object, pair->name.data,
						json_of_buf(&pair->value)) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

json_t *json_of_cwd(const struct unit *u)
{
	return u->cwd_any ? json_null() : json_of_buf(&u->cwd);
}
