/* The options that record and replay share. */
#ifndef SANDTAPE_TOOLS_SESSION_OPTIONS_H
#define SANDTAPE_TOOLS_SESSION_OPTIONS_H

#include "tape/tape.h"
#include "tools/options.h"

struct session_options {
	const char *tape;
	struct option_list env;
	struct option_list through;
	struct option_list real;
	struct option_list roots;
	const char *backend;
	char *shim;    /* owned */
	char *library; /* owned */
	bool quiet;
	bool help;
	bool all_used;	     /* replay */
	const char *order;   /* replay: "strict", "causal", "any" or NULL */
	const char *report;  /* replay */
	const char *only;    /* record: the id of a record */
	const char *mode;    /* run */
	bool sync;	     /* record */
	const char *daemons; /* record: "keep", "kill" or NULL */
	const char *policy;  /* record, verify: a file, or NULL */
	bool explain;	     /* record, verify, with `policy` */
};

#define SESSION_OPTIONS                                                                            \
	{"--tape",                                                                                 \
	 't',                                                                                      \
	 OPTION_STRING,                                                                            \
	 "TAPE",                                                                                   \
	 offsetof(struct session_options, tape),                                                   \
	 "the tape, a directory (required)"},                                                      \
		{"--through",                                                                      \
		 0,                                                                                \
		 OPTION_LIST,                                                                      \
		 "GLOB",                                                                           \
		 offsetof(struct session_options, through),                                        \
		 "a launcher that stays part of the program under test"},                          \
		{"--real",                                                                         \
		 0,                                                                                \
		 OPTION_LIST,                                                                      \
		 "GLOB",                                                                           \
		 offsetof(struct session_options, real),                                           \
		 "a command that is not recorded, and runs for real in replay"},                   \
		{"--env",                                                                          \
		 0,                                                                                \
		 OPTION_LIST,                                                                      \
		 "NAME",                                                                           \
		 offsetof(struct session_options, env),                                            \
		 "a variable that tells commands apart, and is stored"},                           \
		{"--root",                                                                         \
		 0,                                                                                \
		 OPTION_LIST,                                                                      \
		 "NAME=DIR",                                                                       \
		 offsetof(struct session_options, roots),                                          \
		 "paths below DIR are stored as $NAME/..."},                                       \
		{"--backend",                                                                      \
		 0,                                                                                \
		 OPTION_STRING,                                                                    \
		 "ptrace|preload|path",                                                            \
		 offsetof(struct session_options, backend),                                        \
		 "how commands are caught: ptrace (the default) sees most"},                       \
		{"--quiet",                                                                        \
		 'q',                                                                              \
		 OPTION_FLAG,                                                                      \
		 NULL,                                                                             \
		 offsetof(struct session_options, quiet),                                          \
		 "print nothing but errors"},                                                      \
	{                                                                                          \
		"--help", 'h', OPTION_FLAG, NULL, offsetof(struct session_options, help),          \
			"print this help"                                                          \
	}

/* Of those that run commands for real. */
#define POLICY_OPTIONS                                                                             \
	{"--policy",                                                                               \
	 0,                                                                                        \
	 OPTION_STRING,                                                                            \
	 "FILE",                                                                                   \
	 offsetof(struct session_options, policy),                                                 \
	 "restrict each command by this policy, and not the program itself"},                      \
	{                                                                                          \
		"--explain", 0, OPTION_FLAG, NULL, offsetof(struct session_options, explain),      \
			"with --policy: all that it denies them is on the tape (slower)"           \
	}

/*
 * Parses, checks that there is a tape and a subject, and fills `ret` (borrowed from `o` and argv).
 * 0, or ERR_INVALID; with o->help set nothing else counts.
 */
int session_options_parse(const struct option_table *table, int argc, char **argv,
			  struct session_options *o, struct tape_options *ret, struct error *err);
void session_options_free(struct session_options *o);

/* What the options say beyond those that all commands share, checked. 0 or ERR_INVALID. */
int session_choose_order(const struct session_options *o, struct tape_options *tape,
			 struct error *err);
int session_check_daemons(const struct session_options *o, struct error *err);
int session_check_explain(const struct session_options *o, struct error *err);

/* The sessions, each whole: they tell what there is to tell, and return the exit status. */
int session_record(struct session_options *o, struct tape_options *tape);
int session_replay(const struct session_options *o, const struct tape_options *tape);
/* Answers what is on the tape, and runs what is not, or only the record o->only. */
int session_extend(const struct session_options *o, const struct tape_options *tape);

/* Of a replay: how many commands were answered. */
void session_report_answers(const char *tape, const struct tape_replay_result *result);
/* The exit status that it comes to; of a miss, how to record again is told. */
int session_judge(const struct session_options *o, const struct tape_options *tape,
		  const struct tape_replay_result *result);

#endif
