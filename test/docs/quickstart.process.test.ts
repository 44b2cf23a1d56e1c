/** The quickstart as a reader types it: its commands run, and end as the page says. Only what `npm install` fetches is there already. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { ROOT, listenOnAnyPort } from "../gateway/deployment.ts";
import { CLI, StartRefused, startGateway } from "../gateway/gateway.ts";
import { installTree } from "../spawner/installed-tree.ts";
import { fencedBlocks } from "./fenced-blocks.ts";

const require = createRequire(import.meta.url);
const PAGE = await readFile(join(ROOT, "docs/tutorials/quickstart.md"), "utf8");
const SERVER = "@modelcontextprotocol/server-filesystem";
const INSPECTOR = "@modelcontextprotocol/inspector";
const folderOf = (name: string): string => dirname(require.resolve(`${name}/package.json`));

/** The blocks that are typed, in order. */
const [make = "", doctor = "", ...later] = fencedBlocks(PAGE)
  .filter(({ language, tags }) => language === "sh" && tags[0] === "first")
  .map(({ text }) => text);

/** `npx` as it would find what is installed, and an `npm` that has nothing left to do. */
const SHIMS: Readonly<Record<string, string>> = {
  npm: "exit 0",
  npx:
    `case "$1" in\n  cmcp) program="${CLI}" ;;\n` +
    `  ${INSPECTOR}@*) program="${join(folderOf(INSPECTOR), "clients/launcher/build/index.js")}" ;;\n` +
    `esac\nshift\nexec "${process.execPath}" --disable-warning=ExperimentalWarning "$program" "$@"`,
};

describe("the quickstart", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-first-"));
    await mkdir(join(folder, "bin"));
    for (const [name, text] of Object.entries(SHIMS)) {
      await writeFile(join(folder, "bin", name), `#!/bin/sh\n${text}\n`);
      await chmod(join(folder, "bin", name), 0o755);
    }
    installTree(folderOf(SERVER), SERVER, join(folder, "out/first/files"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const typed = (
    text: string,
    more: NodeJS.ProcessEnv = {},
  ): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((resolve) => {
      const env = { PATH: `${join(folder, "bin")}:${process.env["PATH"] ?? ""}`, HOME: folder, NO_COLOR: "1", ...more };
      execFile("bash", ["-c", text], { cwd: folder, env }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      );
    });

  test("names the versions that are tried here", async () => {
    for (const name of [SERVER, INSPECTOR]) {
      const { version } = JSON.parse(await readFile(join(folderOf(name), "package.json"), "utf8")) as {
        version: string;
      };
      assert.ok(PAGE.includes(`${name}@${version}`), `${name}@${version}`);
    }
  });

  test("the README begins with the same commands", async () => {
    const readme = await readFile(join(ROOT, "README.md"), "utf8");
    for (const line of make.trimEnd().split("\n")) assert.ok(readme.includes(`${line}\n`), line);
  });

  test("leads from an empty folder to a verified claim", async () => {
    const made = await typed(`set -e\n${make}`);
    assert.equal(made.code, 0, made.stderr);
    const shown = fencedBlocks(PAGE)
      .find(({ text }) => text === make)
      ?.prints?.split("\n")
      .slice(0, 3);
    assert.deepEqual(made.stdout.split("\n").slice(0, 3), shown);
    const config = join(folder, "out/first/gateway/cmcp-config.yaml");
    await listenOnAnyPort(config);
    const gateway = await startGateway(config, {}).catch(async (thrown: unknown) => {
      if (!(thrown instanceof StartRefused) || !/"(?:ISOLATION|SPAWN)_UNAVAILABLE"/.test(thrown.output)) throw thrown;
      return await startGateway(config, { CMCP_DEV_MODE: "1" });
    });
    try {
      const examined = await typed(doctor, { CMCP_DEV_MODE: gateway.isolation === "none" ? "1" : "0" });
      assert.match(examined.stdout, /can start here/);
      const { stdout, stderr } = await typed(later.join("").replaceAll("http://127.0.0.1:8443", gateway.url));
      assert.match(stdout, /the launch is on Tuesday/);
      assert.match(stderr, /Tool 'write_file' not found/);
      assert.match(stdout, /ACCEPTED, ORIGIN NOT PROVEN \(closed session/);
      assert.match(stdout, /there is no hardware evidence/);
    } finally {
      await gateway.stop();
    }
    assert.equal(await readFile(join(folder, "out/first/files/notes/plan.txt"), "utf8"), "the launch is on Tuesday\n");
  });
});
