import { spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { text } from "node:stream/consumers";
import { ROOT } from "../gateway/deployment.ts";
import type { Agent, Transcript } from "./task.ts";

/** How long one run may take before it counts as hung. */
const MAX_RUN_MS = 300_000;

/**
 * An agent written in Python, in the virtual environment of its lock.
 * @param environment a lock of the folder `python`
 * @param script the agent, in the same folder
 */
export function pythonAgent(environment: string, script: string): Agent {
  return async (task) => {
    const child = spawn(
      join(ROOT, ".cache/frameworks", environment, "venv/bin/python"),
      [join(import.meta.dirname, "python", script)],
      {
        env: { PATH: process.env["PATH"], PYTHONUTF8: "1", NO_COLOR: "1", PYTHONDONTWRITEBYTECODE: "1" },
        timeout: MAX_RUN_MS,
      },
    );
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    child.stdin.end(JSON.stringify(task));
    const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    if (code !== 0) throw new Error(`${script}: the run was aborted (exit ${code}): ${stderr}`);
    return JSON.parse(stdout) as Transcript;
  };
}
