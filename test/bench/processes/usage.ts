import { readFile } from "node:fs/promises";

/** Length of a clock tick of `/proc/<pid>/stat` in milliseconds: USER_HZ is 100 on Linux. */
const TICK_MS = 10;
// proc(5): utime and stime are fields 14 and 15; the second field may hold spaces, so fields are counted after its ")".
const UTIME = 11;

/** Milliseconds of CPU that all threads of some processes have used so far. */
export async function cpuMs(pids: readonly number[]): Promise<number> {
  let ticks = 0;
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[UTIME]) + Number(fields[UTIME + 1]);
  }
  return ticks * TICK_MS;
}

/** Resident memory of a process in bytes: VmRSS of `/proc/<pid>/status`. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1024;
}
