/** The subcommands of amdrpc. Each returns an exit status (program.h). */
#ifndef AMDI_COMMAND_H
#define AMDI_COMMAND_H

int amdi_command_call(int argc, char **argv);
int amdi_command_describe(int argc, char **argv);
int amdi_command_list(int argc, char **argv);

#endif
