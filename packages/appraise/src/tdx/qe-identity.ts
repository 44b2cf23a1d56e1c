import * as z from "zod";
import { hexBytes, instant, readDocument } from "./tcb-info.ts";

/** Statuses the quoting enclave's levels may have; whatever is not current counts as out of date. */
const QE_STATUSES = [
  "UpToDate",
  "ConfigurationNeeded",
  "OutOfDate",
  "OutOfDateConfigurationNeeded",
  "Revoked",
] as const;

const MAX_LEVELS = 256;

/** Identity of TDX's quoting enclave, version 2 (PCS API v4, appendix A: enclave identity). */
const qeIdentitySchema = z.object({
  id: z.literal("TD_QE"),
  version: z.literal(2),
  issueDate: instant,
  nextUpdate: instant,
  tcbEvaluationDataNumber: z.int().min(0),
  miscselect: hexBytes(4),
  miscselectMask: hexBytes(4),
  attributes: hexBytes(16),
  attributesMask: hexBytes(16),
  mrsigner: hexBytes(32),
  isvprodid: z.int().min(0).max(0xffff),
  tcbLevels: z
    .array(
      z.object({
        tcb: z.object({ isvsvn: z.int().min(0).max(0xffff) }),
        tcbDate: instant,
        tcbStatus: z.enum(QE_STATUSES),
        advisoryIDs: z.array(z.string().max(64)).max(MAX_LEVELS).default([]),
      }),
    )
    .min(1)
    .max(MAX_LEVELS),
});

export type QeIdentity = z.infer<typeof qeIdentitySchema>;

/** Reads the signed bytes of a quoting enclave's identity. Throws `EVIDENCE_COLLATERAL_INVALID` or a code of the JSON parser. */
export function parseQeIdentity(bytes: Uint8Array): QeIdentity {
  return readDocument(qeIdentitySchema, bytes, "the quoting enclave's identity");
}
