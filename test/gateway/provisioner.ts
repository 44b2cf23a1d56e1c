/** Whoever gives an enclave its secrets, without verifying it: what a hostile host would like to do, too. */
import { createHash, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { fromBase64Url, parseJsonText, receivedError, toBase64Url, untrusted, type JsonObject } from "@cmcp/boundary";
import {
  sealStatement,
  type Provision,
  type ProvisionHeader,
  type ProvisioningKey,
  type StatementMessage,
} from "@cmcp/provision";
import { chooseKey, parseKeyConfigs, type GatewayKey } from "@cmcp/seal";

/** A provisioning key with its private part. */
export interface Provisioner extends ProvisioningKey {
  readonly privateKey: KeyObject;
}

export function newProvisioner(): Provisioner {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const { x = "" } = publicKey.export({ format: "jwk" });
  return { privateKey, publicKey: x, sign: (message) => sign(null, message, privateKey) };
}

/** What a statement to an instance names, as its report has it. */
export interface ShownInstance {
  readonly recipient: GatewayKey;
  readonly header: Pick<ProvisionHeader, "launch_digest" | "instance">;
  /** The instance's signing key, base64url. */
  readonly signing: string;
}

/** Reads the answer to `GET /attestation`, which is not verified. */
export function shownInstance(report: string): ShownInstance {
  const { binding, seal } = JSON.parse(report) as {
    readonly binding: { readonly launch_digest: string; readonly keys: { readonly signing: string } };
    readonly seal: { readonly key_configs: string };
  };
  const { signing } = binding.keys;
  const thumbprint = createHash("sha256").update(`{"crv":"Ed25519","kty":"OKP","x":"${signing}"}`).digest();
  return {
    recipient: chooseKey(parseKeyConfigs(untrusted(fromBase64Url(seal.key_configs) ?? new Uint8Array()))),
    header: { launch_digest: binding.launch_digest, instance: toBase64Url(thumbprint) },
    signing,
  };
}

/** SHA-256 of a token in hex. */
export const hashOfToken = (token: string): string => createHash("sha256").update(token).digest("hex");

/** A message of tokens, each `[principal, token]`. */
export const tokensOf = (...given: readonly (readonly [string, string])[]): Provision => ({
  v: 1,
  tokens: given.map(([principal, token]) => ({ principal, sha256: hashOfToken(token) })),
});

/** A statement that is valid now. */
export function statementFor(
  { recipient, header }: ShownInstance,
  signer: ProvisioningKey,
  message: StatementMessage,
  changes: Partial<ProvisionHeader> & Pick<ProvisionHeader, "sequence">,
): Uint8Array<ArrayBuffer> {
  const now = Math.floor(Date.now() / 1000);
  return sealStatement(
    message,
    { ...header, not_before: now - 60, expires: now + 600, ...changes },
    { recipient, signer },
  );
}

/**
 * Gives the gateway at an address tokens, each `[principal, token]`, without verifying its enclave.
 * @throws CmcpError the enclave's refusal
 */
export async function giveTokens(
  url: string,
  signer: ProvisioningKey,
  ...given: readonly (readonly [string, string])[]
): Promise<void> {
  const answered = async (path: string, init: RequestInit = {}): Promise<string> => {
    const answer = await fetch(`${url}${path}`, init);
    const text = await answer.text();
    if (!answer.ok) throw receivedError(parseJsonText(text) as JsonObject) ?? new Error(`${answer.status} ${text}`);
    return text;
  };
  const shown = shownInstance(await answered("/attestation"));
  const body = statementFor(shown, signer, tokensOf(...given), { sequence: Date.now() });
  await answered("/statements", { method: "POST", body });
}
