import { generateKeyPairSync } from "node:crypto";
import { readArguments, required } from "../arguments.ts";
import { writeError } from "../write-error.ts";
import { EXIT, type Command } from "../command.ts";
import { createFile } from "../create-file.ts";
import { publicKeyOf } from "./key-file.ts";

/** `cmcp key new` */
export const keyNew: Command = {
  help: `Usage: cmcp key new FILE [--json]

Makes an Ed25519 key pair for an operator: the private key goes into FILE (PKCS #8 PEM, readable by you
alone, never overwritten), the public key is printed for enclave.operator_keys.

Exit codes: 0 written, 64 usage, or the file is there already or cannot be written.
Example:    cmcp key new operator.pem
`,
  async run(args, { out }) {
    const { values, positional } = readArguments(args, { json: { type: "boolean", default: false } }, "FILE");
    const path = required(positional, "FILE");
    const { privateKey } = generateKeyPairSync("ed25519");
    await createFile(path, privateKey.export({ type: "pkcs8", format: "pem" }), 0o600).catch((thrown: unknown) => {
      throw writeError(path, thrown);
    });
    const publicKey = publicKeyOf(privateKey);
    out.write(
      values.json
        ? `${JSON.stringify({ ok: true, file: path, public_key: publicKey })}\n`
        : `wrote ${path}\npublic key: ${publicKey}\n`,
    );
    return EXIT.ok;
  },
};
