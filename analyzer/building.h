/*
 * building.h - the file in which a database is built: made, held while it is built, and cleared
 * away when whoever built it was killed.
 *
 * It is PATH.building-XXXXXX, beside the database PATH. Who builds holds a lock on it, flock(2),
 * that ends with the process: a file so named that nobody holds is left over. No other is removed.
 */
#ifndef FANALYZE_BUILDING_H
#define FANALYZE_BUILDING_H

#include <stddef.h>

/* Removes what is left over for the database at path; makes a new file, empty, mode 0600, its name
 * in name, and holds it until the fd is closed. The fd, or -1 with errno. */
int building_open(const char *path, char *name, size_t cap);

#endif
