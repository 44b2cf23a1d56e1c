import { execFile } from "node:child_process";
import { createHash, generateKeyPairSync, type KeyObject } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { untrusted } from "@cmcp/boundary";
import {
  manifestBytes,
  MANIFEST,
  parseManifest,
  SIGNATURE,
  signManifest,
} from "../../enclave-image/src/build/manifest.ts";
import { writeSmallImage } from "../../enclave-image/src/build/testing/small-image.ts";
import { LOCK_PATH } from "../../enclave-image/src/lock/lock.ts";

/** The repository. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Where `make image` leaves its files. */
const BUILT = join(ROOT, "out/image");
/** What the repository lends an operator's folder. */
const LENT = ["docs", "enclave-image", "examples", "node_modules", "packages", "scripts"] as const;
/** What the commands of the pages use besides what every test does. */
const PROGRAMS = ["jq", "openssl", "xxd"] as const;
/** Milliseconds for the commands of one block. */
const MAX_BLOCK_MS = 120_000;

/** How commands ended. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** An operator's folder: an image, a release of it, and the `cmcp` that was built. Commands see what those before them set. */
export interface DeploymentFolder {
  readonly path: string;
  run(commands: string): Promise<Ran>;
  /** The arguments that QEMU was last called with; it is not started. */
  qemuArguments(): string[];
  remove(): void;
}

/** Why the commands cannot be tried here; `false` where they can. */
export function lacking(): string | false {
  const missing = PROGRAMS.filter(
    (name) => !(process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, name))),
  );
  return missing.length > 0 && `the commands of docs/how-to use ${missing.join(", ")}: install it to try them`;
}

/** Kinds of image to try commands on: a small one, and the built one where there is one of this lock file. */
export function imageKinds(): ("small" | "built")[] {
  if (!existsSync(join(BUILT, MANIFEST))) return ["small"];
  const { inputs } = parseManifest(untrusted(readFileSync(join(BUILT, MANIFEST))));
  return inputs === createHash("sha256").update(readFileSync(LOCK_PATH)).digest("hex") ? ["small", "built"] : ["small"];
}

/** Makes a folder with an image in `out/image` and the same, signed, in `release`. The publisher's key is in PUBLISHER. */
export async function deploymentFolder(kind: "small" | "built"): Promise<DeploymentFolder> {
  const path = mkdtempSync(join(tmpdir(), "cmcp-operate-"));
  const [programs, state, called] = [join(path, ".programs"), join(path, ".state"), join(path, ".qemu")];
  for (const folder of [programs, join(path, "out")]) mkdirSync(folder);
  for (const name of LENT) symlinkSync(join(ROOT, name), join(path, name));
  const publisher = generateKeyPairSync("ed25519");
  await putImage(kind, path, publisher.privateKey);
  program(join(programs, "npx"), `shift; exec ${process.execPath} ${ROOT}packages/cli/dist/cmcp.mjs "$@"`);
  program(join(programs, "qemu-system-x86_64"), `printf '%s\\0' "$@" > ${called}`);
  const { x = "" } = publisher.publicKey.export({ format: "jwk" });
  writeFileSync(state, `export PUBLISHER='${x}'\n`);
  const environment = { PATH: [programs, process.env["PATH"]].join(delimiter), HOME: path, NO_COLOR: "1", LC_ALL: "C" };
  return {
    path,
    // Variables outlive their block as they do in a terminal.
    run: (commands) => shell(`set -eu; . ${state}; set -a\n${commands}\nexport -p > ${state}\n`, path, environment),
    qemuArguments: () => readFileSync(called, "utf8").split("\0").slice(0, -1),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

async function putImage(kind: "small" | "built", folder: string, key: KeyObject): Promise<void> {
  const [image, release] = [join(folder, "out/image"), join(folder, "release")];
  if (kind === "small") await writeSmallImage(image, null);
  else cpSync(BUILT, image, { recursive: true });
  cpSync(image, release, { recursive: true });
  const manifest = manifestBytes(parseManifest(untrusted(readFileSync(join(image, MANIFEST)))));
  writeFileSync(join(release, SIGNATURE), JSON.stringify(signManifest(manifest, key)));
}

function program(path: string, script: string): void {
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

async function shell(script: string, cwd: string, env: NodeJS.ProcessEnv): Promise<Ran> {
  return await new Promise((resolve) => {
    execFile("/bin/sh", ["-c", script], { cwd, env, timeout: MAX_BLOCK_MS }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err }),
    );
  });
}
