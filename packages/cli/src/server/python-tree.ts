import { chmod, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import { readSmallFile } from "../read-file.ts";
import { copyFolder } from "./copy-folder.ts";
import { consoleScripts, normalName, readPipReport, requirementsOf } from "./pip-report.ts";
import { findPython, type Python } from "./python.ts";
import { requireSame } from "./required-digest.ts";
import { runProgram, type ProgramEnd } from "./run-program.ts";
import type { PinnedPackage, ServerTree, TreePlace } from "./server-tree.ts";
import { SharedLibraries, programOnPath } from "./shared-libraries.ts";
import { COMPILE_SCRIPT, START_SCRIPT, START_SCRIPT_TEXT } from "./start-script.ts";

/** A package of the Python package index. */
export interface PythonPackage {
  readonly name: string;
  /** Exact; `null` for the newest. */
  readonly version: string | null;
  /** Which of its programs; `null` for the only one, or the one of the package's name. */
  readonly bin: string | null;
  /** Name or path of the Python that is packed. */
  readonly python: string;
  /** Programs of this machine that are packed, too. */
  readonly programs: readonly string[];
  /** SHA-256 that its own archive must have. */
  readonly sha256?: string;
}

const PIP = [
  "-I",
  "-m",
  "pip",
  "--disable-pip-version-check",
  "--no-input",
  "--quiet",
  "install",
  "--only-binary=:all:",
];
/** What no server needs of the standard library: tests, build files, graphics, and what this machine changed. */
const LEFT_OUT = new Set([
  "site-packages",
  "dist-packages",
  "__pycache__",
  "test",
  "tests",
  "idlelib",
  "tkinter",
  "turtledemo",
  "ensurepip",
  "lib2to3",
  "sitecustomize.py",
]);
const LEFT_OUT_MODULES = /^(config-3|_tkinter|_curses|_test|_xx|xx|readline|_gdbm|_dbm|nis)/;

const isLeftOut = (name: string): boolean => LEFT_OUT.has(name) || LEFT_OUT_MODULES.test(name);

function requirePip(end: ProgramEnd, { program }: Python, what: string): void {
  if (end.code === 0) return;
  if (/No module named pip/.test(end.stderr))
    throw new CmcpError("PROGRAM_MISSING", `${program.program} has no pip. ${program.install}`);
  if (/No matching distribution|ResolutionImpossible/.test(end.stderr))
    throw new CmcpError(
      "PACKAGE_UNAVAILABLE",
      `${what} is not in the index as built packages (wheels) for this Python and machine. Source distributions are ` +
        `not taken, as they run code at installation: ${end.stderr}`,
    );
  throw new CmcpError("PACKAGE_UNAVAILABLE", `pip failed: ${end.stderr}`);
}

async function install(
  python: Python,
  { name, version, sha256 }: PythonPackage,
  { tree, lock }: TreePlace,
): Promise<{ readonly packages: readonly PinnedPackage[]; readonly lockFile: string; readonly site: string }> {
  const what = version === null ? name : `${name}==${version}`;
  const dry = [...PIP, "--dry-run", "--ignore-installed", "--report", "-", what];
  const report = await runProgram(python.program, dry, tree);
  requirePip(report, python, what);
  const packages = readPipReport(report.stdout);
  const own = packages.find((one) => normalName(one.name) === normalName(name));
  if (sha256 !== undefined) requireSame(what, own?.integrity.slice("sha256:".length) ?? "none", sha256);
  const lockFile = `${lock}.requirements.txt`;
  await writeFile(lockFile, requirementsOf(packages), { flag: "wx" });
  const site = join(tree, "lib", python.folderName, "site-packages");
  const pinned = ["--no-deps", "--require-hashes", "--no-compile", "--no-warn-conflicts", "--target", site];
  requirePip(await runProgram(python.program, [...PIP, ...pinned, "--requirement", lockFile], tree), python, what);
  await rm(join(site, "bin"), { recursive: true, force: true });
  return { packages, lockFile, site };
}

/** The console script that is run. @throws CmcpError `PACKAGE_REFUSED` */
async function scriptOf(site: string, { name, bin }: PythonPackage): Promise<string> {
  const folders = await readdir(site);
  const info = folders.find(
    (one) => one.endsWith(".dist-info") && normalName(one.split("-", 1)[0] ?? "") === normalName(name),
  );
  const path = join(site, info ?? "", "entry_points.txt");
  const text = await readSmallFile(path).catch(() => new Uint8Array());
  const scripts = consoleScripts(Buffer.from(text).toString("utf8"));
  const chosen =
    bin ?? (scripts.length === 1 ? scripts[0] : scripts.find((one) => normalName(one) === normalName(name)));
  if (chosen !== undefined && scripts.includes(chosen)) return chosen;
  const why =
    scripts.length === 0 ? "has no program to run" : `has the programs ${scripts.join(", ")}; choose one with --bin`;
  throw new CmcpError("PACKAGE_REFUSED", `the package ${name} ${why}`);
}

/** Packs the interpreter, its standard library and the shared libraries that both need. */
async function packPython(python: Python, tree: string): Promise<SharedLibraries> {
  const library = join(tree, "lib", python.folderName);
  await copyFolder(python.stdlib, library, isLeftOut);
  const libraries = new SharedLibraries(tree);
  await libraries.addProgram(python.executable, join(tree, "bin/python3"));
  const modules = join(library, "lib-dynload");
  for (const name of await readdir(modules)) {
    await chmod(join(modules, name), 0o644);
    if (name.endsWith(".so")) await libraries.addFor(join(python.stdlib, "lib-dynload", name));
  }
  await libraries.addOfCLibrary();
  return libraries;
}

/**
 * Makes a tree that runs a package of the Python index with nothing of the machine: its wheels, each pinned by its hash,
 * with the interpreter, the standard library and the shared libraries that they need. No code of a package runs.
 * @throws CmcpError `PROGRAM_MISSING`, `PACKAGE_UNAVAILABLE`, `PACKAGE_REFUSED`, `SPAWN_TREE_REFUSED`
 */
export async function makePythonTree(wanted: PythonPackage, place: TreePlace): Promise<ServerTree> {
  const { tree } = place;
  const python = await findPython(wanted.python, tree);
  const { packages, lockFile, site } = await install(python, wanted, place);
  const script = await scriptOf(site, wanted);
  const libraries = await packPython(python, tree);
  for (const name of wanted.programs) await libraries.addProgram(await programOnPath(name), join(tree, "bin", name));
  await writeFile(join(tree, START_SCRIPT), START_SCRIPT_TEXT);
  const command = [libraries.loader, "--library-path", join(tree, "lib"), join(tree, "bin/python3"), "-I"];
  await compile(python, command, tree);
  const [program = "", ...args] = command;
  const own = packages.toSorted((left, right) => Number(isNamed(right, wanted)) - Number(isNamed(left, wanted)));
  return {
    start: { tree, command: program, args: [...args, join(tree, START_SCRIPT), script] },
    packages: own,
    lockFile,
    notes: [`it is run by the tree's own copy of ${python.executable}`],
  };
}

const isNamed = ({ name }: PinnedPackage, wanted: PythonPackage): boolean =>
  normalName(name) === normalName(wanted.name);

/** Compiles all modules, over what packages bring compiled: only what a reviewer can read is run. */
async function compile(python: Python, [loader = "", ...args]: readonly string[], tree: string): Promise<void> {
  const library = join(tree, "lib", python.folderName);
  const brought = await readdir(library, { recursive: true, withFileTypes: true });
  for (const entry of brought)
    if (entry.name === "__pycache__" || entry.name.endsWith(".pyc"))
      await rm(join(entry.parentPath, entry.name), { recursive: true, force: true });
  const program = { program: loader, install: python.program.install };
  const end = await runProgram(program, [...args, "-S", "-c", COMPILE_SCRIPT, library], tree);
  if (end.code !== 0) throw new CmcpError("PACKAGE_REFUSED", `the packed Python does not run: ${end.stderr}`);
}
