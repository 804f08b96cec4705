/*
 * Policies, and profiles of container engines that become one: what is none is refused with one
 * sentence that names the line; what is one can be written, and reads back to the same.
 */
#include "sandbox/policy.h"
#include "tools/fuzz/fuzz.h"
#include <string.h>

static const struct sandbox_places places = {"/work", "/home/me", "/tmp/mine"};

static void check_error(int rc, const struct error *err)
{
	fuzz_require(rc == ERR_FORMAT || rc == ERR_VERSION || rc == ERR_LIMIT, err->text);
	fuzz_require(rc == err->code, "another code in the error");
	fuzz_require(strncmp(err->text, "input:", 6) == 0 && !strchr(err->text, '\n'), err->text);
	fuzz_require(strtol(err->text + 6, NULL, 10) > 0, err->text);
}

static void check_root(const struct policy_root *root)
{
	fuzz_require(root->path[0] == '/' && root->len == strlen(root->path), root->path);
	fuzz_require(root->len == 1 || root->path[root->len - 1] != '/', root->path);
	fuzz_require(!strstr(root->path, "//") && !strstr(root->path, "/../"), root->path);
}

static void check_policy(const struct sandbox_policy *policy)
{
	struct sandbox_policy *again = NULL;
	char *text = NULL, *text_again = NULL;
	struct error err = {0};

	fuzz_require(sandbox_policy_check(policy, &err) == 0, err.text);
	for (size_t i = 0; i < policy->roots.count; i++)
		check_root(&policy->roots.item[i]);
	for (size_t i = 0; i < policy->unix_paths.count; i++)
		check_root(&policy->unix_paths.item[i]);
	fuzz_require(sandbox_policy_json(policy, &text, &err) == 0, err.text);
	fuzz_require(sandbox_policy_parse(text, strlen(text), "written", NULL, &again, &err) == 0,
		     err.text);
	fuzz_require(sandbox_policy_json(again, &text_again, &err) == 0, err.text);
	fuzz_require(strcmp(text, text_again) == 0, "another policy when read back");
	sandbox_policy_free(again);
	free(text);
	free(text_again);
}

static void check_told(void *ctx, const char *text)
{
	(void)ctx;
	fuzz_require(strncmp(text, "input:", 6) == 0 && !strchr(text, '\n'), text);
}

static void check_profile(const char *text, size_t len)
{
	struct sandbox_policy *policy = NULL;
	struct error err = {0};
	int rc = sandbox_policy_import_oci(text, len, "input", &places, check_told, NULL, &policy,
					   &err);

	if (rc < 0)
		check_error(rc, &err);
	else
		check_policy(policy);
	sandbox_policy_free(policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* An own copy, so that a read beyond its end is one beyond a block. */
	char *copy = malloc(size ? size : 1);
	struct sandbox_policy *policy = NULL;
	struct error err = {0};
	int rc;

	fuzz_require(copy, "out of memory");
	if (size)
		memcpy(copy, data, size);
	rc = sandbox_policy_parse(copy, size, "input", &places, &policy, &err);
	if (rc < 0)
		check_error(rc, &err);
	else
		check_policy(policy);
	sandbox_policy_free(policy);
	check_profile(copy, size);
	free(copy);
	return 0;
}
