import { lintBundle } from "@cmcp/policy/authoring";
import { readArguments, required } from "../arguments.ts";
import { loadBundleFolder } from "../check/read-bundle-folder.ts";
import { EXIT, type Command } from "../command.ts";
import { inspectionFindings } from "./inspection-findings.ts";
import { readTools } from "./tools.ts";

/** `cmcp policy lint` */
export const policyLint: Command = {
  help: `Usage: cmcp policy lint FOLDER [--catalog FILE] [--approvers NAMES] [--json]

Loads the bundle in FOLDER and reports as errors everything a gateway would warn of, and rules that do
nothing: that never match, whose conditions are never true, that a forbid overrules in every case, or that
share an @id. Of the catalog it reports rules that redact what can only be withheld, tools that refuse every
argument, and tools that let undeclared arguments through. Without a catalog none of this is looked at, nor
whether the tools that rules name exist.

  --catalog FILE     the tool catalog the bundle is for
  --approvers NAMES  the names of enclave.approvers, joined by commas: rules that they cannot lift are reported
  --json             one line: ok, findings [text]

Exit codes: 0 nothing found, 10 findings, or the bundle does not load, 64 usage.
Example:    cmcp policy lint examples/quickstart/policies --catalog examples/quickstart/catalog.json
`,
  async run(args, { out }) {
    const { values, positional } = readArguments(
      args,
      { catalog: { type: "string" }, approvers: { type: "string" }, json: { type: "boolean", default: false } },
      "FOLDER",
    );
    const bundle = await loadBundleFolder(required(positional, "FOLDER"));
    const catalog = values.catalog === undefined ? { tools: new Map() } : await readTools(values.catalog);
    const approvers = values.approvers?.split(",").map((name) => name.trim()) ?? null;
    const findings = [...lintBundle(bundle, catalog, approvers), ...inspectionFindings(bundle, catalog)];
    const ok = findings.length === 0;
    out.write(
      values.json
        ? `${JSON.stringify({ ok, findings })}\n`
        : ok
          ? "nothing found\n"
          : findings.map((finding) => `${finding}\n`).join(""),
    );
    return ok ? EXIT.ok : EXIT.rejected;
  },
};
