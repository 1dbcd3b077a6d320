/* main.c - frec: parse, record (or recover), end. */
#include "options.h"
#include "recover.h"
#include "session.h"

int main(int argc, char **argv)
{
	struct frec_options o;
	int code = options_parse(argc, argv, &o);

	if (code)
		return code - 1;
	code = o.recover ? recover_run(o.recover, o.quiet) : session_run(&o, argv);
	options_release(&o);
	return code;
}
