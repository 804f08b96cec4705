#include "report.h"

const struct planet planets[] = {
#include "planets.h"
};
const int planet_count = sizeof(planets) / sizeof(planets[0]);
