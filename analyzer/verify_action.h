/* verify_action.h - --verify with everything that the command line names: anchors, signers. */
#ifndef FANALYZE_VERIFY_ACTION_H
#define FANALYZE_VERIFY_ACTION_H

struct options;

int verify_action(const struct options *o);

#endif
