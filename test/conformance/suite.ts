import { spawn } from "node:child_process";
import { mkdir, readFile, readdir, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import * as z from "zod";
import type { SuiteVersion } from "./reference-server/server.ts";

/** How the suite judged one of its checks, gravest first. */
export const STATUSES = ["FAILURE", "WARNING", "SKIPPED", "INFO", "SUCCESS"] as const;
export type Status = (typeof STATUSES)[number];

/** Where the suite's own side speaks to: the other side itself, a gateway before it, or `cmcp connect` before that gateway. */
export type Column = "direct" | "gateway" | "sealed";

/** One check of a scenario; a check that ran several times counts by its gravest outcome. */
export interface Check {
  readonly status: Status;
  /** What the suite says went wrong, of the gravest outcome. */
  readonly message: string | undefined;
}

/** Checks of every scenario, by the scenario's name and by the check's id and name. */
export type Results = ReadonlyMap<string, ReadonlyMap<string, Check>>;

const checksSchema = z.array(
  z.object({ id: z.string(), name: z.string(), status: z.enum(STATUSES), errorMessage: z.string().optional() }),
);

const ENTRY = join(
  dirname(createRequire(import.meta.url).resolve("@modelcontextprotocol/conformance/package.json")),
  "dist/index.js",
);
/** The gateway's upstream side by itself, for the scenarios about OAuth. */
const AUTHORIZATION_COMMAND = join(import.meta.dirname, "authorization/command.ts");
/** The client under test; the suite splits its command at spaces and appends its server's URL. */
const COMMAND = join(import.meta.dirname, "client/command.ts");
/** What the suite may take in all, in milliseconds; it bounds single scenarios itself. */
const SUITE_MS = 600_000;

/** Runs the suite and returns what it printed. Its exit code says that something failed, which its reports say better. */
async function suite(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [ENTRY, ...args], {
    env: { PATH: process.env["PATH"], NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: SUITE_MS,
  });
  let printed = "";
  const keep = (text: string): void => {
    printed += text;
  };
  child.stdout.setEncoding("utf8").on("data", keep);
  child.stderr.setEncoding("utf8").on("data", keep);
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => resolve());
  });
  return printed;
}

async function readChecks(path: string): Promise<ReadonlyMap<string, Check>> {
  const checks = new Map<string, Check>();
  for (const { id, name, status, errorMessage } of checksSchema.parse(JSON.parse(await readFile(path, "utf8")))) {
    // One id covers a whole requirement; its cases differ by name.
    const key = `${id} ${name}`;
    const known = checks.get(key);
    if (known === undefined || STATUSES.indexOf(status) < STATUSES.indexOf(known.status))
      checks.set(key, { status, message: errorMessage });
  }
  return checks;
}

async function emptyFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
}

/** Paths of the reports a run left behind: a file in a folder for each scenario, named after it and the time. */
async function reports(folder: string, printed: string): Promise<readonly string[]> {
  const paths = (await readdir(folder, { recursive: true })).filter((path) => path.endsWith("checks.json")).toSorted();
  if (paths.length === 0) throw new Error(`the conformance suite gave no result:\n${printed}`);
  return paths;
}

/** Runs every server scenario of a version against a server. `folder` is emptied and holds the suite's own report. */
export async function runServerScenarios(url: string, version: SuiteVersion, folder: string): Promise<Results> {
  await emptyFolder(folder);
  const printed = await suite([
    "server",
    "--url",
    url,
    "--suite",
    "all",
    "--spec-version",
    version,
    "--output-dir",
    folder,
  ]);
  const results = new Map<string, ReadonlyMap<string, Check>>();
  for (const path of await reports(folder, printed)) {
    const [, scenario = path] = /^server-(.+)-\d{4}-\d{2}-\d{2}T[\d-]+Z$/.exec(dirname(path)) ?? [];
    results.set(scenario, await readChecks(join(folder, path)));
  }
  return results;
}

/** Names of the client scenarios of a version, without those about OAuth: agents have no part in them. */
async function clientScenarios(version: SuiteVersion): Promise<readonly string[]> {
  const names = Array.from(
    (await suite(["list", "--client", "--spec-version", version])).matchAll(/^ +- (\S+) \[/gm),
    ([, name = ""]) => name,
  );
  const own = names.filter((name) => !name.startsWith("auth/"));
  if (own.length === 0) throw new Error("the conformance suite lists no client scenarios");
  return own;
}

/** Names of the scenarios about OAuth: those of a version, or with `null` those of extensions. */
async function authorizationScenarios(version: SuiteVersion | null): Promise<readonly string[]> {
  const listed = await suite(["list", "--client", ...(version === null ? [] : ["--spec-version", version])]);
  const names = Array.from(listed.matchAll(/^ +- (auth\/\S+) \[([^\]]+)\]/gm), ([, name = "", versions = ""]) => ({
    name,
    ofExtension: versions === "extension",
  }));
  const own = names.filter(({ ofExtension }) => ofExtension === (version === null));
  if (own.length === 0) throw new Error("the conformance suite lists no scenarios about OAuth");
  return own.map(({ name }) => name);
}

const endingSchema = z.object({ failure: z.string().nullable() });

/** How the agent of a scenario itself ended, as one more check: `command.ts` leaves it in a file. */
async function agentCheck(path: string): Promise<Check> {
  const { failure } = endingSchema.parse(
    JSON.parse(await readFile(path, "utf8").catch(() => '{"failure": "the agent did not come to its end"}')),
  );
  return failure === null ? { status: "SUCCESS", message: undefined } : { status: "FAILURE", message: failure };
}

/** Runs every scenario about OAuth of a version, or with `null` of extensions, with the gateway's upstream side as the client. */
export async function runAuthorizationScenarios(version: SuiteVersion | null, folder: string): Promise<Results> {
  await emptyFolder(folder);
  const results = new Map<string, ReadonlyMap<string, Check>>();
  for (const scenario of await authorizationScenarios(version)) {
    const own = join(folder, scenario);
    const agent = join(folder, "agent");
    const command = [process.execPath, "--disable-warning=ExperimentalWarning", AUTHORIZATION_COMMAND, agent].join(" ");
    const timeline = version === null ? [] : ["--spec-version", version];
    const run = ["client", "--command", command, "--scenario", scenario, ...timeline, "--output-dir", own];
    const printed = await suite(run);
    for (const path of await reports(own, printed)) {
      const ended = await agentCheck(join(agent, `${scenario}.json`));
      results.set(scenario, new Map([...(await readChecks(join(own, path))), ["agent", ended]]));
    }
  }
  return results;
}

/** Runs every client scenario of a version with an agent in one column, each against a server of the suite's own. */
export async function runClientScenarios(column: Column, version: SuiteVersion, folder: string): Promise<Results> {
  await emptyFolder(folder);
  const results = new Map<string, ReadonlyMap<string, Check>>();
  for (const scenario of await clientScenarios(version)) {
    const own = join(folder, scenario);
    const command = [
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      COMMAND,
      column,
      join(own, "agent"),
    ].join(" ");
    const printed = await suite([
      "client",
      "--command",
      command,
      "--scenario",
      scenario,
      "--spec-version",
      version,
      "--output-dir",
      own,
    ]);
    for (const path of await reports(own, printed)) {
      results.set(
        scenario,
        new Map([
          ...(await readChecks(join(own, path))),
          ["agent", await agentCheck(join(own, "agent", `${scenario}.json`))],
        ]),
      );
    }
  }
  return results;
}
