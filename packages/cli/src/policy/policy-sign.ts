import { join } from "node:path";
import { compareVersions, signBundle, verifyBundleSignature } from "@cmcp/policy/bundle";
import { readArguments, required } from "../arguments.ts";
import { checkCedar, NO_CATALOG } from "../check/check-cedar.ts";
import { loadBundleFolder } from "../check/read-bundle-folder.ts";
import { EXIT, type Command } from "../command.ts";
import { readOperatorKey } from "../key/key-file.ts";
import { replaceFile } from "../replace-file.ts";

/** `cmcp policy sign` */
export const policySign: Command = {
  help: `Usage: cmcp policy sign FOLDER --key FILE [--json]

Checks the policy bundle in FOLDER as validate-bundle does, signs it and writes the signature into its manifest.json. The signature covers
manifest, schema and rules; the bundle's hash does not change. A gateway whose CMCP_POLICY_SIGNING_KEY is
the key's public half starts with such a bundle only, and reloads one whose version is higher.

  --key FILE  Ed25519 private key, PKCS #8 PEM (cmcp key new)

Exit codes: 0 signed, 10 the bundle is not valid, 64 usage.
Example:    cmcp policy sign policies --key policy.pem
`,
  async run(args, { out }) {
    const { values, positional } = readArguments(
      args,
      { key: { type: "string" }, json: { type: "boolean", default: false } },
      "FOLDER",
    );
    const folder = required(positional, "FOLDER");
    const key = await readOperatorKey(required(values.key, "--key"));
    const bundle = await loadBundleFolder(folder);
    compareVersions(bundle.version, bundle.version);
    // A signature says that a gateway may take it: one that no gateway loads is not signed.
    await checkCedar(bundle, NO_CATALOG);
    const manifest = { ...bundle.manifest, signature: signBundle(bundle, (bytes) => key.sign(bytes)) };
    verifyBundleSignature({ hash: bundle.hash, manifest }, key.publicKey);
    // Whole or not at all: a gateway may be looking.
    await replaceFile(join(folder, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
    if (values.json)
      out.write(
        `${JSON.stringify({ ok: true, hash: bundle.hash, version: bundle.version, public_key: key.publicKey, signature: manifest.signature })}\n`,
      );
    else out.write(`signed version ${bundle.version}\n  hash:       ${bundle.hash}\n  public key: ${key.publicKey}\n`);
    return EXIT.ok;
  },
};
