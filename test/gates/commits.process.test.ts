/** The check of commit messages finds each fault, and looks at no commit that is older than itself. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import process from "node:process";
import { commitFaults, messageFaults } from "../../scripts/commit-check.ts";
import { ROOT } from "../docs/deployment-folder.ts";

const BODY = "\n\nThe parser took a number twice. It refuses it.\n";

test("a conventional subject with a body passes", () => {
  for (const subject of ["fix: refuse a duplicate number", "feat(wire)!: name the version", `docs: ${"x".repeat(66)}`])
    assert.deepEqual(messageFaults(subject + BODY), [], subject);
});

test("each fault is named", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [`Refuse a duplicate number${BODY}`, /^the subject is not/],
    [`fix:refuse a duplicate number${BODY}`, /^the subject is not/],
    [`wip: refuse a duplicate number${BODY}`, /^the subject is not/],
    [`docs: ${"x".repeat(67)}${BODY}`, /73 characters; at most 72/],
    ["fix: refuse a duplicate number\nThe parser took it.\nIt refuses it.\n", /^the second line is not empty/],
    ["fix: refuse a duplicate number\n", /^there is no body/],
    ["fix: refuse a duplicate number\n\n  \n", /^there is no body/],
  ];
  for (const [message, fault] of cases) {
    const faults = messageFaults(message);
    assert.equal(faults.length, 1, message);
    assert.match(faults[0] ?? "", fault);
  }
});

interface Repository {
  readonly root: string;
  readonly git: (...args: readonly string[]) => void;
  readonly commit: (message: string) => void;
}

function repository(t: TestContext): Repository {
  const root = mkdtempSync(join(tmpdir(), "cmcp-commits-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" };
  const identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"];
  const git = (...args: readonly string[]): void => {
    execFileSync("git", [...identity, ...args], { cwd: root, env, stdio: "pipe" });
  };
  git("init", "-q", "-b", "main");
  return { root, git, commit: (message) => git("commit", "-q", "--allow-empty", "-m", message) };
}

test("commits before the check, beside it and merges are not judged; those after it are", (t) => {
  const { root, git, commit } = repository(t);
  commit("Something old");
  git("branch", "beside");
  mkdirSync(join(root, "scripts"));
  writeFileSync(join(root, "scripts/commit-check.ts"), "");
  git("add", ".");
  commit("test: check messages");
  git("checkout", "-q", "beside");
  commit("Something beside");
  git("checkout", "-q", "main");
  commit(`fix: refuse a duplicate${BODY}`);
  git("merge", "-q", "--no-ff", "-m", "Merge branch 'beside'", "beside");
  assert.deepEqual(commitFaults(root), []);
  commit("Something later");
  assert.deepEqual(
    commitFaults(root).map((fault) => fault.replace(/^[0-9a-f]+ /, "").split(";")[0]),
    ['Something later: the subject is not "type: what" or "type(part): what"', "Something later: there is no body"],
  );
});

test("a history without the check has no faults, and a folder without a history passes", (t) => {
  const { root, commit } = repository(t);
  commit("Something old");
  assert.deepEqual(commitFaults(root), []);
  const folder = mkdtempSync(join(tmpdir(), "cmcp-no-history-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "scripts"));
  cpSync(join(ROOT, "scripts/commit-check.ts"), join(folder, "scripts/commit-check.ts"));
  const { status, stdout } = spawnSync(process.execPath, [join(folder, "scripts/commit-check.ts")], {
    encoding: "utf8",
  });
  assert.equal(status, 0);
  assert.match(stdout, /no history/);
});
