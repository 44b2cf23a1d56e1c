import { invalid } from "../bytes/input.ts";

/** CPUID Fn0000_0001_EAX of a family, model and stepping (AMD CPUID specification 25481). */
export function cpuSignature(family: number, model: number, stepping: number): number {
  const fits = (value: number, end: number): boolean => Number.isInteger(value) && value >= 0 && value <= end;
  if (!fits(family, 0xff + 0xf) || !fits(model, 0xff) || !fits(stepping, 0xf))
    throw invalid("vCPU", "family, model or stepping is out of range");
  const [base, extended] = family > 0xf ? [0xf, family - 0xf] : [family, 0];
  return ((extended << 20) | ((model >> 4) << 16) | (base << 8) | ((model & 0xf) << 4) | stepping) >>> 0;
}

const NAPLES = cpuSignature(23, 1, 2);
const ROME = cpuSignature(23, 49, 0);
const MILAN = cpuSignature(25, 1, 1);
const GENOA = cpuSignature(25, 17, 0);
const TURIN = cpuSignature(26, 0, 0);

/** Signatures of QEMU's EPYC models. A model's versions differ in features, never in the signature. */
const CPU_TYPES: ReadonlyMap<string, number> = new Map([
  ...["EPYC", "EPYC-v1", "EPYC-v2", "EPYC-IBPB", "EPYC-v3", "EPYC-v4", "EPYC-v5"].map(
    (name) => [name, NAPLES] as const,
  ),
  ...["EPYC-Rome", "EPYC-Rome-v1", "EPYC-Rome-v2", "EPYC-Rome-v3", "EPYC-Rome-v4", "EPYC-Rome-v5"].map(
    (name) => [name, ROME] as const,
  ),
  ...["EPYC-Milan", "EPYC-Milan-v1", "EPYC-Milan-v2", "EPYC-Milan-v3"].map((name) => [name, MILAN] as const),
  ...["EPYC-Genoa", "EPYC-Genoa-v1", "EPYC-Genoa-v2"].map((name) => [name, GENOA] as const),
  ...["EPYC-Turin", "EPYC-Turin-v1"].map((name) => [name, TURIN] as const),
]);

/** The names `--vcpu-type` takes. */
export const CPU_TYPE_NAMES: readonly string[] = [...CPU_TYPES.keys()];

/** Signature of a QEMU CPU model. @throws CmcpError `MEASURE_INPUT_INVALID` for a name that is not known */
export function cpuTypeSignature(name: string): number {
  const signature = CPU_TYPES.get(name);
  if (signature === undefined) throw invalid("vCPU type", `not known; one of ${CPU_TYPE_NAMES.join(", ")}`);
  return signature;
}
