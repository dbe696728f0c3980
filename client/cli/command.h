/** The subcommands of amdrpc. Each returns an exit status (program.h). */
#ifndef AMDI_COMMAND_H
#define AMDI_COMMAND_H

int amdi_command_call(int argc, char **argv);
int amdi_command_cancel(int argc, char **argv);
int amdi_command_delete(int argc, char **argv);
int amdi_command_describe(int argc, char **argv);
int amdi_command_get(int argc, char **argv);
int amdi_command_list(int argc, char **argv);
int amdi_command_operations(int argc, char **argv);
int amdi_command_submit(int argc, char **argv);
int amdi_command_wait(int argc, char **argv);
int amdi_command_watch(int argc, char **argv);

#endif
