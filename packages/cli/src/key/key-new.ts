import { generateKeyPairSync } from "node:crypto";
import { CmcpError, toBase64Url } from "@cmcp/boundary";
import { STORAGE_KEY_BYTES } from "@cmcp/provision";
import { PRIVATE_KEY_BYTES, privateKeyPem, randomBytes, SUITES } from "@cmcp/seal";
import { readArguments, required } from "../arguments.ts";
import { writeError } from "../write-error.ts";
import { EXIT, type Command } from "../command.ts";
import { createFile } from "../create-file.ts";
import { publicKeyOf } from "./key-file.ts";

const OPTIONS = {
  auditor: { type: "boolean", default: false },
  storage: { type: "boolean", default: false },
  kem: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp key new` */
export const keyNew: Command = {
  help: `Usage: cmcp key new FILE [--auditor | --storage] [--kem NAME] [--json]

Makes an Ed25519 key pair for an operator: the private key goes into FILE (PKCS #8 PEM, readable by you
alone, never overwritten), the public key is printed for enclave.operator_keys.

  --auditor   a key pair for an auditor instead, whose public key is for log.auditors
  --kem NAME  of an auditor's pair: x-wing, the default, which keeps payloads closed to a quantum computer of
              later and needs Node 24.7, there and at the gateway; or x25519
  --storage   a storage key instead, for cmcp provision --storage-key: 32 random bytes, without a public key
  --json      one line: ok, file, and public_key unless with --storage

Exit codes: 0 written, 64 usage, or the file is there already or cannot be written.
Example:    cmcp key new operator.pem
`,
  async run(args, { out }) {
    const { values, positional } = readArguments(args, OPTIONS, "FILE");
    const path = required(positional, "FILE");
    if (values.kem !== undefined && !values.auditor) throw new CmcpError("USAGE", "--kem is for --auditor");
    if (values.storage && values.auditor) throw new CmcpError("USAGE", "--storage is not for --auditor");
    const { text, publicKey } = values.storage
      ? { text: `${toBase64Url(randomBytes(STORAGE_KEY_BYTES))}\n`, publicKey: null }
      : values.auditor
        ? newAuditorKey(values.kem ?? "x-wing")
        : newOperatorKey();
    await createFile(path, text, 0o600).catch((thrown: unknown) => {
      throw writeError(path, thrown);
    });
    out.write(
      values.json
        ? `${JSON.stringify({ ok: true, file: path, ...(publicKey === null ? {} : { public_key: publicKey }) })}\n`
        : `wrote ${path}\n${publicKey === null ? "" : `public key: ${publicKey}\n`}`,
    );
    return EXIT.ok;
  },
};

interface NewKey {
  /** PKCS #8 PEM. */
  readonly text: string;
  /** base64url. */
  readonly publicKey: string;
}

function newOperatorKey(): NewKey {
  const { privateKey } = generateKeyPairSync("ed25519");
  return { text: privateKey.export({ type: "pkcs8", format: "pem" }).toString(), publicKey: publicKeyOf(privateKey) };
}

/** @throws CmcpError `USAGE` for an unknown mechanism, `SEAL_SUITE_UNSUPPORTED` where the runtime lacks its algorithms */
function newAuditorKey(name: string): NewKey {
  const kem = SUITES.find((suite) => suite.kem.name === name)?.kem;
  if (kem === undefined) throw new CmcpError("USAGE", `--kem is x-wing or x25519, not ${name}`);
  const privateKey = randomBytes(PRIVATE_KEY_BYTES);
  return { text: privateKeyPem(kem, privateKey), publicKey: toBase64Url(kem.keyOf(privateKey).publicKey) };
}
