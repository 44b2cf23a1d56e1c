import { toHex } from "@cmcp/boundary";
import { BANKS } from "../event-log/hash-algorithm.ts";
import type { ProvenRegisters } from "../tpm/registers.ts";
import { noteAcpi, type MeasuredLaunch } from "./acpi.ts";
import type { CheckRecorder } from "./check.ts";
import type { VerifiedEvidence } from "./verify-evidence.ts";

/** Registers of one platform as an image's measurements name them: lowercase hex by name. */
export interface MeasuredRegisters {
  readonly platform: "sev-snp" | "tdx" | "tpm";
  readonly values: Readonly<Record<string, string>>;
}

/** An accepted image, as it was launched. */
export interface AcceptedImage extends MeasuredLaunch {
  /** For readers. */
  readonly name: string;
}

/** What the registers are of; `null` when they are of no accepted image. */
export type ImageMatcher = (registers: MeasuredRegisters) => AcceptedImage | null;

/** Registers of a TPM that the start of an image measures into. */
const TPM_REGISTERS: readonly number[] = [4, 9, 11, 12];

function tpmRegisters(registers: ProvenRegisters | null): MeasuredRegisters {
  const proven = registers?.get(BANKS.sha256.id) ?? registers?.get(BANKS.sha384.id);
  return { platform: "tpm", values: Object.fromEntries(TPM_REGISTERS.map((index) => [`pcr${index}`, toHex(proven?.get(index) ?? new Uint8Array())])) };
}

/** The registers that say what was started, read from verified bytes only. On Azure the virtual TPM's: the processor measures the paravisor. */
function registersOf(verified: VerifiedEvidence): MeasuredRegisters {
  switch (verified.platform) {
    case "sev-snp":
      return { platform: "sev-snp", values: { measurement: toHex(verified.measurement) } };
    case "intel-tdx":
      return { platform: "tdx", values: { mrtd: toHex(verified.mrTd), rtmr1: toHex(verified.rtmrs[1] ?? new Uint8Array()), rtmr2: toHex(verified.rtmrs[2] ?? new Uint8Array()) } };
    case "tpm2":
    case "azure-cvm":
      return tpmRegisters(verified.registers);
  }
}

/** Records the check `image`: the machine started an accepted image. On SEV-SNP also what that image leaves to the host's ACPI tables. */
export function checkImage(recorder: CheckRecorder, verified: VerifiedEvidence, image: ImageMatcher): boolean {
  const registers = registersOf(verified);
  const found = image(registers);
  const accepted = recorder.require("image", found !== null, "EVIDENCE_MEASUREMENT_MISMATCH", found?.name ?? "", `the registers are of no accepted image: ${Object.entries(registers.values).map(([name, value]) => `${name} ${value || "not given"}`).join(", ")}`);
  if (found !== null && registers.platform === "sev-snp") noteAcpi(recorder, found);
  return accepted;
}
