import { CmcpError } from "@cmcp/boundary";
import { readBounded } from "./read-bounded.ts";
import { DERIVED_KEY_BYTES } from "./sealing/snp-secret.ts";

/** Where the image's init leaves what its native helper was told before the runtime started (sealing/SPEC.md). */
export const LOCAL_FILES = "/run/cmcp";

const TD_REPORT_BYTES = 1024;

/** A TDREPORT of this guest. @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE` */
export async function readLocalTdReport(folder: string = LOCAL_FILES): Promise<Uint8Array> {
  return await readExactly(`${folder}/local-report`, TD_REPORT_BYTES);
}

/** The key the firmware derived for this guest. @throws CmcpError `ATTESTATION_REPORT_UNAVAILABLE` */
export async function readDerivedKey(folder: string = LOCAL_FILES): Promise<Uint8Array> {
  return await readExactly(`${folder}/derived-key`, DERIVED_KEY_BYTES);
}

async function readExactly(path: string, length: number): Promise<Uint8Array> {
  const content = await readBounded(path, length).catch((thrown: unknown) => {
    throw new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", `${path} cannot be read`, { cause: thrown });
  });
  if (content.length !== length) throw new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", `${path} is not ${length} bytes`);
  return content;
}
