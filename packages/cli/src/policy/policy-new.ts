import { CmcpError } from "@cmcp/boundary";
import { lintBundle } from "@cmcp/policy/authoring";
import { readBundle } from "@cmcp/policy/bundle";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { createFolder } from "../create-folder.ts";
import { inspectionFindings } from "./inspection-findings.ts";
import { startingPolicy } from "./starting-policy.ts";
import { readTools } from "./tools.ts";

const OPTIONS = {
  catalog: { type: "string" },
  author: { type: "string" },
  read: { type: "string", multiple: true, default: [] as string[] },
  json: { type: "boolean", default: false },
} as const;

/** `cmcp policy new` */
export const policyNew: Command = {
  help: `Usage: cmcp policy new FOLDER --catalog FILE --author EMAIL [--read TOOL]... [--json]

Writes a policy bundle to begin with into the new folder FOLDER. The tools that you name as reading are permitted.
Calls of the others wait for a person of enclave.approvers, and are denied while there is none. The rules say in
comments how to go on. cmcp policy lint finds nothing in them.

  --catalog FILE  the tool catalog
  --author EMAIL  who answers for the policy; it stands in manifest.json
  --read TOOL     a tool that you found to read only; may be given again
  --json          one line: ok, folder, hash, reads, others, findings [text] of the catalog's tools

Exit codes: 0 written, 10 catalog not valid, 64 usage, or the folder is there already.
Example:    cmcp policy new policies --catalog catalog.json --author you@example.com --read echo
`,
  async run(args, { out }) {
    const { values, positional } = readArguments(args, OPTIONS, "FOLDER");
    const folder = required(positional, "FOLDER");
    const author = required(values.author, "--author");
    const catalog = await readTools(required(values.catalog, "--catalog"));
    const reads = new Set(values.read);
    for (const name of reads)
      if (!catalog.tools.has(name)) throw new CmcpError("USAGE", `--read ${name}: the catalog has no such tool`);
    const files = startingPolicy({ catalog, reads, author, authoredAt: new Date() });
    const bundle = readBundle(files);
    const findings = [...lintBundle(bundle, catalog), ...inspectionFindings(bundle, catalog)];
    await createFolder(folder, Object.fromEntries(Object.entries(files).map(([name, content]) => [name, { content }])));
    const others = [...catalog.tools.keys()].filter((name) => !reads.has(name));
    if (values.json)
      out.write(`${JSON.stringify({ ok: true, folder, hash: bundle.hash, reads: [...reads], others, findings })}\n`);
    else
      out.write(
        `wrote ${folder}\n  permitted:       ${[...reads].join(", ") || "nothing"}\n` +
          `  need a person:   ${others.join(", ") || "nothing"}\n${findings.map((finding) => `  ${finding}\n`).join("")}`,
      );
    return EXIT.ok;
  },
};
