import { CmcpError, parseJson, untrusted, type ErrorCode, type JsonLimits, schemaProblem } from "@cmcp/boundary";
import {
  MAX_RECEIPT_BYTES,
  incompleteSessionSchema,
  anyReceiptSchema,
  receiptSchema,
  type IncompleteSession,
  type AnyReceipt,
  type Receipt,
} from "@cmcp/audit/schema";
import { claimSchema, instanceReportSchema, type Claim, type ReceivedInstanceReport } from "@cmcp/claim/schema";

const CLAIM_LIMITS: JsonLimits = { maxBytes: 32 * 1024 * 1024, maxDepth: 16, maxItems: 1_000_000 };
/** Largest audit bundle or export that is read as a whole, in bytes. A bundle that is read as it comes may be larger. */
export const MAX_BUNDLE_BYTES = 512 * 1024 * 1024;
const EXPORT_LIMITS: JsonLimits = { maxBytes: MAX_BUNDLE_BYTES, maxDepth: 16, maxItems: 20_000_000 };
const RECEIPT_LIMITS: JsonLimits = { maxBytes: MAX_RECEIPT_BYTES, maxDepth: 4, maxItems: 200 };

/** What a parsed value is held to. */
interface Shape<T> {
  safeParse(
    value: unknown,
  ): { success: true; data: T } | { success: false; error: Parameters<typeof schemaProblem>[0] };
}

/** A kind of file: how large, of what shape, and how it is called where it is neither. */
export interface Form<T> {
  readonly limits: JsonLimits;
  readonly shape: Shape<T>;
  readonly code: ErrorCode;
  readonly what: string;
}

const CLAIM: Form<Claim> = { limits: CLAIM_LIMITS, shape: claimSchema, code: "CLAIM_MALFORMED", what: "claim" };
const EXPORT: Form<IncompleteSession> = {
  limits: EXPORT_LIMITS,
  shape: incompleteSessionSchema,
  code: "BUNDLE_MALFORMED",
  what: "export",
};
const INSTANCE_REPORT: Form<ReceivedInstanceReport> = {
  limits: CLAIM_LIMITS,
  shape: instanceReportSchema,
  code: "EVIDENCE_MALFORMED",
  what: "instance report",
};
const RECEIPT: Form<AnyReceipt> = {
  limits: RECEIPT_LIMITS,
  shape: anyReceiptSchema,
  code: "RECEIPT_MALFORMED",
  what: "receipt",
};

/** Receipts as instances write them now. */
const PRESENT_RECEIPT: Form<Receipt> = { ...RECEIPT, shape: receiptSchema };

/** Reads strict JSON of a form. @throws CmcpError with the form's code */
export function readForm<T>(bytes: Uint8Array, { limits, shape, code, what }: Form<T>): T {
  let value: unknown;
  try {
    value = parseJson(untrusted(bytes), limits);
  } catch (thrown) {
    throw new CmcpError(
      code,
      `the ${what} is not strict JSON: ${thrown instanceof CmcpError ? thrown.message : "unreadable"}`,
      { cause: thrown },
    );
  }
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CmcpError(code, `the ${what} is not valid: ${schemaProblem(parsed.error).text}`);
}

/** @throws CmcpError `CLAIM_MALFORMED` */
export function parseClaim(bytes: Uint8Array): Claim {
  return readForm(bytes, CLAIM);
}

/** @throws CmcpError `EVIDENCE_MALFORMED` */
export function parseInstanceReport(bytes: Uint8Array): ReceivedInstanceReport {
  return readForm(bytes, INSTANCE_REPORT);
}

/** @throws CmcpError `BUNDLE_MALFORMED` */
export function parseIncomplete(bytes: Uint8Array): IncompleteSession {
  return readForm(bytes, EXPORT);
}

/** Numbers of the entries that receipts are about; a receipt that cannot be read is about none. */
export function numbersIn(receipts: readonly Uint8Array[]): number[] {
  return receipts.flatMap((bytes) => unlessMalformed(() => parseReceipt(bytes).sequence_number));
}

/** Numbers of the last entries that claims are about. */
export function endsIn(claims: readonly Uint8Array[]): number[] {
  return claims.flatMap((bytes) => unlessMalformed(() => parseClaim(bytes).gateway.audit_chain.length - 1));
}

function unlessMalformed(read: () => number): number[] {
  try {
    return [read()];
  } catch (thrown) {
    if (thrown instanceof CmcpError) return [];
    throw thrown;
  }
}

/** @throws CmcpError `RECEIPT_MALFORMED` */
export function parseReceipt(bytes: Uint8Array): AnyReceipt {
  return readForm(bytes, RECEIPT);
}

/** As {@link parseReceipt}, of the version that instances write. @throws CmcpError `RECEIPT_MALFORMED` */
export function parsePresentReceipt(bytes: Uint8Array): Receipt {
  return readForm(bytes, PRESENT_RECEIPT);
}
