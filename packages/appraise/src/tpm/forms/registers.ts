import { CmcpError, fromHex } from "@cmcp/boundary";
import * as z from "zod";
import { BANKS, type Bank } from "../../event-log/hash-algorithm.ts";
import type { RegisterValues } from "../evidence.ts";

const NAMES: readonly Bank[] = ["sha256", "sha384", "sha512"];

/** Register values in JSON, by the name of their bank and PCR index, in hex. */
export const bankRegisters = z.partialRecord(
  z.enum(["sha256", "sha384", "sha512"]),
  z.record(z.string().regex(/^(?:[0-9]|1[0-9]|2[0-3])$/), z.string().max(128)),
);

/** Values by TPM_ALG_ID of their bank. Throws `EVIDENCE_MALFORMED` for one that is not as long as its bank's digests. */
export function registersFromJson(banks: z.infer<typeof bankRegisters> = {}): ReadonlyMap<number, RegisterValues> {
  return new Map(
    NAMES.flatMap((bank) => {
      const { id, size } = BANKS[bank];
      const values = banks[bank];
      return values === undefined
        ? []
        : [
            [
              id,
              new Map(
                Object.entries(values).map(([index, text]) => [Number(index), registerValue(fromHex(text), size)]),
              ),
            ] as const,
          ];
    }),
  );
}

/** The SHA-256 registers from 0 on, one after another. */
export function sha256Registers(values: readonly (Uint8Array | undefined)[]): ReadonlyMap<number, RegisterValues> {
  const { id, size } = BANKS.sha256;
  return new Map([[id, new Map(values.map((value, register) => [register, registerValue(value, size)]))]]);
}

function registerValue(value: Uint8Array | undefined, size: number): Uint8Array {
  if (value?.length !== size) throw new CmcpError("EVIDENCE_MALFORMED", `a register value is not ${size} bytes in hex`);
  return value;
}
