import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { loadBundleFolder } from "./read-bundle-folder.ts";

/** `cmcp policy hash` */
export const policyHash: Command = {
  help: `Usage: cmcp policy hash FOLDER [--json]

Prints the hash of the policy bundle in FOLDER (manifest.json, *.cedar, schema.cedarschema): what
CMCP_POLICY_HASH pins and a claim names.

Exit codes: 0 printed, 10 the bundle is not valid, 64 usage.
Example:    cmcp policy hash examples/quickstart/policies
`,
  async run(args, { out }) {
    const { values, positional } = readArguments(args, { json: { type: "boolean", default: false } }, "FOLDER");
    const bundle = await loadBundleFolder(required(positional, "FOLDER"));
    out.write(
      values.json
        ? `${JSON.stringify({ ok: true, hash: bundle.hash, version: bundle.version })}\n`
        : `${bundle.hash}\n`,
    );
    return EXIT.ok;
  },
};
