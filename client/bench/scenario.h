/** Scenarios: runs that start the server themselves, and judge what they see.
 */
#ifndef AMDI_SCENARIO_H
#define AMDI_SCENARIO_H

/** Returns an exit status (program.h). */
int amdi_scenario_starvation(int argc, char **argv);

#endif
