import { toHex } from "@cmcp/boundary";
import { BANKS } from "../event-log/hash-algorithm.ts";
import type { QuoteFindings } from "../tpm/appraise-quote.ts";
import { recordAcpiCheck, type MeasuredLaunch } from "./acpi.ts";
import type { CheckRecorder } from "../checks/check.ts";
import type { VerifiedEvidence } from "./verdict.ts";

/** Registers of one platform as an image's measurements name them: lowercase hex by name. */
export interface MeasuredRegisters {
  readonly platform: "sev-snp" | "tdx" | "tpm";
  readonly values: Readonly<Record<string, string>>;
  /** What went into a register, for those of which a replayed log shows it. */
  readonly logged: Readonly<Record<string, readonly string[]>>;
}

/** An accepted image, as it was launched. */
export interface AcceptedImage extends MeasuredLaunch {
  /** For readers. */
  readonly name: string;
}

/** A part of what was started that is not an accepted image's. */
export interface OtherPart {
  /** As `command line`. */
  readonly part: string;
  readonly why: string;
}

/** What the registers are of, or what of the machine is of no accepted image, as far as the registers tell the parts apart. */
export type ImageMatcher = (
  registers: MeasuredRegisters,
) => AcceptedImage | { readonly otherParts: readonly OtherPart[] };

/** Registers of a TPM that the start of an image measures into. */
const TPM_REGISTERS: readonly number[] = [4, 9, 11, 12];

function tpmRegisters({ registers, logged }: QuoteFindings): MeasuredRegisters {
  const proven = registers?.get(BANKS.sha256.id) ?? registers?.get(BANKS.sha384.id);
  const named = <T>(of: (index: number) => T): Record<string, T> =>
    Object.fromEntries(TPM_REGISTERS.map((index) => [`pcr${index}`, of(index)]));
  return {
    platform: "tpm",
    values: named((index) => toHex(proven?.get(index) ?? new Uint8Array())),
    logged: logged === null ? {} : named((index) => (logged.get(index) ?? []).map(toHex)),
  };
}

/**
 * The registers that say what was started, read from verified bytes only. On Azure the virtual TPM's: the processor
 * measures the paravisor.
 */
function registersOf(verified: VerifiedEvidence): MeasuredRegisters {
  switch (verified.platform) {
    case "sev-snp":
      return { platform: "sev-snp", values: { measurement: toHex(verified.measurement) }, logged: {} };
    case "intel-tdx":
      return {
        platform: "tdx",
        values: {
          mrtd: toHex(verified.mrTd),
          rtmr1: toHex(verified.rtmrs[1] ?? new Uint8Array()),
          rtmr2: toHex(verified.rtmrs[2] ?? new Uint8Array()),
        },
        logged: {},
      };
    case "tpm2":
    case "azure-cvm":
      return tpmRegisters(verified);
  }
}

/**
 * Records the check `image`: the machine started an accepted image. On SEV-SNP also what that image leaves to the host's ACPI
 * tables; where another image was started, which of its parts are others, each as a check of its own.
 */
export function checkImage(recorder: CheckRecorder, verified: VerifiedEvidence, image: ImageMatcher): boolean {
  const registers = registersOf(verified);
  const found = image(registers);
  const values = Object.entries(registers.values)
    .map(([name, value]) => `${name} ${value || "not given"}`)
    .join(", ");
  if ("otherParts" in found) {
    recorder.fail("image", "EVIDENCE_MEASUREMENT_MISMATCH", `the registers are of no accepted image: ${values}`);
    for (const { part, why } of found.otherParts) recorder.fail(`image: ${part}`, "EVIDENCE_MEASUREMENT_MISMATCH", why);
    return false;
  }
  recorder.require("image", true, "EVIDENCE_MEASUREMENT_MISMATCH", { passed: found.name, failed: "" });
  if (registers.platform === "sev-snp") recordAcpiCheck(recorder, found);
  return true;
}

/**
 * The registers that say what a machine started, lowercase hex by name: those an image's measurements name and, on
 * Azure, the paravisor's own.
 */
export function startRegisters(verified: VerifiedEvidence): Readonly<Record<string, string>> {
  const { values } = registersOf(verified);
  if (verified.platform !== "azure-cvm") return values;
  const { paravisor } = verified;
  return {
    ...values,
    paravisor: toHex(paravisor.kind === "sev-snp" ? paravisor.report.measurement : paravisor.quote.mrTd),
  };
}
