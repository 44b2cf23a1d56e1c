import * as z from "zod";
import { auditorKey } from "./fields.ts";

/** The log of a gateway that names none. */
export const DEFAULT_ORIGIN = "cmcp.localhost/0";
/** Most launch documents that one document names as its predecessors. */
const MAX_PREDECESSORS = 256;
/** Most certificates beside evidence. */
const MAX_CERTIFICATES = 16;
/** Longest certificate, in characters of PEM. */
const MAX_PEM = 16_384;

/** Registers that name what a machine started. */
const START_REGISTERS = [
  "measurement",
  "mrtd",
  "rtmr1",
  "rtmr2",
  "pcr4",
  "pcr9",
  "pcr11",
  "pcr12",
  "paravisor",
] as const;

const predecessorSchema = z.strictObject({
  launch_digest: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/)
    .describe("SHA-256 of the launch document."),
  launch_digest_sha384: z
    .string()
    .regex(/^sha384:[0-9a-f]{96}$/)
    .optional()
    .describe("SHA-384 of the same document, which TDX carries. Needed on TDX only."),
  registers: z
    .partialRecord(z.enum(START_REGISTERS), z.string().regex(/^(?:[0-9a-f]{64}|[0-9a-f]{96})$/))
    .optional()
    .describe(
      "What the platform measured of its image, lowercase hex by register, as `cmcp measure` prints it: " +
        "`measurement` (sev-snp); `mrtd`, `rtmr1` and `rtmr2` (tdx); `pcr4`, `pcr9`, `pcr11` and `pcr12` (tpm), " +
        "with `paravisor` (azure-cvm). Absent: the image of this instance.",
    ),
});
/** Longest witness policy, in characters: as `packages/log` reads it. */
const MAX_WITNESSES = 64 * 1024;
/** Most witnesses of two policies: as `packages/log` reads each. */
const MAX_WITNESS_URLS = 64;
const MAX_URL = 2048;
/** Most auditors: as `packages/audit` seals to. */
const MAX_AUDITORS = 8;
/** Longest term for auditors, in days: a hundred years. */
const MAX_TERM_DAYS = 36_500;

/** The log that the record is written to. */
export const logSchema = z.strictObject({
  origin: z
    .string()
    .max(200)
    .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]*\/(?:0|[1-9][0-9]{0,8})$/, {
      error: "must be a name, a slash and an epoch, such as gateway.example/0",
    })
    .default(DEFAULT_ORIGIN)
    .describe(
      "Name of the log, and its epoch. One gateway at a time writes a log. The name never changes; the epoch " +
        "changes only when the store is lost, and `log.lost_store` says so.",
    ),
  predecessors: z
    .array(predecessorSchema)
    .max(MAX_PREDECESSORS)
    .default([])
    .describe(
      "Launch documents whose gateways are believed beside this one, by their digest: those that wrote the log " +
        "before. Without the last one, every principal starts at the highest label.",
    ),
  lost_store: z
    .record(z.string().max(64), z.json())
    .optional()
    .describe(
      "The operator's signed statement that the store of the epoch before is lost, as `cmcp log lost` prints it. " +
        "Every epoch after 0 needs it, for as long as it lasts. Each principal begins such an epoch at the " +
        "highest label.",
    ),
  appraisal: z
    .record(z.string().max(64), z.json())
    .default({})
    .describe(
      "Appraisal policy for the evidence of earlier instances, of the form that `cmcp verify " +
        "--appraisal-policy` takes. Empty: the strict one with the vendors' roots. Image, launch document and " +
        "report data are held to in any case; no TCB status and no revocation is asked for.",
    ),
  certificates: z
    .array(z.string().max(MAX_PEM))
    .max(MAX_CERTIFICATES)
    .default([])
    .describe(
      "PEM certificates of the machine's endorsement key, for a host that hands out none with a report. The " +
        "evidence of earlier instances is appraised with them.",
    ),
  witnesses: z
    .string()
    .min(1)
    .max(MAX_WITNESSES)
    .optional()
    .describe(
      "Witnesses and their quorum, as a C2SP witness policy without `log` lines and without URLs. Every two " +
        "quorums must have a witness in common. With it nothing is served until a quorum has cosigned the log, " +
        "and no call leaves before a quorum has cosigned its intent.",
    ),
  auditors: z
    .array(auditorKey)
    .min(1)
    .max(MAX_AUDITORS)
    .refine((keys) => new Set(keys).size === keys.length, { error: "duplicate key" })
    .optional()
    .describe(
      "Public keys of auditors, base64url: X-Wing of 1216 bytes, or X25519 of 32. What each call sends and gets, and what Cedar is " +
        "asked, is kept in the log, encrypted so that they alone can read it. Without it nobody can open the " +
        "record's commitments.",
    ),
  auditors_term_days: z
    .int()
    .min(0)
    .max(MAX_TERM_DAYS)
    .optional()
    .describe(
      "Days for which bodies of the log stay in the store after their session has ended, so that auditors can read " +
        "them. Then they move to `audit_archive_path`, if it is set. Without this key they stay.",
    ),
  witness_wait_ms: z
    .int()
    .min(100)
    .max(30_000)
    .default(5_000)
    .describe(
      "Milliseconds that a start or a call waits for a quorum of witnesses. It is used only with `log.witnesses`.",
    ),
});

/** {@link logSchema} as it is measured: the wait is absent where no witness is waited for. */
export const measuredLogSchema = logSchema.extend({
  witness_wait_ms: logSchema.shape.witness_wait_ms.unwrap().optional(),
});

/** The measured part of the settings. */
export function measuredLog({
  witness_wait_ms,
  ...log
}: z.output<typeof logSchema>): z.output<typeof measuredLogSchema> {
  return log.witnesses === undefined ? log : { ...log, witness_wait_ms };
}

/** Where the host reaches witnesses, by their names in the policy. */
export const witnessUrlsSchema = z
  .record(
    z.string().min(1).max(255),
    z.string().max(MAX_URL).refine(isWitnessUrl, { error: "must be an http or https URL" }),
  )
  .refine((urls) => Object.keys(urls).length <= MAX_WITNESS_URLS, { error: `at most ${MAX_WITNESS_URLS} witnesses` });

function isWitnessUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && ["http:", "https:"].includes(url.protocol) && url.search === "" && url.hash === "";
}
