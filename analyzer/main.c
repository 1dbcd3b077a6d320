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
	{ NULL, NULL, NULL, summary_run, NULL, ACTION_ROWS },
	{ "timeline", NULL, "every recorded call, in order of time", query_run_action, "timeline",
	  ACTION_ROWS },
	{ "files", NULL, "files touched, and how", query_run_action, "files", ACTION_ROWS },
	{ "bytes", NULL, "bytes through each fd", query_run_action, "bytes", ACTION_ROWS },
	{ "processes", NULL, "processes", query_run_action, "processes", ACTION_ROWS },
	{ "connections", NULL, "sockets, their addresses and bytes", query_run_action,
	  "connections", ACTION_ROWS },
	{ "failures", NULL, "calls that failed, counted", query_run_action, "failures",
	  ACTION_ROWS },
	{ "coverage", NULL, "what was not seen, what frec did, the byte counts", summary_coverage,
	  NULL, ACTION_ROWS },
	{ "info", NULL, "the case: identity, host, state, hashes", query_run_action, "info",
	  ACTION_ROWS },
	{ "verify", NULL, "links, hashes, order, counts, seal and signatures", verify_action, NULL,
	  ACTION_FORMAT | ACTION_TRUST | ACTION_VERIFY },
	{ "query", "NAME", "a canned query", query_run_named, NULL, ACTION_ROWS },
	{ "list-queries", NULL, "names of the canned queries", query_list, NULL, ACTION_NO_CASE },
	{ "sql", "SELECT", "a SELECT of your own over the views (fanalyze(1))", query_run_sql, NULL,
	  ACTION_ROWS },
	{ "follow", NULL, "print calls of a case that is still being written", follow_run, NULL,
	  ACTION_ROWS },
	{ "export", "FORMAT", "the timeline as csv, json, jsonl or strace", export_run, NULL,
	  ACTION_ROWS },
	{ "report", "FILE.html", "one page with everything, for reading and printing", report_run,
	  NULL, 0 },
	{ "sign", "KEY", "sign the case: a key's file, or its .pub and agent", custody_sign, NULL,
	  ACTION_SIGN | ACTION_TRUST },
	{ "release", NULL, "hand it over: --to --purpose --sign --as", custody_release_to, NULL,
	  ACTION_SIGNS | ACTION_TRUST },
	{ "receive", NULL, "take it over: --from --receipt --sign --as", custody_receive, NULL,
	  ACTION_SIGNS | ACTION_TRUST | ACTION_RECEIVE },
	{ "custody", NULL, "who had it: signatures and handovers", custody_list, NULL,
	  ACTION_FORMAT | ACTION_TRUST },
	{ "statement", "N", "what custody entry N says, exactly as signed", custody_statement, NULL,
	  0 },
	{ "signature", "N", "its signature, for ssh-keygen -Y verify", custody_signature, NULL, 0 },
	{ "print-receipt", "N", "its receipt once more", custody_print_receipt, NULL, 0 },
	{ "extract", "OUT.frz", "part of it as a case of its own: filters, --rules", extract_run,
	  NULL, ACTION_ROWS | ACTION_EXTRACT },
	{ "drop-torn-entry", NULL, "cut off a custody entry that was not finished",
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
