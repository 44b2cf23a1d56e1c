import { spawn } from "node:child_process";
import process from "node:process";

/** How a process ended: its exit code, or why it has none. */
export type Ended = number | "killed" | "out of time";

/**
 * Runs a program in a process group of its own. When it takes longer than `limitMs` milliseconds, or this process is
 * interrupted, everything it started ends with it.
 */
export async function inOwnProcess(program: string, args: readonly string[], limitMs: number): Promise<Ended> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, ...args], {
    stdio: "inherit",
    detached: true,
  });
  const end = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
  };
  const interrupted = (): void => {
    end();
    process.exit(130);
  };
  process.once("SIGINT", interrupted).once("SIGTERM", interrupted);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    end();
  }, limitMs);
  const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
  clearTimeout(timer);
  process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
  return late ? "out of time" : (code ?? "killed");
}
