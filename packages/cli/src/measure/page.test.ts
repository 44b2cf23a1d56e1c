/** Runs every command of docs/how-to/measure-an-image.md and compares what it prints with the page. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { NO_DOWNLOADS } from "../../../measure/src/testing/downloads.ts";
import type { Command } from "../command.ts";
import { measureSevSnp } from "./sev-snp.ts";
import { measureTdx } from "./tdx.ts";
import { measureTpm } from "./tpm.ts";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const PAGE = readFileSync(`${ROOT}docs/how-to/measure-an-image.md`, "utf8");
const COMMANDS: Readonly<Record<string, Command>> = { "sev-snp": measureSevSnp, tdx: measureTdx, tpm: measureTpm };
const examples = [...PAGE.matchAll(/```sh\nnpx cmcp measure (\S+) (.*)\n```\n\n```\n([^`]*)```/g)];

/** Words of a command line, with files of the repository by their full path. */
function words(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(
    ([, quoted, bare = ""]) => quoted ?? (bare.startsWith(".cache/") ? `${ROOT}${bare}` : bare),
  );
}

test("the page has its examples", () => {
  assert.equal(examples.length, 4);
  assert.equal(PAGE.split("npx cmcp").length - 1, examples.length, "none is left out");
});

for (const [, name = "", line = "", printed] of examples) {
  test(`docs/how-to/measure-an-image.md: cmcp measure ${name} prints what the page says`, async (t) => {
    const args = words(line);
    if (args.some((word) => word.startsWith(ROOT) && !existsSync(word))) return t.skip(NO_DOWNLOADS);
    const out = new PassThrough();
    assert.equal(await COMMANDS[name]?.run(args, { out, err: out, colour: false }), 0);
    out.end();
    assert.equal((await out.toArray()).join(""), printed);
  });
}
