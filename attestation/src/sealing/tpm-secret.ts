import { randomBytes } from "node:crypto";
import { ByteReader, CmcpError } from "@cmcp/boundary";
import { ALGORITHM, HANDLE, RESPONSE } from "../tpm/commands/codes.ts";
import { create, createPrimary, load, unseal, withObject, type WrappedObject } from "../tpm/commands/objects.ts";
import { readPcrs, type PcrSelection } from "../tpm/commands/pcr.ts";
import { pcrDigest, pcrPolicyDigest, policyPcr, startPolicySession } from "../tpm/commands/policy.ts";
import { sealedDataTemplate, storageKeyTemplate } from "../tpm/commands/templates.ts";
import { TpmResponseError, type Tpm } from "../tpm/commands/tpm.ts";
import { withTpm, type TpmSource } from "../tpm/collect.ts";
import { QUOTED_REGISTERS } from "@cmcp/appraise/evidence";
import { CommandWriter } from "../tpm/commands/writer.ts";
import type { PlatformSecret } from "./platform-secret.ts";

const SECRET_BYTES = 32;
/** The registers that must be as they were: what was measured before the gateway ran, the launch with them. */
const SELECTION: PcrSelection = { bank: ALGORITHM.sha256, registers: QUOTED_REGISTERS };
/** What a TPM says of a blob that is not its own, or whose registers differ now. */
const NOT_HERE: ReadonlySet<number> = new Set([
  RESPONSE.policyFail,
  RESPONSE.integrity,
  RESPONSE.size,
  RESPONSE.value,
  RESPONSE.binding,
  RESPONSE.attributes,
  RESPONSE.type,
  RESPONSE.insufficient,
  RESPONSE.hash,
  RESPONSE.scheme,
]);

/**
 * A random secret that a TPM keeps under a policy of register values (TPM2_PolicyPCR): it opens while all of them are
 * as they were and has no password beside that. Whoever owns the TPM owns the secret.
 */
export function tpmSecret(source: Pick<TpmSource, "open">): PlatformSecret {
  return {
    kind: "tpm-policy-pcr",
    make: async () =>
      await withTpm(source, async (tpm) => {
        const secret = new Uint8Array(randomBytes(SECRET_BYTES));
        const policy = pcrPolicyDigest(SELECTION, pcrDigest(await readPcrs(tpm, SELECTION)));
        const wrapped = await withStorageKey(
          tpm,
          async (parent) => await create(tpm, parent, sealedDataTemplate(policy), secret),
        );
        return { secret, recipe: new CommandWriter().sized(wrapped.privateArea).sized(wrapped.publicArea).done() };
      }),
    again: async (recipe) => {
      const wrapped = readRecipe(recipe);
      if (wrapped === null) return null;
      try {
        return await withTpm(
          source,
          async (tpm) => await withStorageKey(tpm, async (parent) => await open(tpm, parent, wrapped)),
        );
      } catch (thrown) {
        if (thrown instanceof TpmResponseError && NOT_HERE.has(thrown.responseCode)) return null;
        throw thrown;
      }
    },
  };
}

async function withStorageKey<T>(tpm: Tpm, work: (parent: number) => Promise<T>): Promise<T> {
  return await withObject(tpm, async () => (await createPrimary(tpm, HANDLE.owner, storageKeyTemplate())).handle, work);
}

async function open(tpm: Tpm, parent: number, wrapped: WrappedObject): Promise<Uint8Array> {
  return await withObject(
    tpm,
    async () => await load(tpm, parent, wrapped),
    async (object) =>
      await withObject(
        tpm,
        async () => await startPolicySession(tpm),
        async (session) => {
          await policyPcr(tpm, session, SELECTION);
          const secret = await unseal(tpm, object, session);
          if (secret.length !== SECRET_BYTES)
            throw new CmcpError("ATTESTATION_REPORT_UNAVAILABLE", "the TPM opened a secret of another length");
          return secret;
        },
      ),
  );
}

function readRecipe(recipe: Uint8Array): WrappedObject | null {
  const reader = new ByteReader(recipe, "sealed secret", "big");
  try {
    const privateArea = reader.take(reader.u16());
    const publicArea = reader.take(reader.u16());
    reader.end();
    return { privateArea, publicArea };
  } catch {
    // The host kept something else under this name.
    return null;
  }
}
