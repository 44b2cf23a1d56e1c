/**
 * The pages of docs/how-to: every command that can run on a machine without confidential hardware is run, what it prints is
 * compared where the page shows it, and descriptions of machines are compared with what the launcher starts.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { parseAppraisalPolicy } from "@cmcp/appraise";
import { untrusted } from "@cmcp/boundary";
import { parseMeasurements } from "@cmcp/measure";
import { deploymentFolder, imageKinds, lacking, ROOT } from "./deployment-folder.ts";
import { fencedBlocks, isAsShown, type FencedBlock } from "./fenced-blocks.ts";
import { assertDescribes } from "./libvirt-domain.ts";
import { assertStarts, type DescribedPlatform } from "./started-machine.ts";

const FOLDER = join(ROOT, "docs/how-to");
/** Its commands come before those of any other page of its folder. */
const FIRST = "run-confidentially/README.md";
/** A test beside `cmcp measure` runs its commands. */
const ELSEWHERE_TESTED = "measure-an-image.md";
/** What begins a line that another machine, a network or hours are needed for. */
const ELSEWHERE =
  /^(?:#|cd |git |make |sudo |virsh |virt-xml-validate |dmesg|systemctl |grep |cat \/sys|ls |qemu-system-x86_64 -object|npx cmcp (?:start|provision|approvals|session|connect|instance|kill-switch|manifest|policy (?:(?:succeed|revoke)-key|explain)|verify|audit|log|evidence|catalog (?:import|status)|server add)|npx (?:@modelcontextprotocol\/inspector|mcp-remote) |export (?:CMCP_BEARER_TOKEN|AUDIT_URL|GITHUB_PERSONAL_ACCESS_TOKEN)|jq -r|curl |openssl s_client |for file in chain-|kill |cp audit.db |sqlite3 |rsync |pg_dump |createdb |az |gcloud |aws |spire-server )/;

const pages = globSync("**/*.md", { cwd: FOLDER }).filter((name) => name !== ELSEWHERE_TESTED);
const blocksOf = (name: string): FencedBlock[] => fencedBlocks(readFileSync(join(FOLDER, name), "utf8"));
const isRun = ({ language, tags }: FencedBlock): boolean => language === "sh" && tags[0] === "run";

test("the pages are there", () => {
  assert.ok(pages.includes(FIRST));
  assert.ok(pages.length >= 16, pages.join());
});

describe("every block of commands says whether it is run", () => {
  for (const name of pages) {
    test(name, () => {
      for (const { language, tags, text, line } of blocksOf(name)) {
        assert.ok(["", "sh", "yaml", "json", "cedar", "ts", "python"].includes(language), `line ${line}: ${language}`);
        if (language !== "sh") continue;
        assert.ok(["run", "elsewhere"].includes(tags[0] ?? ""), `line ${line}: neither run nor elsewhere`);
        if (tags[0] === "run") continue;
        const commands = text
          .replaceAll("\\\n", " ")
          .split("\n")
          .filter((command) => command.trim() !== "");
        for (const command of commands) assert.match(command.trim(), ELSEWHERE, `line ${line}: could be run here`);
      }
    });
  }

  test("and every make target they name exists", () => {
    const makefile = readFileSync(join(ROOT, "Makefile"), "utf8");
    for (const name of pages) {
      for (const [, target = ""] of readFileSync(join(FOLDER, name), "utf8").matchAll(/(?:^|`|&& )make ([a-z0-9-]+)/gm))
        assert.match(makefile, new RegExp(`^${target}:`, "m"), `${name}: make ${target}`);
    }
  });
});

for (const kind of imageKinds()) {
  describe(`the commands, on ${kind === "small" ? "a small image" : "the built image"}`, { skip: lacking() }, () => {
    // The built one is large: it is left to the pages that read its files.
    const reads = ({ text }: FencedBlock): boolean =>
      kind === "small" || text.includes("out/image/") || text.includes("release/");
    for (const name of pages.filter((page) => blocksOf(page).filter(isRun).some(reads))) {
      test(name, async (t) => {
        const folder = await deploymentFolder(kind);
        t.after(() => folder.remove());
        for (const page of name !== FIRST && dirname(name) === dirname(FIRST) ? [FIRST, name] : [name]) {
          for (const block of blocksOf(page).filter(isRun)) {
            const at = `${page}, line ${block.line}`;
            const { code, out, err } = await folder.run(block.text);
            assert.equal(code, 0, `${at}:\n${out}${err}`);
            if (block.prints !== null) assert.ok(isAsShown(block.prints, out), `${at} prints\n${out}`);
            const [, compared, platform] = block.tags;
            if (compared === "qemu") assertStarts(folder, platform as DescribedPlatform);
            if (compared === "measurements") parseMeasurements(untrusted(readFileSync(join(folder.path, "both.json"))));
            if (compared === "policy") parseAppraisalPolicy(untrusted(readFileSync(join(folder.path, "policy.json"))));
            if (compared === "libvirt") await assertDescribes(t, folder, platform as DescribedPlatform);
          }
        }
      });
    }
  });
}
