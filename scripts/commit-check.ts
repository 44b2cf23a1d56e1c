/** Holds commit messages to CONTRIBUTING.md, from the commit after the one that brought this file. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** Longest subject, in characters. */
const MAX_SUBJECT = 72;
const TYPES = ["build", "chore", "ci", "docs", "feat", "fix", "perf", "refactor", "revert", "style", "test"];
const SUBJECT = new RegExp(`^(?:${TYPES.join("|")})(?:\\([a-z0-9][a-z0-9 ,/-]*\\))?!?: \\S`);
const THIS_FILE = "scripts/commit-check.ts";

/** What is wrong with a commit message, one sentence each; empty for a good one. */
export function messageFaults(message: string): string[] {
  const [subject = "", second = "", ...rest] = message.trimEnd().split("\n");
  const faults: string[] = [];
  if (!SUBJECT.test(subject))
    faults.push(`the subject is not "type: what" or "type(part): what"; types are ${TYPES.join(", ")}`);
  const length = Array.from(subject).length;
  if (length > MAX_SUBJECT) faults.push(`the subject has ${length} characters; at most ${MAX_SUBJECT} are allowed`);
  if (second !== "") faults.push("the second line is not empty");
  if (rest.join("").trim() === "")
    faults.push("there is no body; say what was wrong, what changed and how you checked it");
  return faults;
}

/**
 * The faults of each commit of a repository that descends from the one that added this file; merges are left out.
 *
 * @param root a folder that has `.git`
 * @throws Error when git is missing or refuses
 */
export function commitFaults(root: string): string[] {
  const git = (...args: readonly string[]): string =>
    execFileSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  const added = git("log", "--diff-filter=A", "--format=%H", "--", THIS_FILE).trim().split("\n").at(-1) ?? "";
  if (added === "") return [];
  const range = ["--no-merges", "--ancestry-path", `${added}..HEAD`];
  return git("log", "-z", "--format=%h%n%B", ...range)
    .split("\0")
    .filter((commit) => commit.trim() !== "")
    .flatMap((commit) => {
      const end = commit.indexOf("\n");
      const message = commit.slice(end + 1);
      return messageFaults(message).map((fault) => `${commit.slice(0, end)} ${message.split("\n", 1)[0]}: ${fault}`);
    });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  if (!existsSync(join(root, ".git")))
    process.stdout.write("commits: this folder has no history, so nothing is checked\n");
  else {
    const faults = commitFaults(root);
    for (const fault of faults) process.stderr.write(`${fault}\n`);
    if (faults.length > 0) process.exitCode = 1;
  }
}
