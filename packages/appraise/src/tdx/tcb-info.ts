import { CmcpError, fromHex, parseJson, untrusted, type JsonLimits, schemaProblem } from "@cmcp/boundary";
import * as z from "zod";
import { PLATFORM_STATUSES } from "./tcb-status.ts";

/** Bounds of one document of Intel's, many times what they have. */
export const DOCUMENT_LIMITS: JsonLimits = { maxBytes: 256 * 1024, maxDepth: 12, maxItems: 20_000 };
/** Levels, module identities and advisories one list may have. */
const MAX_LIST = 256;
/** Security version numbers in an SGX or TDX TCB. */
export const TCB_COMPONENTS = 16;

/** Instants as Intel writes them: ISO 8601, UTC, whole seconds. */
export const instant = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  .refine(isOfTheCalendar)
  .transform((text) => new Date(text));

/** Date takes the 31st of a month with 30 days for the 1st of the next. */
function isOfTheCalendar(text: string): boolean {
  const time = new Date(text);
  return !Number.isNaN(time.getTime()) && time.toISOString() === text.replace("Z", ".000Z");
}

export const hexBytes = (length: number) =>
  z
    .string()
    .length(2 * length)
    .transform((text, context): Uint8Array => {
      const bytes = fromHex(text);
      if (bytes !== undefined) return bytes;
      context.addIssue({ code: "custom", message: "not hex" });
      return z.NEVER;
    });

const advisories = z.array(z.string().max(64)).max(MAX_LIST).default([]);
const components = z
  .array(z.object({ svn: z.int().min(0).max(0xff) }).transform(({ svn }) => svn))
  .length(TCB_COMPONENTS);

const moduleSchema = { mrsigner: hexBytes(48), attributes: hexBytes(8), attributesMask: hexBytes(8) };

const moduleIdentity = z.object({
  id: z.string().max(16),
  ...moduleSchema,
  tcbLevels: z
    .array(
      z.object({
        tcb: z.object({ isvsvn: z.int().min(0).max(0xff) }),
        tcbDate: instant,
        tcbStatus: z.enum(["UpToDate", "OutOfDate", "Revoked"]),
        advisoryIDs: advisories,
      }),
    )
    .min(1)
    .max(MAX_LIST),
});

const tcbLevel = z.object({
  tcb: z.object({ sgxtcbcomponents: components, pcesvn: z.int().min(0).max(0xffff), tdxtcbcomponents: components }),
  tcbDate: instant,
  tcbStatus: z.enum(PLATFORM_STATUSES),
  advisoryIDs: advisories,
});

/** TCB info of version 3 for TDX (PCS API v4, appendix A: TCB info). Members it does not name are Intel's to add. */
const tcbInfoSchema = z.object({
  id: z.literal("TDX"),
  version: z.literal(3),
  issueDate: instant,
  nextUpdate: instant,
  fmspc: z
    .string()
    .regex(/^[0-9a-fA-F]{12}$/)
    .toLowerCase(),
  pceId: z
    .string()
    .regex(/^[0-9a-fA-F]{4}$/)
    .toLowerCase(),
  tcbType: z.literal(0),
  tcbEvaluationDataNumber: z.int().min(0),
  tdxModule: z.object(moduleSchema),
  tdxModuleIdentities: z.array(moduleIdentity).max(MAX_LIST).default([]),
  tcbLevels: z.array(tcbLevel).min(1).max(MAX_LIST),
});

export type TcbInfo = z.infer<typeof tcbInfoSchema>;
export type TcbLevel = z.infer<typeof tcbLevel>;
export type TdxModuleIdentity = z.infer<typeof moduleIdentity>;
export type TdxModule = Pick<TdxModuleIdentity, keyof typeof moduleSchema>;

/** Reads the signed bytes of a TCB info. Throws `EVIDENCE_COLLATERAL_INVALID` or a code of the JSON parser. */
export function parseTcbInfo(bytes: Uint8Array): TcbInfo {
  return readDocument(tcbInfoSchema, bytes, "the TCB info");
}

/** Reads one document of Intel's by its schema. Throws `EVIDENCE_COLLATERAL_INVALID` or a code of the JSON parser. */
export function readDocument<T>(schema: z.ZodType<T>, bytes: Uint8Array, what: string): T {
  const result = schema.safeParse(parseJson(untrusted(bytes), DOCUMENT_LIMITS));
  if (result.success) return result.data;
  throw new CmcpError("EVIDENCE_COLLATERAL_INVALID", `${what}: ${schemaProblem(result.error).text}`);
}
