/** Bundles the enclave, its policy worker and the command line into `dist` folders, byte-identical for equal inputs. */
import { build, type BuildOptions } from "esbuild";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { compileVsockAddon } from "../host-proxy/src/launcher/vsock/compile-addon.ts";
import { compileSpawner } from "../packages/spawner/src/host/compile.ts";
import { bundledPackages } from "./bundled-packages.ts";
import { APPROVALS_PAGE, BUNDLE, ENCLAVE_SCRIPT } from "./enclave-bundle.ts";
import { lockedPackages } from "./locked-packages.ts";
import { thirdPartyNotices } from "./third-party-notices.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const enclave = join(root, "packages/enclave");
const cli = join(root, "packages/cli");

const common = { absWorkingDir: root, metafile: true } as const satisfies BuildOptions;

await rm(join(cli, "dist"), { recursive: true, force: true });
await mkdir(join(cli, "dist/enclave"), { recursive: true });
const [inEnclave, inWorker, inCommand, inPage] = await Promise.all([
  build({
    ...ENCLAVE_SCRIPT,
    ...common,
    entryPoints: { enclave: join(enclave, "src/main.ts") },
    outdir: join(cli, "dist/enclave"),
  }),
  build({
    ...ENCLAVE_SCRIPT,
    ...common,
    entryPoints: { "policy-worker": join(root, "packages/policy/src/compile-worker.ts") },
    outdir: join(cli, "dist/enclave"),
  }),
  build({
    ...BUNDLE,
    ...common,
    format: "esm",
    splitting: true,
    entryPoints: { cmcp: join(cli, "src/main.ts"), "log-worker": join(root, "host-proxy/src/store/log-worker.ts") },
    outdir: join(cli, "dist"),
    outExtension: { ".js": ".mjs" },
    // CommonJS packages in an ES module bundle reach Node's built-ins through require, and Cedar its wasm through
    // __dirname.
    banner: {
      js: 'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url),__dirname=import.meta.dirname+"/enclave";',
    },
  }),
  build({
    ...APPROVALS_PAGE,
    ...common,
    entryPoints: { page: join(cli, "page/main.ts") },
    outdir: join(cli, "dist/approvals-page"),
  }),
]);
for (const file of ["index.html", "page.css"])
  await copyFile(join(cli, "page", file), join(cli, "dist/approvals-page", file));
const cedar = createRequire(join(root, "packages/policy/package.json")).resolve("@cedar-policy/cedar-wasm/nodejs");
await copyFile(join(dirname(cedar), "cedar_wasm_bg.wasm"), join(cli, "dist/enclave/cedar_wasm_bg.wasm"));
const uncompiled = await compileSpawner(join(cli, "dist/cmcp-spawn"));
if (uncompiled !== null)
  process.stderr.write(
    "stdio servers cannot be confined, as there is no C compiler that makes static programs here: " +
      `${uncompiled.split("\n", 1)[0]}\n`,
  );
const addonless = await compileVsockAddon(join(cli, "dist/vsock.node"));
if (addonless !== null)
  process.stderr.write(
    "machines cannot be reached by their CID, as the vsock addon cannot be compiled here: " +
      `${addonless.split("\n", 1)[0]}\n`,
  );
const shipped = await bundledPackages(root, [
  inEnclave.metafile,
  inWorker.metafile,
  inCommand.metafile,
  inPage.metafile,
]);
const ruleLicence = await readFile(join(root, "packages/findings/src/data/secret-rules.LICENSE"), "utf8");
const notices = await thirdPartyNotices(root, shipped);
const ruleNotice = `\n${"-".repeat(80)}\n\nSecret rules of gitleaks (MIT)\n\nCopyright (c) 2019 Zachary Rice\n\n${ruleLicence.trim()}\n`;
await writeFile(join(cli, "dist/THIRD-PARTY-NOTICES.txt"), `${notices}${ruleNotice}`);
// For the bill of materials of an image, which holds the enclave's scripts and no package manager's lock file.
const integrities = lockedPackages();
const inImage = new Map(
  (await bundledPackages(root, [inEnclave.metafile, inWorker.metafile])).map(({ name, version, licence }) => [
    `${name}@${version}`,
    { name, version, licence },
  ]),
);
const listed = [...inImage]
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([key, entry]) => ({ ...entry, integrity: integrities.get(key) }));
await writeFile(join(cli, "dist/enclave/packages.json"), `${JSON.stringify(listed, null, 2)}\n`);
