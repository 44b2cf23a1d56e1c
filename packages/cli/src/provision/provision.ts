import { nodeCrypto } from "@cmcp/attestation/node-crypto";
import { CmcpError } from "@cmcp/boundary";
import { provision as provisionEnclave, type Provisioned, type Secrets } from "@cmcp/client";
import { readCredentialsFile, readStorageKeyFile, readTokenFile } from "@cmcp/launch/files";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command, type Terminal } from "../command.ts";
import { readOperatorKey } from "../key/key-file.ts";
import { gatewayUrl } from "../session/gateway-client.ts";
import { pinsOf, RUNNING_PIN_HELP, RUNNING_PIN_OPTIONS } from "../verify/pin-options.ts";

const OPTIONS = {
  ...RUNNING_PIN_OPTIONS,
  url: { type: "string" },
  key: { type: "string" },
  tokens: { type: "string" },
  credentials: { type: "string" },
  "storage-key": { type: "string" },
  stored: { type: "boolean", default: false },
  "provision-hash": { type: "string" },
  sequence: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp provision` */
export const provision: Command = {
  help: `Usage: cmcp provision --url URL --key FILE --tokens FILE [--credentials FILE] [--storage-key FILE] [options]
       cmcp provision --url URL --key FILE --stored --storage-key FILE --provision-hash HASH [options]

Gives a gateway's enclave the hashes of bearer tokens and the credentials of tool servers. The enclave is verified first, and
nothing is sent to one that is not accepted. What is sent is sealed to that enclave, so the gateway's host reads none of it, and
signed. The enclave's receipt is verified. The files hold the whole new set: what they do not name is gone.

  --url URL                the gateway
  --key FILE               a provisioning key's Ed25519 private key (cmcp key new); its public key is in
                           enclave.provisioning_keys
  --tokens FILE            lines of a principal and its token's hash (cmcp token new); an empty file for none
  --credentials FILE       lines of a credential's name and its value
  --storage-key FILE       the log has the set as ciphertext under this key (cmcp key new --storage)
  --stored                 send the storage key alone: the newest set that the log has comes into force, after a restart
  --provision-hash HASH    with --stored: the provisioning that gave the set, as its receipt names it (provision_hash).
                           The enclave refuses another set, which an older copy of the log has
  --sequence N             higher than in any statement before; milliseconds since 1970 by default
${RUNNING_PIN_HELP}
  --json                   the enclave's receipt and keys as JSON, in one line

Exit codes: 0 in force, 10 the enclave is not accepted, or refused the statement, or did not confirm it, 64 usage.
Example:    cmcp provision --url https://gateway.example --key provisioning.pem --tokens tokens \\
              --launch-document launch.json --measurements measurements.json
`,
  async run(args, terminal) {
    const { values } = readArguments(args, OPTIONS);
    const gateway = gatewayUrl(required(values.url, "--url"));
    const signer = await readOperatorKey(required(values.key, "--key"));
    const secrets = await secretsOf(values);
    const sequence = values.sequence === undefined ? {} : { sequence: sequenceOf(values.sequence) };
    const receipt = await provisionEnclave(gateway, await pinsOf(values), secrets, {
      signer,
      crypto: nodeCrypto,
      ...sequence,
    });
    report(receipt, secrets, values.json, terminal);
    return EXIT.ok;
  },
};

/** What the files hold. @throws CmcpError `USAGE`, `CONFIG_INVALID` */
async function secretsOf(values: {
  readonly tokens?: string | undefined;
  readonly credentials?: string | undefined;
  readonly "storage-key"?: string | undefined;
  readonly stored: boolean;
  readonly "provision-hash"?: string | undefined;
}): Promise<Secrets> {
  const { tokens, credentials, "storage-key": key, stored, "provision-hash": hash } = values;
  if (stored) {
    if (tokens !== undefined || credentials !== undefined)
      throw new CmcpError("USAGE", "--stored sends the storage key alone, and neither --tokens nor --credentials");
    const provision_hash = required(hash, "--provision-hash");
    if (!/^sha256:[0-9a-f]{64}$/.test(provision_hash))
      throw new CmcpError(
        "USAGE",
        "--provision-hash is sha256: and 64 hex digits, as a receipt names the provisioning",
      );
    return { storage_key: await readStorageKeyFile(required(key, "--storage-key")), provision_hash };
  }
  if (hash !== undefined) throw new CmcpError("USAGE", "--provision-hash goes with --stored");
  const read = credentials === undefined ? [] : await readCredentialsFile(credentials);
  return {
    tokens: await readTokenFile(required(tokens, "--tokens"), null),
    ...(read.length === 0 ? {} : { credentials: read }),
    ...(key === undefined ? {} : { storage_key: await readStorageKeyFile(key) }),
  };
}

function sequenceOf(text: string): number {
  const sequence = Number(text);
  if (!/^[1-9][0-9]*$/.test(text) || !Number.isSafeInteger(sequence))
    throw new CmcpError("USAGE", "--sequence is a whole number above 0");
  return sequence;
}

function report({ verdict, receipt }: Provisioned, secrets: Secrets, asJson: boolean, { out }: Terminal): void {
  const { assurance, keys } = verdict;
  // Who provisions the key can open what is stored under it.
  const storage = secrets.storage_key === undefined ? null : "operator-readable";
  const set =
    "tokens" in secrets
      ? `${secrets.tokens.length} tokens and ${secrets.credentials?.length ?? 0} credentials`
      : "the stored set";
  if (asJson) {
    out.write(`${JSON.stringify({ ok: true, assurance, keys, receipt, ...(storage === null ? {} : { storage }) })}\n`);
    return;
  }
  const said = [
    `provisioned: ${set}`,
    `assurance ${assurance}`,
    `instance key ${keys?.["signing"] ?? ""}`,
    `record ${receipt.provision_hash}`,
    ...(storage === null ? [] : [`storage: ${storage}`]),
  ];
  out.write(`${said.join(", ")}\n`);
}
