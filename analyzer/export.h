/* export.h - --export FORMAT: the timeline in the forms that other tools read. */
#ifndef FANALYZE_EXPORT_H
#define FANALYZE_EXPORT_H

struct options;

int export_run(const struct options *o);

#endif
