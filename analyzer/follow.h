/* follow.h - --follow: the timeline of a case that is still being written. */
#ifndef FANALYZE_FOLLOW_H
#define FANALYZE_FOLLOW_H

struct options;

int follow_run(const struct options *o);

#endif
