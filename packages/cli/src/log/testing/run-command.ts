import { PassThrough } from "node:stream";
import type { Command } from "../../command.ts";
import type { LogVerdict } from "../check-whole-log.ts";

/** Runs a command of a log with `--json`. */
export async function runJson(
  command: Command,
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly answer: unknown }> {
  const out = new PassThrough();
  const code = await command.run([...args, "--json"], { out, err: out, colour: false });
  out.end();
  return { code, answer: JSON.parse((await out.toArray()).join("")) };
}

/** Runs a command that verifies. @returns its exit code, its verdict, and each failed check with its code */
export async function judgeLog(
  command: Command,
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly verdict: LogVerdict; readonly failed: readonly string[] }> {
  const { code, answer } = await runJson(command, ...args);
  const verdict = answer as LogVerdict;
  const failed = verdict.checks.flatMap(({ name, status, code: why }) =>
    status === "failed" ? [`${name} ${why}`] : [],
  );
  return { code, verdict, failed };
}
