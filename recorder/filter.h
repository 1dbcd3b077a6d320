/*
 * filter.h - launch mode's seccomp filter: calls that are neither recorded nor needed to
 * follow fds and processes run at full speed, without a stop.
 */
#ifndef FREC_FILTER_H
#define FREC_FILTER_H

#include <stdbool.h>

struct sock_fprog;
struct filter;

/* record: by frz_sysent.id, as in options.h. NULL: no memory. */
struct filter *filter_new(const bool *record, bool anonymous);
const struct sock_fprog *filter_program(const struct filter *f); /* NULL for NULL */
void filter_free(struct filter *f);

#endif
