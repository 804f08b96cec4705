#include "tape/intercept/server.h"

#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

struct image {
	Elf64_Ehdr header;
	Elf64_Phdr program[2];
};

enum { DYNAMIC, STATIC, CUT, OTHER_CLASS, OTHER_MACHINE, NO_HEADERS };

/* An ELF file of the kind: only what is looked at is true. */
static void put_elf(const char *path, int kind)
{
	const Elf64_Ehdr *own = (const Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);
	struct image image = {.header = {.e_phoff = offsetof(struct image, program),
					 .e_phentsize = sizeof(Elf64_Phdr),
					 .e_phnum = 2,
					 .e_machine = own ? own->e_machine : EM_X86_64},
			      .program = {{.p_type = PT_LOAD}, {.p_type = PT_LOAD}}};
	size_t len = sizeof(image);

	memcpy(image.header.e_ident, ELFMAG, SELFMAG);
	image.header.e_ident[EI_CLASS] = kind == OTHER_CLASS ? ELFCLASS32 : ELFCLASS64;
	if (kind != STATIC)
		image.program[1].p_type = PT_INTERP;
	if (kind == OTHER_MACHINE)
		image.header.e_machine = EM_S390;
	if (kind == NO_HEADERS)
		image.header.e_phoff = 1 << 20;
	if (kind == CUT)
		len = sizeof(image.header) - 1;
	put_file(path, &image, len);
}

static const struct {
	int kind;
	const char *wanted; /* a part of what is said, or NULL */
} elf_rows[] = {
	{DYNAMIC, NULL},
	{STATIC, "prog is a static program"},
	{OTHER_MACHINE, "prog is a program for another machine"},
	{OTHER_CLASS, "prog is a program for another machine"},
	{NO_HEADERS, "prog is a static program"},
	{CUT, NULL}, /* the kernel will not execute it */
};

static void check(const char *path, const char *wanted)
{
	struct error err = {0};
	int r = program_check_preload(path, &err);

	ck_assert_msg(r == (wanted ? ERR_UNSUPPORTED : 0), "%s: %d: %s", path, r, err.text);
	ck_assert_msg(!wanted || strstr(err.text, wanted), "%s: %s", path, err.text);
}

START_TEST(a_library_needs_a_dynamic_program)
{
	put_elf("prog", elf_rows[_i].kind);
	check("prog", elf_rows[_i].wanted);
}
END_TEST

static const struct {
	const char *text;
	const char *wanted;
} script_rows[] = {
	{"#!static\n", "static is a static program"},
	{"#! \t static -x\nmore\n", "static is a static program"},
	{"#!dynamic\n", NULL},
	{"#!script\n", "static is a static program"}, /* whose interpreter is a script */
	{"#!loop\n", NULL},			      /* for the kernel to refuse */
	{"#!none\n", NULL},
	{"#!\n", NULL},
	{"#!", NULL},
	{"", NULL},
	{"#!static", NULL}, /* no end of the line */
	{"just text\n", NULL},
};

START_TEST(of_a_script_its_interpreter_counts)
{
	put_elf("static", STATIC);
	put_elf("dynamic", DYNAMIC);
	put_file("script", "#!static\n", 9);
	put_file("loop", "#!loop\n", 7);
	put_file("prog", script_rows[_i].text, strlen(script_rows[_i].text));
	check("prog", script_rows[_i].wanted);
}
END_TEST

static const struct {
	mode_t mode;
	bool foreign;
	const char *wanted;
} user_rows[] = {
	{04755, true, "a set-user-ID program"},
	{02755, true, "a set-user-ID program"},
	{04755, false, NULL}, /* it becomes what we are */
	{02755, false, NULL},
	{0755, true, NULL},
};

START_TEST(the_loader_loads_nothing_for_other_users)
{
	put_elf("prog", DYNAMIC);
	if (user_rows[_i].foreign && chown("prog", 12345, 12345) < 0)
		return; /* only root can make one */
	ck_assert_int_eq(chmod("prog", user_rows[_i].mode), 0);
	check("prog", user_rows[_i].wanted);
}
END_TEST

/* cap_net_bind_service, permitted and effective: struct vfs_cap_data of linux/capability.h. */
static const unsigned char bind_service[20] = {1, 0, 0, 2, 0, 4};

START_TEST(the_loader_loads_nothing_for_capabilities)
{
	put_elf("prog", DYNAMIC);
	if (setxattr("prog", "security.capability", bind_service, sizeof(bind_service), 0) < 0)
		return; /* only root can make one */
	check("prog", NULL);
	ck_assert_int_eq(setresuid(65534, 0, 0), 0);
	check("prog", "a program with capabilities of its own");
	ck_assert_int_eq(setresuid(0, 0, 0), 0);
}
END_TEST

START_TEST(what_is_not_there_the_exec_will_tell)
{
	check("none", NULL);
	check("/", NULL);
}
END_TEST

Suite *intercept_program_suite(void)
{
	Suite *s = suite_create("intercept_program");
	TCase *c = tcase_create("all");

	tcase_add_checked_fixture(c, scratch_enter, scratch_leave);
	tcase_add_loop_test(c, a_library_needs_a_dynamic_program, 0, COUNT(elf_rows));
	tcase_add_loop_test(c, of_a_script_its_interpreter_counts, 0, COUNT(script_rows));
	tcase_add_loop_test(c, the_loader_loads_nothing_for_other_users, 0, COUNT(user_rows));
	tcase_add_test(c, the_loader_loads_nothing_for_capabilities);
	tcase_add_test(c, what_is_not_there_the_exec_will_tell);
	suite_add_tcase(s, c);
	return s;
}
