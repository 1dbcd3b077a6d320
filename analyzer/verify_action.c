/* verify_action.c - collects anchors and signers for --verify (contract in verify_action.h). */
#include "verify_action.h"

#include "custody.h"
#include "message.h"

/* Zeros when it cannot be read: --verify itself then says why. */
static void case_id_of(const char *path, uint8_t id[16])
{
	struct frz_case_head h = { .blocks = 0 };
	struct frz_case_item it;
	struct frz_fault fault;
	struct frz_case *c;

	if (frz_case_open(path, FRZ_CASE_SKIM, &c, &fault) == FRZ_OK) {
		frz_case_next(c, &it, &fault);
		frz_case_head(c, &h);
		frz_case_close(c);
	}
	memcpy(id, h.case_id, 16);
}

/* False after a line. */
static bool collect(const struct options *o, struct anchors *a, size_t *n)
{
	uint8_t id[16] = { 0 };
	char err[400];

	if (o->checkpoint || o->receipt)
		case_id_of(o->case_path, id);
	if (o->expect_head && !anchors_head(&a[(*n)++], o->expect_head)) {
		complain(0, "out of memory");
		return false;
	}
	if (o->checkpoint &&
	    !anchors_checkpoints(&a[(*n)++], o->checkpoint, id, err, sizeof(err))) {
		complain(0, "--checkpoint %s", err);
		return false;
	}
	if (o->receipt && !anchors_receipt(&a[(*n)++], o->receipt, id, err, sizeof(err))) {
		complain(0, "--receipt %s", err);
		return false;
	}
	return true;
}

int verify_action(const struct options *o)
{
	struct anchors anchors[3];
	struct signers signers = { .text = NULL };
	struct verify_options v = { .path = o->case_path,
				    .json = o->format == OUTPUT_JSON,
				    .require = o->require,
				    .anchors = anchors,
				    .custody = custody_verify };
	struct output out;
	char err[400];
	int code = VERIFY_USAGE;

	if (o->format == OUTPUT_CSV || o->format == OUTPUT_JSONL)
		return complain(VERIFY_USAGE, "--verify writes text or json");
	if (o->allowed_signers) {
		if (!signers_load(&signers, o->allowed_signers, o->revoked, err, sizeof(err)))
			return complain(VERIFY_USAGE, "--allowed-signers %s", err);
		v.custody_arg = &signers;
	}
	if (collect(o, anchors, &v.nanchors) && output_open(&out, o->output, o->format)) {
		code = verify_run(&v, out.f);
		if (!output_close(&out))
			code = VERIFY_USAGE;
	}
	while (v.nanchors)
		anchors_release(&anchors[--v.nanchors]);
	signers_release(&signers);
	return code;
}
