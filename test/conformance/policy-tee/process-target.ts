import { dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { createLog, findIsolation, makeRuntimeDirectory, startEnclaveProcess } from "@cmcp/host-proxy";
import { unixDialer } from "@cmcp/wire";
import { NO_SWTPM, Swtpm } from "../../../attestation/src/tpm/transport/testing/swtpm.ts";
import { playedEnclave } from "./played-processor.ts";
import type { Owner, Target } from "./target.ts";

/** The enclave as it is shipped. */
const ENTRY = fileURLToPath(new URL("../../../packages/cli/dist/enclave/enclave.cjs", import.meta.url));

/** What this machine lacks for an enclave that is isolated outside development, on a software TPM; `null` when nothing. */
export async function lacking(): Promise<string | null> {
  if ((await findIsolation(true)).isolation === "none") return "this machine does not allow user namespaces";
  const tpm = await Swtpm.start();
  await tpm?.stop();
  return tpm === null ? NO_SWTPM : null;
}

/** A software TPM that ends with its owner. */
export async function softwareTpm(owner: Pick<Owner, "after">): Promise<Swtpm> {
  const tpm = await Swtpm.start();
  if (tpm === null) throw new Error(NO_SWTPM);
  owner.after(() => tpm.stop());
  return tpm;
}

/** The enclave as a process of this machine, without a network, on a software TPM that has measured nothing. */
export const processTarget: Target = {
  name: "process",
  measurements: null,
  async open(owner, played) {
    const why = await lacking();
    if (why !== null) {
      owner.skip(why);
      return null;
    }
    const tpm = played === undefined ? await softwareTpm(owner) : null;
    let starts = 0;
    const directory = await makeRuntimeDirectory();
    owner.after(() => directory.remove());
    const means = await findIsolation(false);
    const entry = played === undefined ? ENTRY : await playedEnclave(owner, dirname(ENTRY), played);
    const dialer = unixDialer(directory.enclaveSocket);
    return {
      dialer,
      services: directory.servicesSocket,
      start: async () => {
        // A launch stays in PCR 15 until the TPM starts again, as it does with a machine.
        if (starts > 0) await tpm?.cutPower();
        starts += 1;
        return await startEnclaveProcess({
          nodePath: process.execPath,
          enclave: { entry, readable: [dirname(entry)], extraFlags: [], extraArguments: [] },
          means,
          directory,
          dialer,
          log: createLog({ level: "silent" }),
          ...(tpm === null ? {} : { tpmSocket: tpm.socket }),
        });
      },
    };
  },
};
