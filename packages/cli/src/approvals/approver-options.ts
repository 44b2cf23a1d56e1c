import { nodeCrypto } from "@cmcp/attestation/node-crypto";
import { approvals, type Approvals } from "@cmcp/client";
import { required } from "../arguments.ts";
import { readOperatorKey } from "../key/key-file.ts";
import { gatewayUrl } from "../session/gateway-client.ts";
import { pinsOf, RUNNING_PIN_HELP, RUNNING_PIN_OPTIONS } from "../verify/pin-options.ts";

/** Options of every command of an approver. */
export const APPROVER_OPTIONS = {
  ...RUNNING_PIN_OPTIONS,
  url: { type: "string" },
  key: { type: "string" },
  approver: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** Those in a command's help. */
export const APPROVER_HELP = `\
  --url URL                the gateway
  --approver NAME          your name in enclave.approvers
  --key FILE               your Ed25519 private key (cmcp key new)
${RUNNING_PIN_HELP}`;

type Values = Parameters<typeof pinsOf>[0] & {
  readonly url?: string | undefined;
  readonly key?: string | undefined;
  readonly approver?: string | undefined;
};

/** Verifies the enclave and gets access to what waits. Nothing is sent to one that is not accepted. */
export async function approverAt(values: Values): Promise<Approvals> {
  const gateway = gatewayUrl(required(values.url, "--url"));
  const id = required(values.approver, "--approver");
  const key = await readOperatorKey(required(values.key, "--key"));
  const approver = { id, sign: (message: Uint8Array) => key.sign(message) };
  return await approvals(gateway, await pinsOf(values), { approver, crypto: nodeCrypto });
}
