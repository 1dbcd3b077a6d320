/* report.h - --report FILE.html: one self-contained page, everything in it escaped. */
#ifndef FANALYZE_REPORT_H
#define FANALYZE_REPORT_H

struct options;

int report_run(const struct options *o);

#endif
