/* summary.h - fanalyze CASE without an action, and --coverage: pages made of several queries. */
#ifndef FANALYZE_SUMMARY_H
#define FANALYZE_SUMMARY_H

struct options;

int summary_run(const struct options *o);
int summary_coverage(const struct options *o);

#endif
