import { CmcpError } from "@cmcp/boundary";
import { thisMachine } from "../machine/machine.ts";
import { readBounded } from "../machine/read-bounded.ts";
import { DERIVED_KEY_BYTES, type DerivedKey } from "../sealing/snp-secret.ts";

/** Where the image's init leaves what its native helper was told before the runtime started (sealing/SPEC.md). */
export const LOCAL_FILES = "/run/cmcp";

const TD_REPORT_BYTES = 1024;

/** The TDREPORT of this guest; whoever uses it checks its length. @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE` */
export async function readLocalTdReport(folder: string = LOCAL_FILES): Promise<Uint8Array> {
  return await read(`${folder}/local-report`, TD_REPORT_BYTES);
}

/** The key the firmware derived for this guest; `null` where the init left none. Reading it throws `ATTESTATION_REPORT_UNAVAILABLE`. */
export function localDerivedKey(folder: string = LOCAL_FILES): DerivedKey | null {
  const path = `${folder}/derived-key`;
  return thisMachine.exists(path) ? async () => await read(path, DERIVED_KEY_BYTES) : null;
}

async function read(path: string, bytes: number): Promise<Uint8Array> {
  return await readBounded(path, bytes).catch((thrown: unknown) => {
    throw new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", `${path} cannot be read`, { cause: thrown });
  });
}
