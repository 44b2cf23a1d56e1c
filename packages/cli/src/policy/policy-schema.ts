import { readBundleFolder } from "@cmcp/launch/files";
import { writeSchema } from "@cmcp/policy/authoring";
import { readBundle } from "@cmcp/policy/bundle";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { replaceFile } from "../replace-file.ts";
import { readTools } from "./tools.ts";

const SCHEMA = "schema.cedarschema";

/** `cmcp policy schema` */
export const policySchema: Command = {
  help: `Usage: cmcp policy schema FOLDER --catalog FILE [--out FILE] [--json]

Writes the Cedar schema that describes what the rules of the bundle in FOLDER read, for a catalog: attributes
of principal, resource and context, and the arguments with the types of the approved input schemas. An
argument that tools type differently is left out; lint says which rules then do not load. Where the catalog
has resources or prompts their actions are declared too, which puts them under the bundle's rules. A bundle
that has no schema yet gets its first.

  --catalog FILE  the tool catalog
  --out FILE      write there, such as FOLDER/schema.cedarschema; without it the schema is printed

Exit codes: 0 written, 10 bundle or catalog not valid, 64 usage.
Example:    cmcp policy schema policies --catalog catalog.json --out policies/schema.cedarschema
`,
  async run(args, { out }) {
    const { values, positional } = readArguments(
      args,
      { catalog: { type: "string" }, out: { type: "string" }, json: { type: "boolean", default: false } },
      "FOLDER",
    );
    // A bundle that has no schema yet gets its first.
    const files = await readBundleFolder(required(positional, "FOLDER"));
    const bundle = readBundle({ [SCHEMA]: "", ...files });
    const catalog = await readTools(required(values.catalog, "--catalog"));
    const schema = writeSchema(bundle, catalog);
    const file = values.out ?? null;
    if (file !== null) await replaceFile(file, schema);
    if (values.json) out.write(`${JSON.stringify({ ok: true, file, schema })}\n`);
    else out.write(file === null ? schema : `wrote ${file}\n`);
    return EXIT.ok;
  },
};
