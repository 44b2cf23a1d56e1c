import { writeSchema } from "@cmcp/policy/authoring";
import { readArguments, required } from "../arguments.ts";
import { loadBundleFolder } from "../check/read-bundle-folder.ts";
import { EXIT, type Command } from "../command.ts";
import { replaceFile } from "../replace-file.ts";
import { readTools } from "./tools.ts";

/** `cmcp policy schema` */
export const policySchema: Command = {
  help: `Usage: cmcp policy schema FOLDER --catalog FILE [--out FILE] [--json]

Writes the Cedar schema that describes what the rules of the bundle in FOLDER read, for a catalog: attributes
of principal, resource and context, and the arguments with the types of the approved input schemas. An
argument that tools type differently is left out; lint says which rules then do not load. Where the catalog
has resources or prompts their actions are declared too, which puts them under the bundle's rules.

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
    const bundle = await loadBundleFolder(required(positional, "FOLDER"));
    const catalog = await readTools(required(values.catalog, "--catalog"));
    const schema = writeSchema(bundle, catalog);
    const file = values.out ?? null;
    if (file !== null) await replaceFile(file, schema);
    if (values.json) out.write(`${JSON.stringify({ ok: true, file, schema })}\n`);
    else out.write(file === null ? schema : `wrote ${file}\n`);
    return EXIT.ok;
  },
};
