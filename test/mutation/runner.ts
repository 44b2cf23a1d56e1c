import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { mutated, type Mutant } from "./mutant.ts";

/** A test that takes so many times its own time, and this many milliseconds more, does not end any more. */
const SLOWER = 5;
const LONGER_MS = 20_000;
/** No test file of a package takes longer without a mutant. */
const LONGEST_MS = 900_000;
const HOOK = pathToFileURL(join(import.meta.dirname, "hook.ts")).href;

/** A test file, the source files it loads and how long it takes. */
export interface TestFile {
  readonly file: string;
  readonly loads: ReadonlySet<string>;
  readonly ms: number;
}

/** What became of a mutant: the test file that failed, or `null`. */
export interface Verdict {
  readonly mutant: Mutant;
  readonly killedBy: string | null;
}

/** Runs a test file as it is. Errors: it fails, so nothing can be said of mutants. */
export async function measureTest(file: string, cwd: string): Promise<TestFile> {
  return await inFolder(async (folder) => {
    const log = join(folder, "loaded");
    await writeFile(log, "");
    const from = performance.now();
    if (!(await passes(file, { cwd, timeout: LONGEST_MS, wish: { loaded: log } })))
      throw new Error(`${file} fails without a mutant`);
    const urls = (await readFile(log, "utf8")).split("\n");
    return { file, loads: new Set(urls), ms: performance.now() - from };
  });
}

/** Runs the tests that load a mutant's file, up to the first that fails: those beside it before the others, quick ones before slow ones. */
export async function tryMutant(mutant: Mutant, tests: readonly TestFile[], cwd: string): Promise<Verdict> {
  const url = pathToFileURL(mutant.file).href;
  const elsewhere = ({ file }: TestFile): number => (isBeside(file, mutant.file) ? 0 : 1);
  const order = tests
    .filter(({ loads }) => loads.has(url))
    .sort((one, other) => elsewhere(one) - elsewhere(other) || one.ms - other.ms);
  return await inFolder(async (folder) => {
    const text = join(folder, basename(mutant.file));
    await writeFile(text, mutated(await readFile(mutant.file, "utf8"), mutant));
    const wish = { file: mutant.file, text };
    for (const { file, ms } of order)
      if (!(await passes(file, { cwd, timeout: SLOWER * ms + LONGER_MS, wish }))) return { mutant, killedBy: file };
    return { mutant, killedBy: null };
  });
}

/** Whether a test file is one of a source's own: `x.test.ts`, `x.process.test.ts` or `x.long.test.ts` for `x.ts`. */
function isBeside(test: string, source: string): boolean {
  return test.replace(/(\.process|\.long)?\.test\.ts$/, ".ts") === source;
}

interface Run {
  readonly cwd: string;
  readonly timeout: number;
  /** What the hook is told. */
  readonly wish: Readonly<Record<string, string>>;
}

/** Whether a test file passes in time. Its process group ends with it. */
async function passes(file: string, { cwd, timeout, wish }: Run): Promise<boolean> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", "--import", `${HOOK}?${new URLSearchParams(wish).toString()}`, file],
    {
      cwd,
      env: { ...process.env, NODE_TEST_CONTEXT: undefined },
      stdio: "ignore",
      detached: true,
    },
  );
  return await new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      if (child.pid !== undefined) endGroup(child.pid);
    };
    const timer = setTimeout(end, timeout);
    child.once("error", reject);
    child.once("exit", (code) => {
      end();
      resolve(code === 0);
    });
  });
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (thrown) {
    if (!(thrown instanceof Error && "code" in thrown && thrown.code === "ESRCH")) throw thrown;
  }
}

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-mutant-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
