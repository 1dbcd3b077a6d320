/*
 * extract.h - `fanalyze CASE --extract OUT.frz`: part of a case as a case of its own.
 *
 * - What is kept: events by --since, --until, --pid and --path, as --timeline would show them;
 *   of everything else what belongs to their processes (extract_filter.c).
 * - What is told differently: names and paths, as --rules says (rules.h).
 * - It never passes for the original: GENESIS says of which case it is an extract, up to
 *   which chain head, by which filters and rules, and what was left out; it has a case id and
 *   a chain of its own. Signatures and receipts of the original are none of it.
 * - The original is read strictly, twice: once to see what will be left out, once to write.
 */
#ifndef FANALYZE_EXTRACT_H
#define FANALYZE_EXTRACT_H

struct options;

int extract_run(const struct options *o);

#endif
