/*
 * madehere.h - tells a database that this user made from one that came with a case.
 *
 * A database beside a case can have been put there, with rows of somebody's choice and everything
 * else right. So each carries a mark that depends on a secret of the user's, 32 random bytes in
 * the cache folder, and on the file that it stands in: a copy is another.
 */
#ifndef FANALYZE_MADEHERE_H
#define FANALYZE_MADEHERE_H

#include <stdbool.h>
#include <stddef.h>

#include "sha256.h"

/* $XDG_CACHE_HOME/fanalyze or ~/.cache/fanalyze, which is made. False: there can be none. */
bool cache_folder(char *out, size_t cap);
/* The mark that a database of this case in the file at path has. False: no secret. */
bool made_here(const char *path, const char *case_id, char mark[FRZ_HEX_LEN]);

#endif
