#include "report.h"

int sum_moons(const struct planet *planet, int count)
{
	int sum = 0;

	for (int i = 0; i < count; i++)
		sum += planet[i].moons;
	return sum;
}
