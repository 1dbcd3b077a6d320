/*
 * error.c - the names of the errors in frz.h.
 */
#include "frz.h"

const char *frz_strerror(enum frz_err err)
{
	switch (err) {
	case FRZ_OK:
		return "good";
	case FRZ_END:
		return "end";
	case FRZ_E_NOMEM:
		return "out of memory";
	case FRZ_E_IO:
		return "input or output failed";
	case FRZ_E_NOT_FRZ:
		return "not a case file";
	case FRZ_E_VERSION:
		return "unknown version";
	case FRZ_E_TRUNCATED:
		return "truncated";
	case FRZ_E_CORRUPT:
		return "corrupt";
	case FRZ_E_LIMIT:
		return "over a limit of the format";
	case FRZ_E_UNKNOWN:
		return "unknown critical element";
	case FRZ_E_SPACE:
		return "buffer too small";
	case FRZ_E_UNSEALED:
		return "not sealed";
	case FRZ_E_FOREIGN:
		return "belongs to another case";
	}
	return "unknown error";
}
