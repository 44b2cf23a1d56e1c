import { CmcpError } from "@cmcp/boundary";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { checkCedar, NO_CATALOG } from "./check-cedar.ts";
import { loadBundleFolder } from "./read-bundle-folder.ts";

/** `cmcp validate-bundle` */
export const validateBundle: Command = {
  help: `Usage: cmcp validate-bundle --bundle-path FOLDER [--expected-hash sha256:HEX] [--json]

Reads a policy bundle as the gateway does, parses every policy, and says what the gateway would warn of.

Exit codes: 0 valid, 10 not valid or another hash, 64 usage.
Example:    cmcp validate-bundle --bundle-path examples/quickstart/policies
`,
  async run(args, { out }) {
    const { values } = readArguments(args, {
      "bundle-path": { type: "string" },
      "expected-hash": { type: "string" },
      json: { type: "boolean", default: false },
    });
    const bundle = await loadBundleFolder(required(values["bundle-path"], "--bundle-path"));
    const expected = values["expected-hash"];
    if (expected !== undefined && expected !== bundle.hash)
      throw new CmcpError("POLICY_HASH_MISMATCH", `the bundle hashes to ${bundle.hash}, expected ${expected}`);
    const { shape, warnings } = await checkCedar(bundle, NO_CATALOG);
    if (values.json)
      out.write(`${JSON.stringify({ ok: true, hash: bundle.hash, version: bundle.version, shape, warnings })}\n`);
    else
      out.write(
        `valid policy bundle\n  hash:    ${bundle.hash}\n  version: ${bundle.version}\n  shape:   ${shape}\n${warnings.map((warning) => `  warning: ${warning}\n`).join("")}`,
      );
    return EXIT.ok;
  },
};
