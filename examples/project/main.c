#include "report.h"

#include <stdio.h>

int main(void)
{
	for (int i = 0; i < planet_count; i++)
		printf("%-8s %2d of %d\n", planets[i].name, planets[i].moons,
		       sum_moons(planets, planet_count));
	return 0;
}
