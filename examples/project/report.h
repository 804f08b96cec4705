/* Planets and their moons, an example for make. */
#ifndef PROJECT_REPORT_H
#define PROJECT_REPORT_H

struct planet {
	const char *name;
	int moons;
};

extern const struct planet planets[];
extern const int planet_count;

int sum_moons(const struct planet *planet, int count);

#endif
