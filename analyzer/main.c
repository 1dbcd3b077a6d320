/* main.c - fanalyze: what it can do is the table of actions. */
#include <locale.h>
#include <signal.h>

#include "custody.h"
#include "export.h"
#include "extract.h"
#include "follow.h"
#include "message.h"
#include "options.h"
#include "query.h"
#include "report.h"
#include "summary.h"
#include "verify_action.h"

static const struct action actions[] = {
	{ NULL, NULL, NULL, summary_run, NULL, 0 },
	{ "timeline", NULL, "every recorded call, in order of time", query_run_action, "timeline",
	  0 },
	{ "files", NULL, "files touched, and how", query_run_action, "files", 0 },
	{ "bytes", NULL, "bytes through each fd", query_run_action, "bytes", 0 },
	{ "processes", NULL, "processes", query_run_action, "processes", 0 },
	{ "connections", NULL, "sockets, their addresses and bytes", query_run_action,
	  "connections", 0 },
	{ "failures", NULL, "calls that failed, counted", query_run_action, "failures", 0 },
	{ "coverage", NULL, "what was not seen, what frec did, whether byte counts agree",
	  summary_coverage, NULL, 0 },
	{ "info", NULL, "the case: identity, host, state, hashes", query_run_action, "info", 0 },
	{ "verify", NULL, "check links, hashes, order, counts, seal and signatures", verify_action,
	  NULL, 0 },
	{ "query", "NAME", "a canned query", query_run_named, NULL, 0 },
	{ "list-queries", NULL, "names of the canned queries", query_list, NULL, ACTION_NO_CASE },
	{ "sql", "SELECT", "a SELECT of your own over the views (fanalyze(1))", query_run_sql, NULL,
	  0 },
	{ "follow", NULL, "print calls of a case that is still being written", follow_run, NULL,
	  0 },
	{ "export", "FORMAT", "the timeline as csv, json, jsonl or strace", export_run, NULL, 0 },
	{ "report", "FILE.html", "one page with everything, for reading and printing", report_run,
	  NULL, 0 },
	{ "sign", "KEY", "sign the sealed case: a key's file, or its .pub and ssh-agent",
	  custody_sign, NULL, ACTION_SIGN },
	{ "release", NULL, "hand it over: --to --purpose --sign --as", custody_release_to, NULL,
	  ACTION_SIGNS },
	{ "receive", NULL, "take it over: --from --receipt --sign --as", custody_receive, NULL,
	  ACTION_SIGNS },
	{ "custody", NULL, "who had it: signatures and handovers", custody_list, NULL, 0 },
	{ "statement", "N", "what custody entry N says, exactly as signed", custody_statement, NULL,
	  0 },
	{ "signature", "N", "its signature, for ssh-keygen -Y verify", custody_signature, NULL, 0 },
	{ "print-receipt", "N", "its receipt once more", custody_print_receipt, NULL, 0 },
	{ "extract", "OUT.frz", "part of it as a case of its own: filters, --rules", extract_run, NULL, 0 },
	{ "drop-torn-entry", NULL, "cut off a custody entry whose writing was broken off",
	  custody_drop_torn, NULL, 0 },
};

int main(int argc, char **argv)
{
	struct options o;
	int rc;

	setlocale(LC_CTYPE, "C.UTF-8");
	signal(SIGPIPE, SIG_DFL);
	rc = options_parse(argc, argv, actions, sizeof(actions) / sizeof(actions[0]), &o);
	if (rc)
		return rc - 1;
	if (!o.case_path && !(o.action->flags & ACTION_NO_CASE))
		return complain(VERIFY_USAGE,
				"which case? usage: fanalyze CASE.frz [action] (see --help)");
	return o.action->run(&o);
}
