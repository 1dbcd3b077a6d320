/* session.h - one recording from its options to the seal. */
#ifndef FREC_SESSION_H
#define FREC_SESSION_H

#include "options.h"

/* Returns the program's exit code. In launch mode that is the command's own; a command that
 * died of a signal makes this process die of it too. argv: frec's own, for GENESIS. */
int session_run(const struct frec_options *o, char **argv);

#endif
