/** `measurements.json`: what an image may measure as, written by its build and pinned by verifiers. SPEC.md says what it means. */
import { CmcpError, parseJson, type JsonLimits, type Untrusted, schemaProblem } from "@cmcp/boundary";
import * as z from "zod";

/** The format's name and version, the value of `format`. */
export const MEASUREMENTS_FORMAT = "cmcp-measurements-v1";
/** Limits of the file; a build writes some 10 KB. */
const LIMITS: JsonLimits = { maxBytes: 1024 * 1024, maxDepth: 8, maxItems: 100_000 };
const MAX_ENTRIES = 1024;
const MAX_VALUES = 32;
const MAX_FILES = 64;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const sha384 = z.string().regex(/^[0-9a-f]{96}$/);
const name = z.string().min(1).max(200);
const values = <T extends z.ZodType>(value: T) => z.array(value).min(1).max(MAX_VALUES);
const pcr = values(z.union([sha256, sha384]));
const boot = z.enum(["kernel", "uki"]);
const launched = { command_line: z.string().max(2047).nullable(), files: z.array(name).min(1).max(MAX_FILES) };

const HEX_DIGITS = { sha256: 64, sha384: 96 } as const;

const sevSnpEntry = z.strictObject({
  platform: z.literal("sev-snp"),
  shape: z.strictObject({
    vmm: z.enum(["QEMU", "ec2", "gce"]),
    vcpus: z.int().min(1).max(4096),
    vcpu_type: name,
    vcpu_sig: z.string().regex(/^0x[0-9a-f]{1,8}$/),
    guest_features: z.string().regex(/^0x[0-9a-f]{1,16}$/),
  }),
  ...launched,
  registers: z.strictObject({ measurement: values(sha384) }),
});
const tdxEntry = z.strictObject({
  platform: z.literal("tdx"),
  shape: z.strictObject({ boot }),
  ...launched,
  registers: z.strictObject({ mrtd: values(sha384), rtmr1: values(sha384), rtmr2: values(sha384) }),
});
const tpmEntry = z
  .strictObject({
    platform: z.literal("tpm"),
    shape: z.strictObject({ boot, bank: z.enum(["sha256", "sha384"]) }),
    ...launched,
    registers: z.strictObject({ pcr4: pcr, pcr9: pcr, pcr11: pcr, pcr12: pcr }),
  })
  .refine(
    ({ shape, registers }) =>
      Object.values(registers)
        .flat()
        .every((value) => value.length === HEX_DIGITS[shape.bank]),
    "a value is not of its bank",
  );

/** Schema of the file. */
export const measurementsSchema = z.strictObject({
  format: z.literal(MEASUREMENTS_FORMAT),
  image: z.strictObject({
    name,
    version: name,
    files: z
      .array(
        z.strictObject({ name, role: z.enum(["firmware", "kernel", "initrd", "uki"]), sha256, bytes: z.int().min(0) }),
      )
      .max(MAX_FILES),
  }),
  accepted: z.array(z.discriminatedUnion("platform", [sevSnpEntry, tdxEntry, tpmEntry])).max(MAX_ENTRIES),
});

/** A parsed file. */
export type Measurements = z.infer<typeof measurementsSchema>;
/** One way in which the image may be launched, with every value its registers may then have. */
export type AcceptedLaunch = Measurements["accepted"][number];
export type MeasuredPlatform = AcceptedLaunch["platform"];

/** Holds a value to the schema. @throws CmcpError `MEASURE_INPUT_INVALID` */
export function checkMeasurements(value: unknown): Measurements {
  const parsed = measurementsSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CmcpError("MEASURE_INPUT_INVALID", `measurements: ${schemaProblem(parsed.error).text}`);
}

/** Reads `measurements.json`. @throws CmcpError `MEASURE_INPUT_INVALID` */
export function parseMeasurements(input: Untrusted<Uint8Array>): Measurements {
  try {
    return checkMeasurements(parseJson(input, LIMITS));
  } catch (thrown) {
    if (thrown instanceof CmcpError && thrown.code === "MEASURE_INPUT_INVALID") throw thrown;
    throw new CmcpError(
      "MEASURE_INPUT_INVALID",
      `measurements: ${thrown instanceof CmcpError ? thrown.message : "not JSON"}`,
      { cause: thrown },
    );
  }
}

/**
 * The launch that registers read from verified evidence come from: the first of which every register named has one of its
 * values. Registers that an entry does not name are not looked at.
 * @param values lowercase hex by the entry's register names; those of one bank when the platform is `tpm`
 * @returns `null` when there is none: something else was started, or started in another shape
 */
export function acceptedLaunch(
  measurements: Measurements,
  platform: MeasuredPlatform,
  values: Readonly<Record<string, string>>,
): AcceptedLaunch | null {
  const holds = (entry: AcceptedLaunch): boolean =>
    Object.entries<readonly string[]>(entry.registers).every(([register, accepted]) =>
      accepted.includes(values[register] ?? ""),
    );
  return measurements.accepted.find((entry) => entry.platform === platform && holds(entry)) ?? null;
}
